"""The worker: bids on jobs, proves them, is paid. `Worker(config).run()` is all there is to call.

`lifecycle` is the pure state machine of a job; `jobs` and `service` do the I/O around it.
`docs/guide-operator.md` tells an operator how to run one.
"""

from typing import TYPE_CHECKING

from assay_prover.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from .bans import Ban, Bans
    from .config import PricingConfig, WorkerConfig
    from .errors import ImpossibleTransition, InboxError, WorkerError
    from .lifecycle.progress import BiddingPolicy, JobProgress, Phase, phase
    from .registration import check_registration, register
    from .service import Worker, run_worker
    from .store import StoredJob, WorkerStore
else:  # a name's module is loaded when the name is used
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            ".bans": "Ban Bans",
            ".config": "PricingConfig WorkerConfig",
            ".errors": "ImpossibleTransition InboxError WorkerError",
            ".registration": "check_registration register",
            ".service": "Worker run_worker",
            ".lifecycle.progress": "BiddingPolicy JobProgress Phase phase",
            ".store": "StoredJob WorkerStore",
        },
        moved={
            "Me": "assay_node.worker:BiddingPolicy",
            "Track": "assay_node.worker:JobProgress",
        },
    )

__all__ = [
    "Ban",
    "Bans",
    "BiddingPolicy",
    "ImpossibleTransition",
    "InboxError",
    "JobProgress",
    "Phase",
    "PricingConfig",
    "StoredJob",
    "Worker",
    "WorkerConfig",
    "WorkerError",
    "WorkerStore",
    "check_registration",
    "phase",
    "register",
    "run_worker",
]
