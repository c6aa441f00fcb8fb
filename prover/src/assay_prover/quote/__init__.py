"""What a model will cost before it is compiled: constraints, keys, memory, time here, and savings."""

from typing import TYPE_CHECKING

from assay_prover.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from assay_prover.quote.machine_profile import (
        MachineProfile,
        load_profile,
        measure_machine,
        save_profile,
    )
    from assay_prover.quote.quote import Quote, quote_model
else:  # a name's module is loaded when the name is used
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            ".machine_profile": "MachineProfile load_profile measure_machine save_profile",
            ".quote": "Quote quote_model",
        },
    )

__all__ = ["MachineProfile", "Quote", "load_profile", "measure_machine", "quote_model", "save_profile"]
