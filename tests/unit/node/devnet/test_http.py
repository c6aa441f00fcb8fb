"""The server: envelope, batches, refusals, and real clients."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from eth_typing import HexStr
from web3 import AsyncWeb3, HTTPProvider, Web3
from web3.exceptions import ContractCustomError
from web3.providers import AsyncHTTPProvider
from web3.types import Wei

from assay_node.devnet import Devnet, DevnetConfig, DevnetError, DevnetThread
from node_tools import foundry, needs_node

ROOT = Path(__file__).parents[4]
JSON = {"Content-Type": "application/json"}
ZERO = "0x" + "00" * 20


async def post(net, body: object, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with (
        aiohttp.ClientSession() as session,
        session.post(net.url, data=raw, headers=JSON if headers is None else headers) as response,
    ):
        text = await response.text()
        return response.status, json.loads(text) if response.content_type == "application/json" else text


def request(method: str, *params: object, key: object = 1) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": key, "method": method, "params": list(params)}


async def test_request_is_answered_with_its_id(net):
    for key in (1, "a", None):
        assert await post(net, request("eth_chainId", key=key)) == (
            200,
            {"jsonrpc": "2.0", "id": key, "result": "0x7a69"},
        )


async def test_batch_is_answered_in_order_and_each_fails_alone(net):
    batch = [request("eth_chainId"), request("no_such", key=2), 7, request("eth_blockNumber", key=3)]
    status, answers = await post(net, batch)
    assert status == 200
    assert [answer.get("result") for answer in answers] == ["0x7a69", None, None, "0x0"]
    assert [answer.get("error", {}).get("code") for answer in answers] == [None, -32601, -32600, None]


async def test_a_long_batch_leaves_others_their_turn(net):
    batch = [request("eth_getBalance", ZERO, "latest", key=key) for key in range(200)]
    long = asyncio.create_task(post(net, batch))
    await asyncio.sleep(0)
    answered = [await post(net, request("eth_chainId")) for _ in range(3)]
    assert all(status == 200 for status, _ in answered)
    assert not long.done()
    _, answers = await long
    assert [answer["id"] for answer in answers] == list(range(200))


async def test_an_answer_beyond_the_bound_is_refused_and_so_is_what_follows_in_its_batch(net, monkeypatch):
    monkeypatch.setattr("assay_node.devnet.rpc.dispatch.MAX_ANSWER_BYTES", 400)
    monkeypatch.setattr("assay_node.devnet.node.MAX_ANSWER_BYTES", 400)
    _, answer = await post(net, request("eth_getBlockByNumber", "latest", False))
    assert answer["error"]["code"] == -32003
    batch = [request("eth_chainId", key=key) for key in range(20)]
    _, answers = await post(net, batch)
    assert [answer["id"] for answer in answers] == list(range(20))
    assert [answer.get("error", {}).get("code") for answer in answers] == [None] * 16 + [-32003] * 4


async def test_notification_is_not_answered(net):
    assert await post(net, {"jsonrpc": "2.0", "method": "evm_mine"}) == (204, "")
    assert await net.rpc("eth_blockNumber") == "0x1"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff", -32700),
        (b"[" * 100_000, -32700),
        (b'{"jsonrpc":"2.0","id":NaN,"method":"eth_chainId"}', -32700),
        (b'{"id":1,"method":"eth_chainId","method":"evm_mine"}', -32700),
        (b"[]", -32600),
        (b"7", -32600),
        (b'{"id":1}', -32600),
        (b'{"id":1,"method":7}', -32600),
        (json.dumps([request("eth_chainId")] * 1001).encode(), -32600),
        (json.dumps(request("no_such")).encode(), -32601),
        (json.dumps(request("eth_getBalance")).encode(), -32602),
        (json.dumps(request("eth_chainId", 1)).encode(), -32602),
        (json.dumps({**request("eth_chainId"), "params": {"a": 1}}).encode(), -32602),
        (json.dumps(request("eth_getBalance", "0x12")).encode(), -32602),
        (json.dumps(request("eth_getBalance", 12)).encode(), -32602),
        (json.dumps(request("eth_getBlockByNumber", "0xzz", False)).encode(), -32602),
        (json.dumps(request("eth_getBlockByNumber", "0x-1", False)).encode(), -32602),
        (json.dumps(request("eth_getBlockByNumber", True, False)).encode(), -32602),
        (json.dumps(request("eth_getLogs", {"topics": [["0x12"]]})).encode(), -32602),
        (json.dumps(request("eth_call", [])).encode(), -32602),
    ],
)
async def test_bad_request_gets_its_error(net, body, code):
    status, answer = await post(net, body)
    assert status == 200
    assert answer["error"]["code"] == code
    assert "result" not in answer


async def test_web_page_cannot_reach_the_keys(net):
    body = json.dumps(request("eth_accounts")).encode()
    assert (await post(net, body, {"Content-Type": "text/plain"}))[0] == 415
    assert (await post(net, body, {**JSON, "Host": "attacker.example"}))[0] == 403
    assert (await post(net, body, {**JSON, "Host": "localhost:1234"}))[0] == 200


async def test_cors_is_for_allowed_origins_only(clock):
    async with Devnet(DevnetConfig(port=0, clock=clock, cors_origins=("http://explorer.example",))) as net:
        for origin, allowed in (("http://explorer.example", True), ("http://other.example", False)):
            async with (
                aiohttp.ClientSession() as session,
                session.options(net.url, headers={"Origin": origin}) as response,
            ):
                assert (response.headers.get("Access-Control-Allow-Origin") == origin) is allowed


async def test_oversized_body_is_refused(net):
    body = io.BytesIO(b" " * (5 * 1024 * 1024 + 1))
    async with (
        aiohttp.ClientSession() as session,
        session.post(net.url, data=body, headers=JSON) as response,
    ):
        assert response.status == 413


async def test_server_answers_many_clients_at_once(net, alice, sign):
    raws = [sign(alice, nonce=nonce) for nonce in range(20)]
    answers = await asyncio.gather(
        *(post(net, request("eth_sendRawTransaction", raw)) for raw in reversed(raws))
    )
    assert all("result" in answer for _, answer in answers)
    assert await net.rpc("eth_getTransactionCount", alice.address, "latest") == hex(20)


async def test_busy_port_is_one_clear_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DevnetError, match=rf"^127.0.0.1:{port} is in use: stop what listens there"):
            await Devnet(DevnetConfig(port=port)).start()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"host": "192.0.2.1"}, "not a loopback address"),
        ({"port": 70_000}, "port 70000"),
        ({"chain_id": 0}, "chain id 0"),
        ({"accounts": 0}, "0 accounts"),
        ({"block_time": 0}, "block time"),
        ({"gas_limit": 1}, "gas limit"),
    ],
)
def test_impossible_configuration_is_refused(fields, message):
    with pytest.raises(DevnetError, match=message):
        DevnetConfig(**fields)


async def test_invalid_mnemonic_is_refused():
    with pytest.raises(DevnetError, match="not a valid BIP-39 phrase"):
        await Devnet(DevnetConfig(port=0, mnemonic="test test test")).start()


async def test_web3_sends_reads_and_gets_revert_data(net, alice, bob, deploy, contracts):
    provider = AsyncHTTPProvider(net.url)
    web3 = AsyncWeb3(provider)
    try:
        assert await web3.is_connected()
        assert await web3.eth.chain_id == 31337
        tx_hash = await web3.eth.send_transaction({"from": alice.address, "to": bob.address, "value": Wei(3)})
        receipt = await web3.eth.wait_for_transaction_receipt(tx_hash)
        assert receipt["status"] == 1
        history = await web3.eth.fee_history(2, "latest", [50])
        assert history["oldestBlock"] == 0
        target = await deploy(contracts.reverter)
        with pytest.raises(ContractCustomError, match="0xdeadbeef"):
            await web3.eth.call({"to": web3.to_checksum_address(target), "data": HexStr("0xdeadbeef")})
    finally:
        await provider.disconnect()


def test_thread_serves_synchronous_clients():
    with DevnetThread(DevnetConfig(port=0)) as net:
        web3 = Web3(HTTPProvider(net.url))
        sender, target = net.accounts[:2]
        fields: dict[str, Any] = {"to": target.address, "value": 1, "gas": 21_000}
        fields["gasPrice"] = web3.eth.gas_price
        signed = sender.sign_transaction({**fields, "nonce": 0, "chainId": web3.eth.chain_id})
        receipt = web3.eth.wait_for_transaction_receipt(web3.eth.send_raw_transaction(signed.raw_transaction))
        assert receipt["status"] == 1
        (transaction,) = web3.eth.get_block("latest", full_transactions=True)["transactions"]
        assert not isinstance(transaction, bytes)
        assert transaction["hash"] == signed.hash


def test_thread_hands_over_why_it_did_not_start():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(DevnetError, match="is in use"):
            DevnetThread(DevnetConfig(port=taken.getsockname()[1])).start()


@pytest.mark.anvil
@needs_node
async def test_cast_works(net, alice, bob, deploy, contracts):
    async def cast(*arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            foundry("cast"), *arguments, "--rpc-url", net.url, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        output, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        return output.decode()

    assert (await cast("chain-id")).strip() == "31337"
    key = "0x" + bytes(alice.key).hex()
    sent = json.loads(await cast("send", bob.address, "--value", "1", "--private-key", key, "--json"))
    assert sent["status"] == "0x1"
    emitter = await deploy(contracts.emitter)
    data = "0x" + "aa" * 32 + "bb" * 33
    await cast("send", emitter, data, "--private-key", key)
    logs = json.loads(await cast("logs", "--from-block", "0", "--address", emitter, "--json"))
    assert [log["data"] for log in logs] == ["0xbb"]
    assert int(await cast("call", "0x" + "00" * 19 + "08", "0x"), 16) == 1
    assert json.loads(await cast("rpc", "evm_mine")) == "0x0"
    assert (await cast("block-number")).strip() == "4"
