"""What is on record about data and models beside the market: data sets and their attesters."""

from typing import TYPE_CHECKING

from assay_prover.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from .data_sets import Attester, DataSetRecord, identity_of, read_data_set
else:  # a name's module is loaded when the name is used
    __getattr__, __dir__ = lazy_attributes(
        __name__, {".data_sets": "Attester DataSetRecord identity_of read_data_set"}
    )

__all__ = ["Attester", "DataSetRecord", "identity_of", "read_data_set"]
