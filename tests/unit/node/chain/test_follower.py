"""The event cursor: every event once, in order, through re-orgs, range caps, crashes and lagging nodes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from eth_utils.crypto import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay_node.chain import (
    ChainError,
    Confirmations,
    Database,
    FinalityPolicy,
    Follower,
    JobEvent,
    Log,
    RpcError,
    interface,
    listening,
)
from assay_node.chain.contracts.events import JobLapsed
from assay_node.chain.follower import SCHEMA
from assay_node.chain.node.finality import QUIET

MARKET = "0x" + "Aa" * 20
TOPIC = keccak(text="JobLapsed(bytes32,address,uint8)")


DEPTH_2 = FinalityPolicy(confirmations=2, final_after=4)


def emit(node: Any, number: int) -> None:
    node.log(MARKET, [TOPIC, number.to_bytes(32, "big"), (7).to_bytes(32, "big")], bytes(32))


def follower_of(node: Any, database: Database, **options: Any) -> Follower:
    return Follower(node, database, "t", {MARKET: interface("Market")}, start=1, **options)


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "f.db", (SCHEMA,))
    yield database
    database.close()


class Reader:
    """What a node makes of the events: the ids of the blocks that are still there."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def apply(self, batch: Any) -> None:
        if batch.rewound_to is not None:
            self.seen = [entry for entry in self.seen if entry[0] <= batch.rewound_to]
        for event in batch.events:
            assert isinstance(event, JobLapsed)
            entry = (event.origin.block_number, int.from_bytes(event.job_id, "big"))
            if entry not in self.seen:
                self.seen.append(entry)

    async def drain(self, follower: Follower, limit: int = 200) -> None:
        for _ in range(limit):
            batch = await follower.poll()
            if batch is None:
                return
            self.apply(batch)
            follower.commit(batch)
        pytest.fail("the follower never comes to rest")


async def test_reads_events_in_order_once(node, database):
    for number in range(5):
        node.mine(0)
        emit(node, number)
    follower, reader = follower_of(node, database), Reader()
    await reader.drain(follower)
    assert [number for _, number in reader.seen] == [0, 1, 2, 3, 4]
    assert follower.position == 5
    assert await follower.poll() is None


async def test_uncommitted_batch_is_delivered_again(node, database):
    node.mine(0)
    emit(node, 1)
    follower = follower_of(node, database)
    first = await follower.poll()
    assert first is not None
    assert await follower.poll() == first
    follower.commit(first)
    assert await follower.poll() is None


async def test_cursor_survives_a_restart(node, tmp_path):
    for number in range(3):
        node.mine(0)
        emit(node, number)
    database = Database(tmp_path / "r.db", (SCHEMA,))
    reader = Reader()
    await reader.drain(follower_of(node, database))
    database.close()
    node.mine(0)
    emit(node, 3)
    database = Database(tmp_path / "r.db", (SCHEMA,))
    follower = follower_of(node, database)
    assert follower.position == 3
    batch = await follower.poll()
    assert batch is not None
    (event,) = batch.events
    assert isinstance(event, JobEvent)
    assert int.from_bytes(event.job_id, "big") == 3
    database.close()


async def test_waits_for_confirmations(node, database):
    node.mine(0)
    emit(node, 1)
    follower = follower_of(node, database, confirmations=Confirmations(DEPTH_2))
    node.mine(0)
    assert await follower.poll() is None
    node.mine(0)
    batch = await follower.poll()
    assert batch is not None
    assert len(batch.events) == 1


async def test_confirmations_are_not_waited_for_where_no_block_comes(node, database, clock):
    node.mine(0)
    emit(node, 1)
    follower = follower_of(node, database, confirmations=Confirmations(DEPTH_2, clock))
    told: list[str] = []
    with listening(told.append):
        for _ in range(int(QUIET)):
            assert await follower.poll() is None
            clock.now += 1
    assert any("waiting for 2 blocks to follow" in text for text in told)
    batch = await follower.poll()
    assert batch is not None
    assert len(batch.events) == 1
    follower.commit(batch)
    node.mine(0)
    emit(node, 2)
    assert await follower.poll() is None  # blocks come again, and are waited for again


