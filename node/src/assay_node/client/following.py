"""Stays with one job to its end and does what falls to its requester.

That is: to award it (a job with a private input is awarded by its requester alone), to deliver the input to
the worker it awarded, to take the exits that are due, and to post it again if a re-org dropped it. What is
to be done is read from the market at every look; so following may stop and go on anywhere, any time.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from typing import TYPE_CHECKING

from ..amounts import ether
from ..chain import (
    AWARD_GRACE,
    ZERO_ADDRESS,
    ChainClock,
    ContractReverted,
    FeesTooHigh,
    Header,
    InsufficientFunds,
    Job,
    JobState,
    NodeUnavailable,
    TransactionFailed,
)
from .bids import StandingBid, choice, standing_bids
from .errors import DeliveryError, EvidenceMismatch, JobNotFound
from .policy import AwardPolicy
from .store import JobRecord

if TYPE_CHECKING:
    from .requester import Requester

PATIENCE_WITH_REFUSALS = 60.0
"""Seconds a due exit may be refused while the job stays as it is, before that is an error."""
PATIENCE_WITH_NODE = 60.0
"""Seconds a node may be away, or not know a job that is not ours, before that is an error."""
CHOOSING_TIME = 30
"""Seconds before the end of a later round's bidding at which a bid is chosen; at most a quarter of it."""
WINNERS_HEAD_START = 5
"""Seconds after the bidding in which awarding is left to the winner, so that not both pay for it; and in
which a requester without an acceptable bid waits for one that was mined in the last second."""
MOST_FAILED_AWARDS = 5
"""Awards of a round to one worker that may be mined and revert before its bid is not taken. A re-org that
puts an award before its bid does that, once; each costs gas, and a worker may have ways to make them fail."""
ASK_AGAIN = 10.0
"""Seconds between two questions whether the worker still has the input."""
HOUSEKEEPING = 5.0
"""Seconds between two looks after transactions that are not final."""

Say = Callable[[str], None]


