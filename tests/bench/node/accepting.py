"""A worker that accepts an award before it proves, as the reference for proving first: `python -m
bench.node.accepting worker run -c FILE` is `assay worker run` but for that.

No operator has this choice: collateral would be locked for a proof that is not in hand.
"""

from __future__ import annotations

from typing import Any

from assay_node.worker.lifecycle import state
from assay_node.worker.lifecycle.events import JobView
from assay_node.worker.lifecycle.instructions import Action, Send
from assay_node.worker.lifecycle.progress import InputState, JobProgress


def accept_first() -> None:
    """Has every award accepted as soon as its input was verified."""
    proving_first = state._awarded_wanted

    def wanted(progress: JobProgress, view: JobView, now: int, policy: Any) -> Any:
        if progress.input is InputState.VERIFIED and progress.last_refused != Action.ACCEPT:
            return Send(Action.ACCEPT, view.round)
        return proving_first(progress, view, now, policy)

    state._awarded_wanted = wanted


if __name__ == "__main__":
    from assay_node.cli import main

    accept_first()
    main()