async def test_reorg_is_noticed_and_rewound(node, database):
    for number in range(4):
        node.mine(0)
        emit(node, number)
        if number == 1:
            follower, reader = follower_of(node, database), Reader()
            await reader.drain(follower)
    await reader.drain(follower)
    node.reorg(2)
    emit(node, 99)
    await reader.drain(follower)
    assert reader.seen == [(1, 0), (2, 1), (4, 99)]


async def test_reorg_below_every_kept_position_starts_over(node, database):
    for number in range(4):
        node.mine(0)
        emit(node, number)
    follower, reader = follower_of(node, database), Reader()
    await reader.drain(follower)  # one batch, hence one position
    node.reorg(3)
    batch = await follower.poll()
    assert batch is not None
    assert batch.rewound_to == 0
    reader.apply(batch)
    follower.commit(batch)
    await reader.drain(follower)
    assert reader.seen == [(1, 0)]


async def test_long_ranges_are_split_until_the_node_takes_them(node, database):
    for number in range(50):
        node.mine(0)
        emit(node, number)
    node.range_limit = 3
    follower, reader = follower_of(node, database, max_range=1000), Reader()
    await reader.drain(follower)
    assert [number for _, number in reader.seen] == list(range(50))


async def test_refusal_of_a_single_block_is_an_error(node, database):
    node.mine(0)
    node.range_limit = 0
    with pytest.raises(RpcError):
        await follower_of(node, database).poll()


async def test_reorg_between_header_and_logs_gives_nothing(node, database):
    node.mine(0)
    emit(node, 1)
    follower = follower_of(node, database)

    def reorganise(method: str) -> None:
        node.after = lambda _: None
        node.reorg(1)

    node.after = reorganise
    assert await follower.poll() is None
    reader = Reader()
    await reader.drain(follower)
    assert reader.seen == []


async def test_node_behind_is_waited_for_then_believed(node, database):
    for number in range(4):
        node.mine(0)
        emit(node, number)
        if number == 1:
            follower, reader = follower_of(node, database), Reader()
            await reader.drain(follower)
    await reader.drain(follower)
    cut = node.blocks[3:]
    del node.blocks[3:]
    for _ in range(5):
        assert await follower.poll() is None  # may be a lagging backend
    node.blocks.extend(cut)
    assert await follower.poll() is None
    del node.blocks[3:]
    batches = [await follower.poll() for _ in range(6)]
    assert batches[-1] is not None
    assert batches[-1].rewound_to == 2


async def test_logs_out_of_range_are_refused(node, database):
    node.mine(0)

    async def lie(first: int, last: int, addresses: Any) -> list[Log]:
        return [Log(MARKET, (TOPIC,), b"", last + 1, bytes(32), bytes(32), 0)]

    node.logs = lie
    with pytest.raises(ChainError, match="outside the range"):
        await follower_of(node, database).poll()


async def test_foreign_logs_are_passed_over(node, database):
    node.mine(0)
    node.log(MARKET, [bytes(32)])
    node.log("0x" + "bB" * 20, [TOPIC, bytes(32), bytes(32)], bytes(32))
    batch = await follower_of(node, database).poll()
    assert batch is not None
    assert batch.events == ()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("mine"), st.integers(1, 4)),
            st.tuples(st.just("reorg"), st.integers(1, 6)),
            st.tuples(st.just("poll"), st.booleans()),
            st.tuples(st.just("cap"), st.integers(1, 5)),
        ),
        max_size=40,
    )
)
def test_any_history_ends_in_the_canonical_events(steps, new_node, tmp_path_factory):
    async def run() -> None:
        node = new_node()
        database = Database(":memory:", (SCHEMA,))
        follower, reader = follower_of(node, database), Reader()
        serial = 0
        for what, amount in steps:
            if what == "mine":
                for _ in range(amount):
                    node.mine(0)
                    serial += 1
                    emit(node, serial)
            elif what == "reorg":
                node.reorg(amount)
                serial += 1
                emit(node, serial)
            elif what == "cap":
                node.range_limit = amount
            else:
                batch = await follower.poll()
                if batch is not None:
                    reader.apply(batch)
                    if amount:  # else the reader dies before the commit
                        follower.commit(batch)
        await reader.drain(follower)
        canonical = [
            (log.block_number, int.from_bytes(log.topics[1], "big"))
            for block in node.blocks[1:]
            for log in block.logs
        ]
        assert sorted(reader.seen) == sorted(canonical)
        database.close()

    asyncio.run(run())
