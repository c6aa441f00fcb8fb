"""The `assay` command as its users run it: processes of their own, files on disk, a chain behind a port."""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from assay_node.devnet.accounts import DevAccounts
from assay_node.devnet.config import DEFAULT_MNEMONIC
from node_tools import foundry

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "tests" / "vectors" / "models"
PASSWORD = "correct horse"
PATIENCE = 120.0


@dataclass(frozen=True)
class Finished:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Assay:
    """Runs `assay` with a home, an RPC URL and a password in the environment."""

    home: Path
    rpc: str = "http://127.0.0.1:1"
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    logs: list[Path] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        names = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        return kept | {
            "ASSAY_HOME": str(self.home),
            "ASSAY_RPC": self.rpc,
            "ASSAY_PASSWORD": PASSWORD,
            "COLUMNS": "200",
        }

    def __call__(self, *arguments: object, code: int = 0) -> Finished:
        """Run a command to its end, which must come with this exit status."""
        done = subprocess.run(
            self._command(*arguments),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        finished = Finished(done.returncode, done.stdout, done.stderr)
        assert finished.code == code, finished
        assert "Traceback" not in finished.err, finished.err
        return finished

    def fails(self, code: int, *arguments: object) -> str:
        """Run a command that must fail so, with one line on stderr; return it."""
        finished = self(*arguments, code=code)
        errors = [line for line in finished.err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, finished
        assert finished.err.splitlines()[-1] == errors[0], finished
        return errors[0]

    def start(self, *arguments: object, log: Path) -> subprocess.Popen[bytes]:
        """Start a command that goes on; ended with the fixture if nobody ended it before."""
        return self.spawn(self._command(*arguments), log=log)

    def spawn(self, command: list[str], *, log: Path) -> subprocess.Popen[bytes]:
        """Start any program so."""
        self.logs.append(log)
        with log.open("ab") as file:
            process = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=file
            )
        self.processes.append(process)
        return process

    def end(self) -> None:
        """End whatever is still running, by its pid."""
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        for log in self.logs:  # shown if the test fails
            print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-8:], sep="\n")

    def key(self, name: str, index: int) -> Path:
        """A development account as a keystore; one PBKDF2 round, as scrypt takes a second each time."""
        account = list(DevAccounts(DEFAULT_MNEMONIC, index + 1))[index]
        path = self.home / "keys" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(Account.encrypt(account.key, PASSWORD, kdf="pbkdf2", iterations=1)))
        return path

    @staticmethod
    def _command(*arguments: object) -> list[str]:
        return [sys.executable, "-m", "assay_node.cli", *map(str, arguments)]


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once something listens there."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {port}; exit status {process.poll()}")


def first_document(process: subprocess.Popen[bytes]) -> Any:
    """The JSON document a command prints before it goes on."""
    assert process.stdout is not None
    text = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if selector.select(1.0):
                piece = os.read(process.stdout.fileno(), 65536)
                assert piece, f"it ended with status {process.wait()}"
                text += piece
                try:
                    return json.loads(text)
                except ValueError:
                    continue
    raise AssertionError(f"no document in time: {text!r}")


@pytest.fixture
def assay(tmp_path: Path) -> Iterator[Assay]:
    """The command, with an empty home."""
    runner = Assay(tmp_path / "home")
    runner.home.mkdir()
    try:
        yield runner
    finally:
        runner.end()


@pytest.fixture
def devnet(assay: Assay, tmp_path: Path) -> subprocess.Popen[bytes]:
    """`assay devnet` as a process; `assay` talks to it."""
    process = assay.start("devnet", "--port", 0, "--json", log=tmp_path / "devnet.log")
    assay.rpc = first_document(process)["url"]
    return process


@pytest.fixture
def anvil(assay: Assay, tmp_path: Path) -> subprocess.Popen[bytes]:
    """anvil as a process, a block a second; `assay` talks to it."""
    port = free_port()
    command = [foundry("anvil"), "--port", str(port), "--block-time", "1", "--silent"]
    process = assay.spawn(command, log=tmp_path / "anvil.log")
    await_port(port, process)
    assay.rpc = f"http://127.0.0.1:{port}"
    return process


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bc_mlp, compiled and set up from the command line."""
    folder = tmp_path_factory.mktemp("bundles")
    runner = Assay(folder / "home")
    target = folder / "bc_mlp"
    samples = MODELS / "bc_mlp.npz"
    report = runner(
        "model", "compile", MODELS / "bc_mlp.onnx", "--samples", samples, "-o", target, "--json"
    ).json
    assert report["accuracy"]["agreement"] == 1.0
    made = runner("model", "setup", target, "--json").json
    shown = runner("model", "show", target, "--json").json
    assert shown["vk_hash"] == made["vk_hash"]
    return target
