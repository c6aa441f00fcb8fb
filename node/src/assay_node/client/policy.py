"""Who may win a job whose input is private: whoever wins sees it, so the requester decides.

There are three answers. Workers that the requester names; any worker with a stake and a record, for a
requester that says so; and, on a chain of one's own, anybody. Without an answer nothing is posted.

A record is what the chain says of a worker, and a stake is capital that is tied up: neither is a promise not
to look. What they do is to make it dear to be a stranger: each identity that takes an input and walks away
has to have settled jobs before, and is marked afterwards.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from assay_prover.strict_json import JsonError, dumps, loads

from ..amounts import ether
from ..chain import WorkerRecord
from .errors import StoreError

DEFAULT_SETTLED = 10
"""Settled jobs a stranger must have behind it, unless the requester says otherwise."""
KEPT_PER_MISSED = 20
"""Of a stranger's awards at most one in this many may have come to nothing, unless told otherwise."""
STRANGERS_STAKE_PER_PRICE = 10
"""Stake a stranger must have, in ceilings of the job, unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRule:
    """What a worker that nobody named must have.

    Attributes:
        min_stake: wei of stake in all, reserved or not.
        min_settled: jobs it was paid for.
        max_missed: awards that came to nothing and accepted jobs it did not prove; None for one in twenty
            of its settled jobs.
    """

    min_stake: int
    min_settled: int = DEFAULT_SETTLED
    max_missed: int | None = None

    def refusal(self, record: WorkerRecord) -> str:
        """Why a worker does not qualify; empty if it does."""
        limit = record.completed // KEPT_PER_MISSED if self.max_missed is None else self.max_missed
        if not record.registered:
            return "it is not registered"
        if record.stake < self.min_stake:
            return f"its stake is {ether(record.stake)}, below {ether(self.min_stake)}"
        if record.completed < self.min_settled:
            return f"it has settled {record.completed} jobs, fewer than {self.min_settled}"
        if record.missed + record.failed > limit:
            return f"{record.missed + record.failed} of its awards came to nothing, more than {limit}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwardPolicy:
    """To whom a requester awards.

    Attributes:
        workers: addresses that may win, in lower case.
        strangers: what any other worker must have to win; None if none may.
        anybody: whoever bids may win: for a chain of one's own.
        pick: `best` awards to the lowest acceptable bid when the bidding is over, `first` to the first
            acceptable one as soon as it is there.
    """

    workers: frozenset[str] = frozenset()
    strangers: RecordRule | None = None
    anybody: bool = False
    pick: Literal["best", "first"] = "best"

    @classmethod
    def only(cls, workers: Collection[str], *, pick: Literal["best", "first"] = "best") -> AwardPolicy:
        """Nobody but these addresses."""
        return cls(workers=frozenset(worker.lower() for worker in workers), pick=pick)

    @property
    def admits_anyone(self) -> bool:
        """Whether there is any worker that could win."""
        return bool(self.workers) or self.strangers is not None or self.anybody

    def trusts(self, worker: str) -> bool:
        """Whether a worker is one of those named."""
        return worker.lower() in self.workers

    def refusal(self, worker: str, record: WorkerRecord) -> str:
        """Why a worker may not win; empty if it may."""
        if self.anybody or self.trusts(worker):
            return ""
        if self.strangers is None:
            return "it is not one of the workers you named"
        return self.strangers.refusal(record)

    def describe(self) -> str:
        """Who may win, as a sentence's object: for messages."""
        named = f"{len(self.workers)} worker{'s' * (len(self.workers) != 1)} you named"
        if self.anybody:
            return "whoever bids"
        if self.strangers is None:
            return named if self.workers else "nobody"
        rule = self.strangers
        some = f"any worker with {ether(rule.min_stake)} of stake and {rule.min_settled} settled jobs"
        return f"{named}, and {some}" if self.workers else some

    def to_json(self) -> str:
        """As it is stored beside the job."""
        rule = self.strangers
        return dumps(
            {
                "workers": sorted(self.workers),
                "strangers": None if rule is None else [rule.min_stake, rule.min_settled, rule.max_missed],
                "anybody": self.anybody,
                "pick": self.pick,
            },
            compact=True,
        )

    @classmethod
    def from_json(cls, text: str) -> AwardPolicy:
        """The inverse of `to_json`. StoreError if it is none."""
        try:
            found = loads(text, what="the stored policy")
            assert isinstance(found, dict)  # noqa: S101 - turned into a StoreError below
            rule = found["strangers"]
            strangers = None
            if rule is not None:
                strangers = RecordRule(min_stake=rule[0], min_settled=rule[1], max_missed=rule[2])
            return cls(
                workers=frozenset(found["workers"]),
                strangers=strangers,
                anybody=found["anybody"],
                pick=found["pick"],
            )
        except (JsonError, AssertionError, KeyError, IndexError, TypeError) as error:
            raise StoreError(f"the job's stored award policy cannot be read ({error})") from error
