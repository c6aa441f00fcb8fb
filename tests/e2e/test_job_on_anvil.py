"""The whole job on a real client, every participant a process, one of them killed in the middle."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from assay_node.chain import BidPlaced, Chain, Deployment, Job, JobSettled, JobState, Rpc
from assay_node.client import job_events
from node_tools import needs_node

PATIENCE = 120.0
BID_WINDOW = 3600
MODELS = Path(__file__).parents[1] / "vectors" / "models"


def set_up_worker(assay: Any, name: str, index: int, bundle: Path, port: int, margin: int) -> Path:
    """Keys, configuration, registration and stake of a worker; returns its configuration."""
    assay.key(name, index)
    config: Path = assay.home / name / "worker.json"
    ports = ("--inbox-port", port, "--metrics-port", port + 1)
    assay("worker", "init", bundle, "-c", config, "--key", name, "--margin", margin, *ports)
    shown = assay("worker", "register", "--stake", "1ether", "-c", config, "--json").json
    assert shown["registered"]
    assert shown["stake_wei"] == 10**18
    return config


def address_of(config: Path) -> str:
    """The worker's address in lower case, as its keystore has it."""
    keystore = json.loads(Path(json.loads(config.read_text())["keystore"]).read_text())
    return "0x" + str(keystore["address"]).removeprefix("0x").lower()


def reach(assay: Any, job_id: bytes, *states: JobState, bidders: Collection[str] = ()) -> Job:
    """The job, once it is in one of these states.

    If bidders are given, the chain is moved past the bidding as soon as each of them has a bid, however busy
    the machine is.
    """

    deadline = time.monotonic() + PATIENCE

    async def wait() -> Job:
        file = next((assay.home / "deployments").glob("*.json"))
        async with Rpc(assay.rpc) as node:
            chain = await Chain.connect(node, Deployment.load(file))
            for bidder in bidders:
                while not (await chain.market.bid_of(job_id, to_checksum_address(bidder))).standing:
                    assert time.monotonic() < deadline, f"{bidder} has not bid"
                    await asyncio.sleep(0.03)
            if bidders:
                await node.request("evm_increaseTime", BID_WINDOW + 1)
                await node.request("evm_mine")
            while time.monotonic() < deadline:
                job = await chain.market.job_of(job_id)
                if job.state in states:
                    return job
                await asyncio.sleep(0.03)
        raise AssertionError(f"the job is {job.state.name} and not {[state.name for state in states]}")

    return asyncio.run(wait())


def look(assay: Any, job_id: bytes) -> tuple[list[Any], dict[str, int]]:
    """The job's events, and vault balances by address."""

    async def ask() -> tuple[list[Any], dict[str, int]]:
        file = next((assay.home / "deployments").glob("*.json"))
        async with Rpc(assay.rpc) as node:
            chain = await Chain.connect(node, Deployment.load(file))
            events = await job_events(chain, job_id)
            workers = {event.worker for event in events if isinstance(event, BidPlaced)}
            return events, {worker: await chain.vault.balance_of(worker) for worker in workers}

    return asyncio.run(ask())


@needs_node
@pytest.mark.anvil
@pytest.mark.slow
def test_a_killed_worker_finishes_its_job_and_is_paid_once(
    assay: Any, anvil: Any, bundle: Path, tmp_path: Path
) -> None:
    assay.key("publisher", 0)
    assay.key("asker", 1)
    assay("deploy", "--key", "publisher")
    royalty = ("--royalty", 500)
    model = assay("model", "publish", bundle, *royalty, "--key", "publisher", "--json").json["model_id"]
    from_free = 20_000 + (anvil.pid % 1000) * 20
    configs = {
        name: set_up_worker(assay, name, index, bundle, from_free + 4 * index, margin)
        for name, index, margin in (("one", 2, 20), ("two", 3, 60))
    }
    running = {
        name: assay.start("worker", "run", "-c", config, log=tmp_path / f"{name}.log")
        for name, config in configs.items()
    }
    posted = assay(
        "job", "submit", bundle, "--model", model, "--input", MODELS / "bc_mlp.npz", "--row", 4,
        "--max-price", "0.1ether", "--collateral", "0.1ether", "--bid-window", BID_WINDOW, "--no-follow",
        "--key", "asker", "--json",
    ).json  # fmt: skip
    job_id = bytes.fromhex(posted["job_id"][2:])
    asker = assay.start(
        "job", "status", posted["job_id"], "--follow", "--allow-local", "--key", "asker", "--json",
        log=tmp_path / "asker.log",
    )  # fmt: skip

    names = {address_of(config): name for name, config in configs.items()}
    job = reach(assay, job_id, JobState.AWARDED, JobState.SETTLED, bidders=names)
    assert job.state is JobState.AWARDED, "the job was over before the worker could be killed"
    winner = names[job.worker.lower()]
    running[winner].send_signal(signal.SIGKILL)
    assert running[winner].wait() == -signal.SIGKILL
    running[winner] = assay.start(
        "worker", "run", "-c", configs[winner], log=tmp_path / f"{winner}-again.log"
    )
    reach(assay, job_id, JobState.SETTLED)
    assert asker.wait(60) == 0

    events, balances = look(assay, job_id)
    settled = [event for event in events if isinstance(event, JobSettled)]
    assert len(settled) == 1
    assert len(balances) == 2, "only one worker has bid"
    assert balances[settled[0].worker] == settled[0].price - settled[0].royalty
    assert sum(balances.values()) == settled[0].price - settled[0].royalty
    status = assay("worker", "status", "-c", configs[winner], "--json").json
    assert (status["completed"], status["failed"], status["missed"], status["reserved_wei"]) == (1, 0, 0, 0)

    answer = assay("job", "result", posted["job_id"], "--key", "asker", "--json").json
    assert answer["verified"] is True
    assert answer["label"] == 0  # the record's diagnosis: malignant
    evidence = tmp_path / "evidence"
    assert assay("verify", posted["job_id"], "--save", evidence, "--json").json["verified"] is True
    assay.rpc = "http://127.0.0.1:1"  # from here on there is no chain
    alone = assay("verify", "--proof", evidence / "proof.json", "--key", evidence / "verifying.key", "--json")
    assert alone.json["verified"] is True
