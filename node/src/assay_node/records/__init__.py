"""What is on record beside the market: data sets, who vouches for them, where models come from."""

from typing import TYPE_CHECKING

from assay_prover.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from .data_sets import Attester, DataSetRecord, identity_of, read_data_set
    from .lineage import Run, RunRecord, program_of, read_run, runs_over, verify_certificate, verify_lineage
else:  # a name's module is loaded when the name is used
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            ".data_sets": "Attester DataSetRecord identity_of read_data_set",
            ".lineage": "Run RunRecord program_of read_run runs_over verify_certificate verify_lineage",
        },
    )

__all__ = [
    "Attester",
    "DataSetRecord",
    "Run",
    "RunRecord",
    "identity_of",
    "program_of",
    "read_data_set",
    "read_run",
    "runs_over",
    "verify_certificate",
    "verify_lineage",
]
