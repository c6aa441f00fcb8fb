"""The main job from end to end, on this machine: a real patient's record, a real proof, a paid worker.

`data/` holds a 530-parameter network trained on scikit-learn's breast-cancer data (30-16-2, ReLU; made for
this project) and the 143 standardised test records it had not seen, with their diagnoses.
"""

from .summary import Summary

__all__ = ["Summary"]