class JobFollower:
    """One job, followed.

    Args:
        requester: acts for the account.
        job_id: the job, by any id it has had.
        say: told of every step, and of what is waited for.
    """

    def __init__(self, requester: Requester, job_id: bytes, say: Say) -> None:
        self._requester = requester
        self._job_id = job_id
        self._say = say
        self._clock = ChainClock()
        self._told: set[str] = set()
        self._chosen: set[int] = set()
        self._failed_awards: Counter[tuple[int, str]] = Counter()
        self._asked = self._looked_after = float("-inf")

    async def run(self, interval: float) -> AsyncIterator[Job]:
        """Yield the job whenever it changes, until it is final.

        Raises:
            JobNotFound: the market has no such job, and it was not posted from here.
            NodeUnavailable: the node was away for longer than `PATIENCE_WITH_NODE`.
            ChainError: what was due has been refused for longer than `PATIENCE_WITH_REFUSALS`.
        """
        last: Job | None = None
        refused_since: float | None = None
        away_since: float | None = None
        while True:
            try:
                newest, job = await asyncio.gather(
                    self._requester.chain.latest(), self._requester.job(self._job_id)
                )
                self._clock.see(newest)
                await self._look_after_transactions(newest)
                away_since = None
            except (NodeUnavailable, JobNotFound) as error:
                ours = isinstance(error, JobNotFound) and self._record() is not None
                if ours and await self._post_again():
                    away_since = None
                    continue
                away_since = away_since or time.monotonic()
                patient = ours or (last is not None and time.monotonic() - away_since <= PATIENCE_WITH_NODE)
                if not patient:
                    raise
                if not ours:
                    self._tell(str(error))
                await _pause(interval)
                continue
            if job != last:
                last, refused_since = job, None
                self._told.clear()
                yield job
            if job.state.final:
                return
            try:
                self._tell(await self._step(job))
                refused_since = None
            except (ContractReverted, TransactionFailed):
                # Too early by the chain's clock, which a re-org may set back, or someone was first and their
                # block is still to come: the next look tells. A refusal that stays while the job does not
                # change is another matter.
                refused_since = refused_since or time.monotonic()
                if time.monotonic() - refused_since > PATIENCE_WITH_REFUSALS:
                    raise
            except (NodeUnavailable, FeesTooHigh, InsufficientFunds, EvidenceMismatch) as error:
                self._tell(str(error))  # what was due may be done by others, or later
            await _pause(interval)

    def _tell(self, text: str) -> None:
        if text and text not in self._told:
            self._told.add(text)
            self._say(text)

    def _record(self) -> JobRecord | None:
        return self._requester.record_of(self._job_id)

    async def _look_after_transactions(self, newest: Header) -> None:
        """Send again what a re-org or a forgetful pool dropped, now and then."""
        if time.monotonic() - self._looked_after >= HOUSEKEEPING:
            self._looked_after = time.monotonic()
            if self._requester.outbox.pending():
                await self._requester.outbox.step(newest)

    async def _post_again(self) -> bool:
        """Have a job that the market does not know any more posted again; whether it is there."""
        record = self._record()
        if record is None:
            return False
        try:
            found = await self._requester.poster.post_again(record)
        except (NodeUnavailable, FeesTooHigh, TransactionFailed, EvidenceMismatch) as error:
            self._tell(str(error))
            return False
        if found is None:
            self._tell("a re-org dropped the job's posting; it is sent again")
            return False
        self._tell("a re-org dropped the job's posting; it was sent again")
        if found != self._job_id:
            self._tell(f"the job is now 0x{found.hex()}; it answers to its former id here, too")
            self._job_id = found
        try:
            await self._requester.job(found)
        except JobNotFound:  # the node that has the receipt is not the one that was asked for the job
            return False
        return True

    async def _step(self, job: Job) -> str:
        """Do what is due; return what there is to say of it."""
        now = self._clock.now()
        market = self._requester.chain.market
        if job.state in (JobState.AWARDED, JobState.ACCEPTED) and now <= job.deadline:
            return await self._hand_over(job)
        if job.state is JobState.OPEN:
            overdue = now > job.deadline + AWARD_GRACE
            if job.requester_awards and job.worker != ZERO_ADDRESS and not overdue:
                return await self._award(job, now)
            if job.round > 0 and not job.requester_awards and (chosen := await self._choose(job, now)):
                return chosen
            has_bids = job.worker != ZERO_ADDRESS
            if now <= job.deadline + (WINNERS_HEAD_START if has_bids else 0):
                return ""
            call = market.award(self._job_id) if has_bids and not overdue else market.expire(self._job_id)
        elif now <= job.deadline:
            return ""
        elif job.state is JobState.AWARDED:
            call = market.lapse(self._job_id)
        else:
            call = market.expire(self._job_id)
        name = f"{self._job_id.hex()}/{job.state.name}/{job.round}/{job.deadline}"
        # Again, if it was mined and reverted: a re-org may move an exit into a block before its time.
        await self._requester.outbox.send(name, call, again=True)
        return call.description

    async def _hand_over(self, job: Job) -> str:
        """Deliver the input, and once more if the worker has lost it."""
        record = self._record()
        if record is None:
            return ""  # another's job, or one posted from another machine: only its exits are taken here
        held = (record.delivered_to, record.delivered_round) == (job.worker.lower(), job.round)
        try:
            if held and time.monotonic() - self._asked < ASK_AGAIN:
                return ""
            self._asked = time.monotonic()
            if held and not await self._requester.input_is_wanted(self._job_id):
                return ""
            done = await self._requester.deliver_input(self._job_id, patience=5.0, again=held, say=self._say)
        except DeliveryError as error:
            return str(error)
        if not done:
            return ""
        return f"delivered the input to {job.worker}" + (" again: it had lost it" if held else "")

    async def _award(self, job: Job, now: int) -> str:
        """Award to the lowest bid that the requester's policy admits, when it is time to."""
        record = self._record()
        if record is None:
            return "the job waits for its requester's award: follow it where it was posted"
        policy = record.policy or AwardPolicy()
        over = now > job.deadline
        if policy.pick == "best" and not over:
            return ""
        sent = {disclosure.worker for disclosure in self._requester.store.disclosures(record.draft_id)}
        allowed = 1 if record.posting is None else record.posting.request.rounds  # not what a node says
        closed = sent if len(sent) >= allowed else None

        def refusal(bid: StandingBid) -> str:
            return self._refusal(closed, policy, job, bid)

        bids = await standing_bids(
            self._requester.chain, self._job_id, named=policy.workers, wanted=lambda bid: not refusal(bid)
        )
        if policy.anybody and job.round > 0:
            bids.sort(key=lambda bid: not bid.proven)
        refused = []
        for bid in bids:
            reason = refusal(bid)
            if not reason:
                try:
                    await self._award_to(job, bid.worker)
                except ContractReverted as error:
                    reason = error.what  # its stake backs another job by now, say
                except TransactionFailed as error:
                    self._tell(f"{error.what}; the market is asked again")
                    return ""  # whether the job and its bids are still as they were
                else:
                    return f"awarded the job to {bid.worker}"
            refused.append(f"the bid of {bid.worker} is not taken: {reason}")
            self._tell(refused[-1])
        if now <= job.deadline + WINNERS_HEAD_START or not bids:
            return ""
        why = f"no bid was acceptable ({policy.describe()} may win): " + "; ".join(refused[:3])
        self._requester.store.set_remark(record.draft_id, why)
        await self._requester.cancel(self._job_id)
        return f"{why}. The job is cancelled, and its ceiling back in your vault balance"

    async def _award_to(self, job: Job, worker: str) -> None:
        try:
            await self._requester.award(self._job_id, worker)
        except TransactionFailed:
            self._failed_awards[job.round, worker] += 1
            raise

    def _refusal(
        self, closed: Collection[str] | None, policy: AwardPolicy, job: Job, bid: StandingBid
    ) -> str:
        """Why a bid is not taken; empty if it may be.

        Args:
            closed: to whom the input was sent, if nobody else may be sent it any more.
            policy: who may win.
            job: as stored.
            bid: whose.
        """
        if closed is not None and bid.worker.lower() not in closed:
            return f"the input has been sent to {len(closed)} already, and no more than that were allowed"
        if (failed := self._failed_awards[job.round, bid.worker]) >= MOST_FAILED_AWARDS:
            return f"awarding to it was mined and reverted {failed} times"
        needed = 0 if bid.leads else max(job.min_stake, job.collateral)
        if bid.record.free_stake < needed:
            return f"its free stake is {ether(bid.record.free_stake)}, and {ether(needed)} must back the job"
        return policy.refusal(bid.worker, bid.record)

    async def _choose(self, job: Job, now: int) -> str:
        """Near the end of a round after a lapse, award to a worker that has a record, once."""
        left = job.deadline - now
        if not 0 <= left <= min(CHOOSING_TIME, job.bid_window // 4) or job.round in self._chosen:
            return ""
        bids = await standing_bids(self._requester.chain, self._job_id, wanted=lambda bid: bid.proven)
        best = choice(bids)
        if best is not None and self._failed_awards[job.round, best.worker] >= MOST_FAILED_AWARDS:
            best = None
        if best is not None:
            await self._award_to(job, best.worker)
        self._chosen.add(job.round)
        if best is None:
            return ""
        return (
            f"an award came to nothing, so the job goes to {best.worker}, the lowest bid of a worker with a "
            "record"
        )


async def _pause(interval: float) -> None:
    """Wait until the next multiple of `interval`: those that follow several jobs look together, which makes
    their looks one request.
    """
    await asyncio.sleep(interval - asyncio.get_running_loop().time() % interval if interval > 0 else 0)
