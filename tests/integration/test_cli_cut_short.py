"""Commands that are cut short, by Ctrl-C or by a full disk: nothing half done is left, nothing is lost."""

from __future__ import annotations

import asyncio
import itertools
import json
import resource
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay_node.chain import Outbox, Receipt
from assay_node.chain.database import Database
from assay_node.cli import console, main
from assay_node.cli.commands.job import watch as job_command
from assay_node.cli.exit_codes import ExitCode
from assay_node.cli.progress import Progress
from assay_node.devnet import DevnetThread

Assay = Callable[..., tuple[str, str]]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A limit on the size of files, which stands for a full disk; Python ignores the signal with it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def fill_disk(patch: pytest.MonkeyPatch, size: int) -> None:
    """Limits the files of databases alone: what commands print goes to files here, too."""
    for name in ("__init__", "_run"):
        honest = getattr(Database, name)

        def limited(*arguments: Any, honest: Any = honest) -> Any:
            with files_of_at_most(size):
                return honest(*arguments)

        patch.setattr(Database, name, limited)


def rpc(net: DevnetThread, method: str, *params: object) -> None:
    """Asks the devnet, which runs on a thread of its own, without an event loop."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(net.url, body, {"Content-Type": "application/json"})  # noqa: S310 - http
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        assert "error" not in json.load(answer)


@pytest.fixture
def submit(assay: Assay, net: DevnetThread, bc_mlp: Any, tmp_path: Path) -> tuple[object, ...]:
    """The command that posts a job."""
    assay("deploy")
    model = json.loads(assay("model", "publish", bc_mlp.bundle.path, "--json")[0])["model_id"]
    np.save(tmp_path / "input.npy", bc_mlp.x[0])
    where = ("--model", model, "--input", tmp_path / "input.npy")
    return ("job", "submit", bc_mlp.bundle.path, *where, "--max-price", "1gwei", "--bid-window", "1h")


# Ctrl-C


@pytest.fixture(autouse=True)
def terminal() -> Iterator[None]:
    """SIGINT as at a terminal: where tests run in the background they inherit that it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_while_following_leaves_the_job_which_can_be_followed_on(
    assay: Assay, net: DevnetThread, submit: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = console.note

    def interrupted(message: str) -> None:
        honest(message)
        if message.startswith("open for bids"):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(job_command, "note", interrupted)
    _, said = assay(*submit, "--allow-local", code=ExitCode.INTERRUPTED)
    (posted,) = json.loads(assay("job", "list", "--json")[0])
    again = f"assay job status {posted['job_id']} --follow --allow-local"
    assert said.strip().splitlines()[-1] == f"The job goes on. Take it up again: {again}"

    def pass_time(message: str) -> None:
        if message.startswith("open for bids"):
            rpc(net, "evm_increaseTime", 4000)  # blocks in a burst have put the chain ahead
            rpc(net, "evm_mine")

    monkeypatch.setattr(job_command, "note", pass_time)
    out, _ = assay(*again.split()[1:], "--json")
    assert json.loads(out)["state"] == "refunded"  # by the follower: nobody had bid
    assert json.loads(assay("vault", "balance", "--json")[0])["vault_wei"] == 10**9


def test_ctrl_c_while_posting_keeps_the_input_and_the_job_is_found(
    assay: Assay, net: DevnetThread, submit: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Outbox.wait

    async def interrupted(*arguments: Any, **options: Any) -> Receipt:
        receipt = await honest(*arguments, **options)
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(60)  # mined, and never heard of
        return receipt

    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "wait", interrupted)
        _, said = assay(*submit, code=ExitCode.INTERRUPTED)
    assert "assay job list --find" in said
    (draft,) = json.loads(assay("job", "list", "--json")[0])
    assert draft["job_id"] is None
    (found,) = json.loads(assay("job", "list", "--find", "--json")[0])
    assert (found["draft_id"], found["job_id"] is None) == (draft["draft_id"], False)
    assert json.loads(assay("job", "cancel", found["job_id"], "--json")[0])["state"] == "cancelled"


# a full disk


def test_a_full_disk_while_posting_loses_neither_input_nor_money(
    assay: Assay, net: DevnetThread, submit: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whichever write is the first that fails: of the outbox, of the draft, of what became of them, or none.
    failures = 0
    for size in itertools.count(0, 8192):
        with monkeypatch.context() as patch:
            fill_disk(patch, size)
            out, error = assay(*submit, "--no-follow", code=None)
        if out:
            break
        failures += 1
        assert "the database" in error
    assert failures > 3
    jobs = json.loads(assay("job", "list", "--find", "--json")[0])
    posted = [job["job_id"] for job in jobs if job["job_id"] is not None]
    for job_id in posted:
        assay("job", "cancel", job_id)
    # All that was ever held is back, so every job on chain was among those that are known here.
    assert json.loads(assay("vault", "balance", "--json")[0])["vault_wei"] == 10**9 * len(posted)


def test_a_full_disk_while_making_a_key_leaves_no_half_key(assay: Assay, home: Path) -> None:
    with files_of_at_most(100):
        _, error = assay("keys", "new", "alice", code=ExitCode.FAILED)
    assert "cannot write" in error
    assert not (home / "keys" / "alice.json").exists()
    assay("keys", "new", "alice")


# setup


def test_a_full_disk_while_setting_up_leaves_no_half_key(
    assay: Assay, bc_mlp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bc_mlp.bundle.path, copy)
    for name in ("proving.key", "verifying.key", "setup.json"):
        (copy / name).unlink()
    before = sorted(path.name for path in copy.iterdir())
    with files_of_at_most(100_000):
        _, error = assay("model", "setup", copy, code=ExitCode.FAILED)
    assert str(copy) in error
    assert sorted(path.name for path in copy.iterdir()) == before
    assay("model", "setup", copy)


def test_ctrl_c_during_setup_leaves_no_half_key(
    home: Path, bc_mlp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bc_mlp.bundle.path, copy)
    for name in ("proving.key", "verifying.key", "setup.json"):
        (copy / name).unlink()
    before = sorted(path.name for path in copy.iterdir())
    steps = iter(range(3))

    def interrupted(*_: object) -> None:
        if next(steps, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "__call__", interrupted)
    monkeypatch.setattr("sys.argv", ["assay", "model", "setup", str(copy)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == ExitCode.INTERRUPTED
    assert sorted(path.name for path in copy.iterdir()) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_result_that_cannot_be_written_is_a_failure(home: Path, bc_mlp: Any) -> None:
    command = [sys.executable, "-m", "assay_node.cli", "model", "show", bc_mlp.bundle.path, "--json"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == ExitCode.FAILED
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr
