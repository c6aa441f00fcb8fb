"""In what order things are done: by deadline in hand, and for strangers in turn."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_node.worker.agenda import Agenda, FairQueue
from assay_node.worker.lifecycle.instructions import Action, Instruction, Prove, Send


def test_the_nearest_deadline_is_first_and_equal_ones_keep_their_order() -> None:
    agenda = Agenda()
    jobs: list[tuple[int, bytes, Instruction]] = [
        (30, b"a", Send(Action.PROVE, 0)),
        (10, b"b", Prove(10)),
        (10, b"c", Send(Action.DECLINE, 0)),
        (20, b"b", Send(Action.PROVE, 0)),
    ]
    for deadline, job_id, instruction in jobs:
        agenda.add(deadline, job_id, instruction)
    assert [agenda.pop()[0] for _ in range(len(agenda))] == [b"b", b"c", b"b", b"a"]
    with pytest.raises(IndexError):
        agenda.pop()


def key(number: int) -> bytes:
    return number.to_bytes(4, "big")


def test_one_requester_with_a_thousand_jobs_delays_another_by_one() -> None:
    queue: FairQueue[int] = FairQueue()
    for number in range(1000):
        queue.add("flood", key(number), number)
    for _ in range(5):
        queue.pop()
    queue.add("honest", key(5000), -1)
    assert -1 in [queue.pop()[1] for _ in range(3)]


def test_a_thousand_requesters_with_a_job_each_delay_the_next_by_one() -> None:
    queue: FairQueue[int] = FairQueue()
    for number in range(1000):
        queue.add(f"sybil{number}", key(number), number)
    queue.pop()
    queue.add("honest", key(5000), -1)
    assert -1 in [queue.pop()[1] for _ in range(2)]


def test_the_oldest_is_served_though_newer_ones_keep_arriving() -> None:
    queue: FairQueue[int] = FairQueue()
    queue.add("patient", key(0), 0)
    queue.add("x", key(1), 1)
    served = []
    for number in range(2, 8):
        queue.add(f"new{number}", key(number), number)
        served.append(queue.pop()[1])
    assert 0 in served


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30), st.booleans()), max_size=80))
def test_everything_listed_is_given_once(steps: list[tuple[int, int, bool]]) -> None:
    queue: FairQueue[int] = FairQueue()
    listed: dict[bytes, int] = {}
    given_: Counter[bytes] = Counter()
    added: Counter[bytes] = Counter()
    for owner, number, take in steps:
        job = key(owner * 100 + number)
        if job not in listed:
            added[job] += 1
        listed[job] = number
        queue.add(f"owner{owner}", job, number)
        if take:
            taken, item = queue.pop()
            assert listed.pop(taken) == item
            given_[taken] += 1
        assert len(queue) == len(listed)
    while queue:
        taken, item = queue.pop()
        assert listed.pop(taken) == item
        given_[taken] += 1
    assert not listed
    assert given_ == added
