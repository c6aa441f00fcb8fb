"""A job's state machine in any order of events, and in a market that changes its mind."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from assay_node.chain import AWARD_GRACE, JobState
from assay_node.worker.errors import ImpossibleTransition
from assay_node.worker.lifecycle.events import (
    Confirmed,
    InputRejected,
    InputStored,
    InputVerified,
    JobView,
    Observed,
    ProofFailed,
    ProofStopped,
    Proved,
    Quoted,
    Refused,
    Restarted,
    Unservable,
)
from assay_node.worker.lifecycle.instructions import Action, CheckInput, Prove, Quote, Send, StopProving
from assay_node.worker.lifecycle.progress import (
    BiddingPolicy,
    InputState,
    JobProgress,
    ProofState,
    is_held,
)
from assay_node.worker.lifecycle.state import handle_event
from unit.node.worker.job_views import CEILING, ME, ME_, NOBODY, RIVAL

VIEWS = st.builds(
    JobView,
    state=st.sampled_from(list(JobState)),
    round=st.integers(0, 2),
    worker=st.sampled_from([ME, RIVAL, NOBODY]),
    price=st.integers(0, CEILING),
    deadline=st.integers(0, 200),
    max_price=st.just(CEILING),
    own_bid=st.none() | st.integers(0, CEILING),
    rounds=st.integers(1, 3),
    requester_awards=st.booleans(),
    accept_window=st.integers(1, 100),
    collateral=st.integers(0, 3),
    backing=st.integers(0, 3),
)
EVENTS = st.one_of(
    st.builds(Observed, VIEWS, st.integers(0, 200)),
    st.builds(Quoted, st.integers(0, 2), st.none() | st.integers(300, 600), st.integers(0, 300)),
    st.sampled_from(
        [
            InputStored(),
            InputVerified(),
            InputRejected("x"),
            Unservable("x"),
            Proved(),
            ProofStopped(),
            Restarted(),
        ]
    ),
    st.builds(ProofFailed, st.just("x"), st.integers(0, 200)),
    st.builds(Confirmed, st.sampled_from(list(Action))),
    st.builds(Refused, st.sampled_from(list(Action)), st.just("x"), st.integers(0, 200)),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(EVENTS, max_size=40), st.integers(0, 2))
def test_any_order_of_events_keeps_the_rules_or_is_refused(events, max_collateral):
    policy = replace(ME_, max_collateral=max_collateral)
    progress = JobProgress()
    for event in events:
        before = progress
        try:
            progress, out = handle_event(progress, event, policy)
        except ImpossibleTransition:
            continue
        assert JobProgress.from_json(json.loads(json.dumps(progress.to_json()))) == progress
        sends = [instruction for instruction in out if isinstance(instruction, Send)]
        assert len(sends) <= 1
        if not isinstance(event, Observed):
            assert not sends  # nothing is sent but on what the market says now
        for send in sends:
            assert not before.sending  # one transaction at a time
            assert progress.sending == send.key
            assert isinstance(event, Observed)
            check_send(send, progress, event.view, event.now, policy)
        for instruction in out:
            if isinstance(instruction, Prove):
                assert before.proof is ProofState.IDLE
                assert progress.input is InputState.VERIFIED
                assert is_held(event.view, policy, event.now)
            if isinstance(instruction, StopProving):
                assert before.proof is ProofState.RUNNING


def check_send(send: Send, progress: JobProgress, now_view: JobView, now: int, policy: BiddingPolicy) -> None:
    """What the contract would say to it, and what it would cost."""
    mine, late = now_view.worker == ME, now > now_view.deadline
    assert send.round == now_view.round
    match send.action:
        case Action.BID:
            assert now_view.state is JobState.OPEN
            assert not late
            assert not mine
            assert send.price is not None
            assert progress.ask is not None
            assert progress.floor <= send.price <= min(progress.ask, CEILING)
        case Action.AWARD:
            assert now_view.state is JobState.OPEN
            assert now_view.deadline < now <= now_view.deadline + AWARD_GRACE
            assert mine
            assert not now_view.requester_awards
        case Action.ACCEPT:
            assert now_view.state is JobState.AWARDED
            assert mine
            assert not late
            assert now >= policy.closes_at(now_view)  # never before it has to be
            assert now_view.collateral <= policy.max_collateral
            assert progress.input is InputState.VERIFIED
            assert progress.proof is not ProofState.READY
        case Action.DECLINE:
            assert now_view.state is JobState.AWARDED
            assert mine
            assert not late
        case Action.PROVE:
            assert now_view.state in (JobState.AWARDED, JobState.ACCEPTED)
            assert mine
            assert not late
            assert progress.proof is ProofState.READY
        case Action.LAPSE:
            assert now_view.state is JobState.AWARDED
            assert late
            assert not mine or now_view.backing
        case Action.EXPIRE:
            assert mine
            assert late
            if now_view.state is JobState.OPEN:
                assert now > now_view.deadline + AWARD_GRACE
            else:
                assert now_view.state is JobState.ACCEPTED


@dataclass
class World:
    """A market with one job of one round, a rival, re-orgs and a worker process that answers its
    instructions, or dies. `fails` makes every proof fail, as a doctored key does.
    """

    now: int = 0
    state: JobState = JobState.OPEN
    worker: str = NOBODY
    price: int = 0
    deadline: int = 20
    own_bid: int | None = None
    progress: JobProgress = field(default_factory=JobProgress)
    todo: list[Any] = field(default_factory=list)
    history: list[tuple[Any, ...]] = field(default_factory=list)
    paid: int = 0
    fails: bool = False
    locked: int = 0
    """How often collateral was locked."""

    def snapshot(self) -> None:
        self.history.append((self.state, self.worker, self.price, self.deadline, self.own_bid, self.paid))

    def reorg(self, depth: int) -> None:
        for _ in range(min(depth, len(self.history))):
            self.state, self.worker, self.price, self.deadline, self.own_bid, self.paid = self.history.pop()

    def tell(self, event: Any) -> None:
        self.progress, out = handle_event(self.progress, event, ME_)
        self.todo.extend(out)

    def look(self) -> None:
        self.tell(
            Observed(
                JobView(
                    self.state,
                    0,
                    self.worker,
                    self.price,
                    self.deadline,
                    CEILING,
                    self.own_bid,
                    rounds=1,
                    accept_window=30,
                    collateral=5,
                    backing=5,
                ),
                self.now,
            )
        )

    def send(self, send: Send) -> None:
        """The contract's rules, as in Market.sol."""
        mine, late = self.worker == ME, self.now > self.deadline
        after: tuple[JobState, str, int, int, int | None]
        match send.action:
            case Action.BID:
                assert send.price is not None
                ok = self.state is JobState.OPEN and not late and (not self.price or send.price < self.price)
                after = (JobState.OPEN, ME, send.price, self.deadline, send.price)
            case Action.AWARD:
                ok = self.state is JobState.OPEN and late and self.worker != NOBODY
                after = (JobState.AWARDED, self.worker, self.price, self.now + 30, self.own_bid)
            case Action.ACCEPT:
                ok = self.state is JobState.AWARDED and mine and not late
                after = (JobState.ACCEPTED, ME, self.price, self.now + 60, self.own_bid)
                self.locked += ok
            case Action.DECLINE:
                ok = self.state is JobState.AWARDED and mine and not late
                after = (JobState.REFUNDED, self.worker, self.price, self.deadline, self.own_bid)
            case Action.LAPSE:
                ok = self.state is JobState.AWARDED and late
                after = (JobState.REFUNDED, self.worker, self.price, self.deadline, self.own_bid)
            case Action.PROVE:
                ok = self.state in (JobState.AWARDED, JobState.ACCEPTED) and not late
                after = (JobState.SETTLED, self.worker, self.price, self.deadline, self.own_bid)
            case _:
                ok = self.state is JobState.ACCEPTED and late
                after = (JobState.EXPIRED, self.worker, self.price, self.deadline, self.own_bid)
        if not ok:
            self.tell(Refused(send.action, "reverted", self.now))
            return
        self.snapshot()
        self.state, self.worker, self.price, self.deadline, self.own_bid = after
        self.paid += send.action is Action.PROVE
        self.tell(Confirmed(send.action))

    def work(self, index: int) -> None:
        if not self.todo:
            return
        match self.todo.pop(index % len(self.todo)):
            case Quote(round_):
                self.tell(Quoted(round_, 500, 300))
            case Send() as send:
                self.send(send)
            case Prove():
                if self.progress.proof is ProofState.RUNNING:
                    self.tell(ProofFailed("it does not verify", self.now) if self.fails else Proved())
            case CheckInput():
                if self.progress.input is InputState.STORED:
                    self.tell(InputVerified())
            case StopProving():
                if self.progress.proof is ProofState.RUNNING:
                    self.tell(ProofStopped())

    def deliver(self) -> None:
        if self.worker == ME and self.state is JobState.AWARDED and self.progress.input is InputState.MISSING:
            self.tell(InputStored())

    def die(self) -> None:
        """The process ends; what it was to do is forgotten, what it stored is not."""
        self.todo.clear()
        self.progress = JobProgress.from_json(json.loads(json.dumps(self.progress.to_json())))
        self.tell(Restarted())


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("work"), st.integers(0, 5)),
            st.tuples(st.just("look"), st.just(0)),
            st.tuples(st.just("die"), st.just(0)),
            st.tuples(st.just("reorg"), st.integers(1, 3)),
            st.tuples(st.just("deliver"), st.just(0)),
            st.tuples(st.just("time"), st.integers(0, 3)),
        ),
        max_size=60,
    )
)
def test_through_any_weather_the_job_ends_and_is_paid_once(steps):
    world = World()
    for what, amount in steps:
        match what:
            case "work":
                world.work(amount)
            case "look":
                world.look()
            case "die":
                world.die()
            case "reorg":
                world.reorg(amount)
            case "deliver":
                world.deliver()
            case "time":
                world.now += amount
    # Calm: the process runs, the requester delivers, and time passes.
    for _ in range(400):
        world.look()
        while world.todo:
            world.work(0)
        world.deliver()
        world.now += 1
        if world.state.final:
            break
    assert world.paid <= 1
    assert world.locked == 0
    assert world.state.final or world.worker != ME
    if world.worker == ME:
        assert world.state in (JobState.SETTLED, JobState.REFUNDED)
        assert world.paid == (world.state is JobState.SETTLED)


def test_in_calm_weather_the_job_is_always_paid():
    world = World()
    for _ in range(100):
        world.look()
        while world.todo:
            world.work(0)
        world.deliver()
        world.now += 1
    assert (world.state, world.paid) == (JobState.SETTLED, 1)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["work", "look", "die", "deliver", "time"]), st.integers(0, 3))))
def test_a_proof_that_always_fails_locks_no_collateral_and_is_given_back_in_time(steps):
    world = World(fails=True)
    for what, amount in steps:
        match what:
            case "work":
                world.work(amount)
            case "look":
                world.look()
            case "die":
                world.die()
            case "deliver":
                world.deliver()
            case "time":
                world.now += amount
    for _ in range(200):
        world.look()
        while world.todo:
            world.work(0)
        world.deliver()
        world.now += 1
    assert (world.locked, world.paid) == (0, 0)
    assert world.state.final or world.worker != ME
