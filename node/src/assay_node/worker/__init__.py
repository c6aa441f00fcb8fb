"""The worker: bids on jobs, proves them, is paid. `Worker(config).run()` is all there is to call.

`state` is the pure state machine of a job; `jobs` and `service` do the I/O around it.
`docs/guide-operator.md` tells an operator how to run one.
"""

from .config import PricingConfig, WorkerConfig
from .errors import ImpossibleTransition, InboxError, WorkerError
from .registration import check_registration, register
from .service import Worker, run_worker
from .state import BiddingPolicy, JobProgress, Phase, phase
from .store import StoredJob, WorkerStore

__all__ = [
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
