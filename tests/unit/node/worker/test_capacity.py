"""What is due later delays nothing that is due sooner, however much of it there is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay_node.worker.pricing.capacity import Capacity, Load, Pace

LOADS = st.lists(st.builds(Load, st.integers(0, 50), st.integers(0, 20).map(float)), max_size=20)


@given(LOADS, st.integers(0, 50))
def test_a_job_waits_for_what_is_due_before_it_and_for_nothing_else(loads: list[Load], due: int) -> None:
    before = [load for load in loads if load.due <= due]
    expected = (sum(load.seconds for load in before), len(before))
    assert Capacity.of(loads).ahead(due) == expected
    grown = Capacity()
    for load in loads:
        grown.add(load)
    assert grown.ahead(due) == expected


def test_a_thousand_jobs_of_next_week_leave_today_free() -> None:
    capacity = Capacity.of(Load(7 * 86_400, 600.0) for _ in range(1000))
    assert capacity.ahead(86_400) == (0.0, 0)


def test_the_pace_follows_what_is_measured() -> None:
    pace = Pace()
    assert (pace.inclusion, pace.sending) == (0.0, 0.0)
    pace = pace.mined(10.0).sent(1.0)
    assert (pace.inclusion, pace.sending) == (10.0, 1.0)
    pace = pace.mined(20.0).sent(2.0)
    assert 10.0 < pace.inclusion < 20.0
    assert 1.0 < pace.sending < 2.0
