"""The answers of six clients, each field left out or changed in turn: read as they are, or refused in words.

`tests/vectors/clients` has an answer of each client to each method the node uses, in the shape that the
client's public specification gives it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from aiohttp import web

from assay_node.chain import ChainError, Rpc, RpcError, decode_revert
from assay_node.chain.node import answers, types
from assay_node.chain.node.node_errors import is_busy, revert_data, rpc_error
from faults.kinds import Call, Json
from faults.lies import Liar, Lie, lies_at, spots_of, told
from faults.proxy import Exchange

FOLDER = Path(__file__).parents[4] / "vectors" / "clients"
CLIENTS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
BLOCK = 0x15A9D3C
TX = bytes.fromhex("71" * 32)
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
SENDER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
LIAR = Liar("0x" + "66" * 20, b"\x66" * 32, "http://127.0.0.1:6", SENDER, b"\x77" * 32, "http://127.0.0.1:7")

number = partial(answers.count, field="the result")
amount = partial(answers.quantity, field="the result")
data = partial(answers.data, field="the result")
READERS: dict[str, list[Callable[[object], Any]]] = {
    "eth_chainId": [number],
    "eth_blockNumber": [number],
    "eth_getBlockByNumber": [
        answers.header_at("latest"),
        answers.header_at("finalized"),
        answers.header_at(BLOCK),
    ],
    "eth_getLogs": [answers.logs_in(BLOCK, BLOCK, [CONTRACT])],
    "eth_getTransactionReceipt": [answers.receipt_of(TX)],
    "eth_getTransactionCount": [number],
    "eth_getBalance": [amount],
    "eth_getCode": [data],
    "eth_call": [data],
    "eth_estimateGas": [answers.gas],
    "eth_gasPrice": [amount],
    "eth_feeHistory": [answers.fee_history],
    "eth_sendRawTransaction": [data],
    "web3_clientVersion": [partial(answers.text, field="the result")],
}
ASKED: dict[str, Callable[[Rpc], Any]] = {
    "eth_chainId": lambda node: node.chain_id(),
    "eth_blockNumber": lambda node: node.block_number(),
    "eth_getBlockByNumber": lambda node: node.header(BLOCK),
    "eth_getLogs": lambda node: node.logs(BLOCK, BLOCK, [CONTRACT]),
    "eth_getTransactionReceipt": lambda node: node.receipt(TX),
    "eth_getTransactionCount": lambda node: node.nonce(SENDER),
    "eth_getBalance": lambda node: node.balance(SENDER),
    "eth_getCode": lambda node: node.code(CONTRACT),
    "eth_call": lambda node: node.call(CONTRACT, b"\x01"),
    "eth_estimateGas": lambda node: node.estimate_gas(SENDER, CONTRACT, b"", 0),
    "eth_feeHistory": lambda node: node.fee_history(3, 50.0),
    "eth_sendRawTransaction": lambda node: node.send_raw(b"\x02"),
    "web3_clientVersion": lambda node: node.client_version(),
}


def lies(client: str, method: str) -> Iterator[Lie]:
    answer = {"result": CLIENTS[client]["results"][method]}
    for spot in spots_of([Exchange(method, [], answer)]):
        yield from lies_at(spot)


def lied(client: str, lie: Lie) -> Json:
    method = lie.spot.method.split()[0]
    answer = {"result": CLIENTS[client]["results"][method]}
    return told(Lie(lie.spot, lie.way), Call(lie.spot.method, None, 1, 1), answer, LIAR)


def assert_typed(value: Any) -> None:
    """A dataclass has in each field what its annotation says."""
    if not is_dataclass(value):
        return
    hints = get_type_hints(type(value), vars(types))
    for field in fields(value):
        given, hint = getattr(value, field.name), hints[field.name]
        if field.name in ("topics", "logs"):
            for entry in given:
                assert isinstance(entry, bytes | types.Log)
                assert_typed(entry)
        else:
            assert isinstance(given, hint), (field.name, given)
            assert not isinstance(given, bool) or hint is bool


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("method", READERS)
def test_an_answer_is_read_as_it_is(client: str, method: str) -> None:
    for read in READERS[method]:
        value = read(CLIENTS[client]["results"][method])
        assert value or value == 0
        assert_typed(value)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_receipt_of_a_failure_that_has_logs_is_refused(client: str) -> None:
    """A revert takes its logs back; who believes in one would post or bid again."""
    receipt = CLIENTS[client]["results"]["eth_getTransactionReceipt"]
    assert receipt["logs"]
    with pytest.raises(answers.Malformed, match="says has failed"):
        answers.receipt_of(TX)({**receipt, "status": "0x0"})
    failed = answers.receipt_of(TX)({**receipt, "status": "0x0", "logs": []})
    assert failed is not None
    assert not failed.succeeded


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("method", READERS)
def test_each_field_changed_in_turn_is_read_or_refused_in_words(client: str, method: str) -> None:
    for lie in lies(client, method):
        answer = lied(client, lie)
        for read in READERS[method]:
            refusal, value = "", None
            try:
                value = read(answer.get("result"))
            except answers.Malformed as error:
                refusal = str(error)
                assert refusal, lie
            assert len(refusal) < 300, lie
            assert "\n" not in refusal, lie
            for entry in value if isinstance(value, list) else [value]:
                assert_typed(entry)


@pytest.mark.parametrize("client", CLIENTS)
def test_an_error_keeps_its_code_and_what_it_means(client: str) -> None:
    errors = CLIENTS[client]["errors"]
    revert = rpc_error("eth_call", errors["revert"])
    assert "nope" in str(decode_revert(revert_data(revert) or b"", []))
    for name, error in errors.items():
        found = rpc_error("eth_getLogs" if name in ("range", "results") else "eth_call", error)
        assert found.code == error["code"]
        assert (revert_data(found) is not None) == (name in ("revert", "older")), name
        assert is_busy(found) == (name in ("limit", "rate", "timeout")), name


@pytest.mark.parametrize("client", CLIENTS)
def test_an_error_with_each_field_changed_is_still_one(client: str) -> None:
    for error in CLIENTS[client]["errors"].values():
        for spot in spots_of([Exchange("m", [], {"result": error})]):
            for lie in lies_at(spot):
                changed = told(lie, Call("m", [], 1, 1), {"result": error}, LIAR).get("result")
                found = rpc_error("eth_call", changed)
                revert_data(found)
                is_busy(found)
                assert isinstance(found.code, int)
                assert str(found)


@pytest.fixture
async def node() -> Any:
    """A node over HTTP whose next answer is what `served` holds."""
    served: dict[str, Any] = {}

    async def post(request: web.Request) -> web.Response:
        body = await request.json()
        return web.json_response({"jsonrpc": "2.0", "id": body["id"], **served})

    application = web.Application()
    application.router.add_post("/", post)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with Rpc(f"http://127.0.0.1:{runner.addresses[0][1]}") as rpc:
        yield rpc, served
    await runner.cleanup()


@pytest.mark.parametrize("client", CLIENTS)
async def test_over_http_nothing_but_an_error_of_the_chain_comes_of_a_changed_answer(
    client: str, node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay_node.chain.node.rpc.READ_ATTEMPTS", 1)
    rpc, served = node
    for method, ask in ASKED.items():
        every = list(lies(client, method))
        for lie in every[:: max(1, len(every) // 12)]:
            served.clear()
            served.update(lied(client, lie))
            rpc._chain_id = None
            with contextlib.suppress(ChainError, RpcError):
                await ask(rpc)
