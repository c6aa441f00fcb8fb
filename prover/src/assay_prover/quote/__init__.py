"""What a model will cost before it is compiled: constraints, keys, memory, time here, and savings."""

from assay_prover.quote.machine_profile import MachineProfile
from assay_prover.quote.quote import Quote, quote_model

__all__ = ["MachineProfile", "Quote", "quote_model"]
