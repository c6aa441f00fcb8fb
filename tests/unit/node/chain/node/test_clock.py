"""Deadlines are judged by the chain's time, whatever this machine's clock says."""

from __future__ import annotations

import pytest

from assay_node.chain import ChainClock, Header

HOUR = 3600
GENESIS = 1_700_000_000


class Times:
    """A wall clock that is off, and a monotonic one that is not."""

    def __init__(self, off: int) -> None:
        self.passed = 0.0
        self.off = off

    def wall(self) -> float:
        return GENESIS + self.off + self.passed

    def monotonic(self) -> float:
        return 7.0 + self.passed


def header(number: int, timestamp: int) -> Header:
    return Header(number, number.to_bytes(32, "big"), bytes(32), timestamp, 0)


@pytest.mark.parametrize("off", [-HOUR, 0, HOUR, 365 * 24 * HOUR])
def test_a_wrong_wall_clock_is_out_of_it_once_a_block_was_seen_to_arrive(off: int) -> None:
    times = Times(off)
    clock = ChainClock(times.wall, times.monotonic)
    for number in range(1, 5):
        clock.see(header(number, GENESIS + 12 * number))
        for _ in range(12):
            times.passed += 1
            clock.see(header(number, GENESIS + 12 * number))
    assert clock.now() == GENESIS + 60
    times.passed += 600  # no blocks for a while
    assert clock.now() == GENESIS + 660


def test_an_old_newest_block_does_not_hold_the_time_back() -> None:
    times = Times(0)
    clock = ChainClock(times.wall, times.monotonic)
    clock.see(header(1, GENESIS - HOUR))
    times.passed += 5
    clock.see(header(1, GENESIS - HOUR))
    assert clock.now() == GENESIS + 5


def test_a_block_found_after_a_long_absence_was_not_seen_to_arrive() -> None:
    times = Times(0)
    clock = ChainClock(times.wall, times.monotonic)
    clock.see(header(1, GENESIS - 2 * HOUR))
    times.passed += HOUR  # the node was away
    clock.see(header(2, GENESIS - HOUR))
    assert clock.now() == GENESIS + HOUR


def test_a_chain_ahead_of_the_wall_clock_is_believed() -> None:
    times = Times(0)
    clock = ChainClock(times.wall, times.monotonic)
    clock.see(header(1, GENESIS + HOUR))
    times.passed += 3
    assert clock.now() == GENESIS + HOUR + 3
