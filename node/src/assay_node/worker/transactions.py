"""The transactions of jobs: what speaks against one, sending them, and what became of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..chain import ChainError, IntentStatus, JobState, Want
from ..chain.outbox.submission import came_to_nothing
from .actions import call_of, intent_key, outcome_of, rescue_spend
from .inbox.reasons import reason_of_decline
from .lifecycle.events import Confirmed, Refused
from .lifecycle.instructions import Action, Send

if TYPE_CHECKING:
    from .jobs import JobManager

AT_ONCE = 32
"""Transactions that are made together: a few requests for all of them."""


class JobTransactions:
    """Transactions that are out, and the way to new ones.

    Args:
        manager: whose jobs these are.
    """

    def __init__(self, manager: JobManager) -> None:
        self._manager = manager
        self._out: dict[bytes, tuple[Send, float]] = {}

    def serves(self, job_id: bytes) -> bool:
        """Whether a transaction of a job in hand is out, other than a bid."""
        return job_id in self._out and self._out[job_id][0].action is not Action.BID

    def oldest(self) -> float:
        """Seconds for which the oldest transaction has been out."""
        return max((time.monotonic() - since for _, since in self._out.values()), default=0.0)

    def settle(self) -> None:
        """Tells the machines what became of their transactions."""
        manager = self._manager
        with manager.store.database.transaction():
            for job_id, (send, since) in list(self._out.items()):
                intent = manager.outbox.intent(intent_key(job_id, send))
                if intent is None or intent.status is IntentStatus.PENDING:
                    self._rescue(job_id, send)
                    continue
                del self._out[job_id]
                if came_to_nothing(intent):
                    manager.feed(job_id, Refused(send.action, outcome_of(intent), manager.clock.now()))
                    continue
                took = time.monotonic() - since
                manager.pricing_inputs.pace = manager.pricing_inputs.pace.mined(took)
                manager.metrics.inclusion_seconds.observe(took)
                manager.feed(job_id, Confirmed(send.action))

    async def send(self, sends: Sequence[tuple[bytes, Send]]) -> None:
        """Sends transactions of jobs in hand, unless something speaks against them."""
        away = ""
        try:
            await self._manager.pricing_inputs.refresh()
        except ChainError as error:
            away = str(error)
        await self.submit([(job_id, send, away or self._objection(job_id, send)) for job_id, send in sends])

    async def submit(self, judged: Sequence[tuple[bytes, Send, str]]) -> list[bytes]:
        """Hands transactions to the outbox, in this order; gives the jobs of which it has one now.

        Args:
            judged: job, transaction, and what speaks against it; "" if nothing does.
        """
        manager, started = self._manager, time.monotonic()
        wants = []
        for job_id, send, reason in judged:
            if not reason:
                call = call_of(manager.chain.market, manager.jobs[job_id], send, manager.store)
                self._rescue(job_id, send)
                wants.append(Want(intent_key(job_id, send), call, again=True))
        try:
            sent = await manager.outbox.submit_many(wants) if wants else []
        except ChainError as error:
            sent = [error for _ in wants]
        answers = iter(sent)
        accepted = []
        with manager.store.database.transaction():
            for job_id, send, reason in judged:
                if not reason and isinstance(answer := next(answers), ChainError):
                    reason = str(answer)
                if reason:
                    manager.say(job_id, "job.not_sent", reason, action=str(send.action))
                    manager.feed(job_id, Refused(send.action, reason, manager.clock.now()))
                    continue
                accepted.append(job_id)
                self._out[job_id] = (send, started)
                manager.metrics.sent.labels(str(send.action)).inc()
                if send.action is Action.DECLINE:
                    manager.reasons.tell(job_id, reason_of_decline(manager.jobs[job_id].progress))
        if accepted:
            took = (time.monotonic() - started) / len(accepted)
            manager.pricing_inputs.pace = manager.pricing_inputs.pace.sent(took)
        return accepted

    def _objection(self, job_id: bytes, send: Send) -> str:
        manager, job = self._manager, self._manager.jobs[job_id]
        view = job.progress.view
        accepted = view is not None and view.state is JobState.ACCEPTED
        if manager.outbox.shared and not (accepted and send.action is Action.PROVE):
            # Another worker with this key is at it. A proof that collateral depends on is sent all the same.
            return manager.outbox.shared
        if send.action is Action.ACCEPT:
            others = [other for other in manager.jobs.values() if other.job_id != job_id]
            risk = manager.pricing_inputs.risk_of_accepting(job, others, manager.clock.now())
            return risk or manager.pricing_inputs.settling_objection(job, accept=True)
        if send.action is Action.PROVE and not accepted:
            return manager.pricing_inputs.settling_objection(job, accept=False)
        return ""

    def _rescue(self, job_id: bytes, send: Send) -> None:
        """Lets a proof that is nearly late cost more gas than the cap: late, it costs what is at stake."""
        manager, job = self._manager, self._manager.jobs[job_id]
        model = manager.library.known(job.model_id)
        royalty_bps = 0 if model is None else model.model.spec.royalty_bps
        spend = rescue_spend(manager.config, job, send, royalty_bps, manager.clock.now())
        if spend is not None:
            manager.outbox.allow(intent_key(job_id, send), spend)
