"""Events: queries, filters, and that a query's cost is that of its answer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from assay_node.devnet import Devnet, DevnetConfig, RpcError
from assay_node.devnet.logs import LogFilter
from assay_node.devnet.store import Store, StoredLog

A, B, C = ("0x" + byte * 32 for byte in ("aa", "bb", "cc"))


def call_data(topic0: str, topic1: str, data: str = "") -> str:
    return topic0 + topic1[2:] + data


@pytest.fixture
async def emitters(net, alice, deploy, contracts):
    """Two emitters; blocks 3, 4, 5 hold one event each, block 6 two in two transactions."""
    first, second = [await deploy(contracts.emitter) for _ in range(2)]

    async def emit(target, topic0, topic1, data=""):
        fields = {
            "from": alice.address,
            "to": target,
            "data": call_data(topic0, topic1, data),
            "gas": "0x186a0",
        }
        return await net.rpc("eth_sendTransaction", fields)

    await emit(first, A, B, "01")
    await emit(first, B, C, "02")
    await emit(second, A, C, "03")
    await net.rpc("evm_setAutomine", False)
    nonce = int(await net.rpc("eth_getTransactionCount", alice.address, "latest"), 16)
    for index, target in enumerate((first, second)):
        fields = {
            "from": alice.address,
            "to": target,
            "data": call_data(C, A, f"0{4 + index}"),
            "gas": "0x186a0",
        }
        await net.rpc("eth_sendTransaction", {**fields, "nonce": hex(nonce + index)})
    await net.rpc("evm_mine")
    await net.rpc("evm_setAutomine", True)
    return first, second


async def select(net, **criteria) -> list[str]:
    logs = await net.rpc("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest", **criteria})
    return [log["data"] for log in logs]


async def test_filters_select_by_address_topic_and_range(net, emitters):
    first, second = emitters
    assert await select(net) == ["0x01", "0x02", "0x03", "0x04", "0x05"]
    assert await select(net, address=first) == ["0x01", "0x02", "0x04"]
    assert await select(net, address=[first, second]) == ["0x01", "0x02", "0x03", "0x04", "0x05"]
    assert await select(net, topics=[A]) == ["0x01", "0x03"]
    assert await select(net, topics=[[A, B]]) == ["0x01", "0x02", "0x03"]
    assert await select(net, topics=[None, C]) == ["0x02", "0x03"]
    assert await select(net, topics=[A, C]) == ["0x03"]
    assert await select(net, topics=[A], address=first) == ["0x01"]
    assert await select(net, topics=[None, None, None]) == []  # no event has three topics
    assert await select(net, topics=[None, None]) == await select(net, topics=[]) == await select(net)
    assert await select(net, fromBlock="0x4", toBlock="0x5") == ["0x02", "0x03"]
    assert await select(net, toBlock="0xffff") == await select(net)


async def test_logs_of_a_block_by_hash(net, emitters):
    block = await net.rpc("eth_getBlockByNumber", "0x6", False)
    logs = await net.rpc("eth_getLogs", {"blockHash": block["hash"]})
    assert [log["data"] for log in logs] == ["0x04", "0x05"]
    assert [log["logIndex"] for log in logs] == ["0x0", "0x1"]
    assert [log["transactionIndex"] for log in logs] == ["0x0", "0x1"]
    assert {log["blockHash"] for log in logs} == {block["hash"]}
    with pytest.raises(RpcError, match="unknown block"):
        await net.rpc("eth_getLogs", {"blockHash": A})
    with pytest.raises(RpcError, match="cannot specify both"):
        await net.rpc("eth_getLogs", {"blockHash": block["hash"], "fromBlock": "0x0"})


async def test_receipt_holds_its_own_logs(net, emitters):
    block = await net.rpc("eth_getBlockByNumber", "0x6", False)
    receipts = [await net.rpc("eth_getTransactionReceipt", tx_hash) for tx_hash in block["transactions"]]
    assert [[log["data"] for log in receipt["logs"]] for receipt in receipts] == [["0x04"], ["0x05"]]
    logs = await net.rpc("eth_getLogs", {"fromBlock": "0x6", "toBlock": "0x6"})
    assert logs == receipts[0]["logs"] + receipts[1]["logs"]
    bloom = int(block["logsBloom"], 16)
    assert bloom == int(receipts[0]["logsBloom"], 16) | int(receipts[1]["logsBloom"], 16)
    assert bloom != 0


async def test_inverted_range_is_refused(net):
    with pytest.raises(RpcError, match="invalid block range"):
        await net.rpc("eth_getLogs", {"fromBlock": "0x2", "toBlock": "0x1"})


async def test_range_beyond_the_head_is_empty(net):
    assert await net.rpc("eth_getLogs", {"fromBlock": "0x5", "toBlock": "0x9"}) == []


async def test_range_limit_is_a_public_providers(clock):
    async with Devnet(DevnetConfig(port=0, clock=clock, log_range_limit=10)) as net:
        await net.rpc("anvil_mine", 20)
        assert await net.rpc("eth_getLogs", {"fromBlock": "0x1", "toBlock": "0xa"}) == []
        with pytest.raises(RpcError, match="query exceeds max block range 10"):
            await net.rpc("eth_getLogs", {"fromBlock": "0x1", "toBlock": "0xb"})


async def test_log_filter_reports_each_event_once(net, alice, deploy, contracts):
    target = await deploy(contracts.emitter)
    key = await net.rpc("eth_newFilter", {"address": target})
    blocks = await net.rpc("eth_newBlockFilter")
    fields = {"from": alice.address, "to": target, "gas": "0x186a0"}
    await net.rpc("eth_sendTransaction", {**fields, "data": call_data(A, B, "01")})
    await net.rpc("eth_sendTransaction", {**fields, "data": call_data(A, B, "02")})
    assert [log["data"] for log in await net.rpc("eth_getFilterChanges", key)] == ["0x01", "0x02"]
    assert await net.rpc("eth_getFilterChanges", key) == []
    hashes = [(await net.rpc("eth_getBlockByNumber", hex(number), False))["hash"] for number in (2, 3)]
    assert await net.rpc("eth_getFilterChanges", blocks) == hashes
    assert await net.rpc("eth_uninstallFilter", key) is True
    with pytest.raises(RpcError, match="filter not found"):
        await net.rpc("eth_getFilterChanges", key)


async def test_pending_transaction_filter_reports_each_hash_once(net, alice, sign):
    key = await net.rpc("eth_newPendingTransactionFilter")
    mined = await net.rpc("eth_sendRawTransaction", sign(alice))
    await net.rpc("evm_setAutomine", False)
    waiting = await net.rpc("eth_sendRawTransaction", sign(alice, nonce=1))
    assert await net.rpc("eth_getFilterChanges", key) == [mined, waiting]
    await net.rpc("evm_mine")
    assert await net.rpc("eth_getFilterChanges", key) == []


@pytest.mark.parametrize(
    ("log_filter", "index"),
    [
        (LogFilter(0, 10**6, (b"\x01" * 20,)), "logs_by_address"),
        (LogFilter(0, 10**6, (), ((b"\x01" * 32,),)), "logs_by_topic0"),
        (LogFilter(0, 10**6, (), ((), (b"\x01" * 32,))), "logs_by_topic1"),
    ],
)
def test_a_query_walks_an_index_and_not_the_chain(log_filter, index):
    plans: list[str] = []

    class Explained(Store):
        def select_logs(self, condition: str, values: Sequence[int | bytes]) -> list[StoredLog]:
            query = f"EXPLAIN QUERY PLAN SELECT * FROM logs WHERE {condition}"  # noqa: S608 - our own text
            plans.extend(str(row[3]) for row in self._connection.execute(query, values))
            return super().select_logs(condition, values)

    store = Explained(None)
    assert log_filter.select(store) == []
    assert any(index in plan and "block>? AND block<?" in plan for plan in plans), plans
    store.close()
