"""What the tests of a job's state machine share: views of a job, and events in a row."""

from __future__ import annotations

from typing import Any

from assay_node.chain import JobState
from assay_node.worker.lifecycle.events import (
    JobView,
    Observed,
    Quoted,
)
from assay_node.worker.lifecycle.progress import (
    BiddingPolicy,
    JobProgress,
)
from assay_node.worker.lifecycle.state import handle_event

ME, RIVAL, NOBODY = "0x" + "Aa" * 20, "0x" + "bB" * 20, "0x" + "00" * 20
ME_ = BiddingPolicy(ME)
CEILING = 1000


def view(state: JobState, worker: str = NOBODY, price: int = 0, **fields: Any) -> JobView:
    return JobView(
        state,
        fields.pop("round", 0),
        worker,
        price,
        fields.pop("deadline", 100),
        CEILING,
        fields.pop("own_bid", None),
        **{"accept_window": 80, **fields},
    )


def run(progress: JobProgress, *events: Any) -> tuple[JobProgress, list[Any]]:
    out: list[Any] = []
    for event in events:
        progress, instructions = handle_event(progress, event, ME_)
        out.extend(instructions)
    return progress, out


QUOTED = (Observed(view(JobState.OPEN), 10), Quoted(0, 500, 300))
