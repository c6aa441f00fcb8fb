"""A market on an embedded devnet, models to publish in it, workers and requesters to meet there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from eth_account import Account

from assay_node.cli import main
from assay_node.cli.exit_codes import ExitCode
from assay_node.client import JobEvidence, gather_evidence
from assay_node.devnet import DevnetConfig, DevnetThread
from assay_node.devnet.accounts import DevAccounts
from assay_node.devnet.config import DEFAULT_MNEMONIC
from market import PASSWORD, TERMS, Market, Sampled, compile_sampled, open_market

NOWHERE = "http://127.0.0.1:1"
Assay = Callable[..., tuple[str, str]]


@pytest.fixture(scope="session")
def bc_mlp(tmp_path_factory: pytest.TempPathFactory) -> Sampled:
    """Breast cancer, private input, encrypted output."""
    return compile_sampled("bc_mlp", tmp_path_factory.mktemp("bundles") / "bc_mlp")


@pytest.fixture(scope="session")
def digits_mlp(tmp_path_factory: pytest.TempPathFactory) -> Sampled:
    """Digits, everything public."""
    folder = tmp_path_factory.mktemp("bundles") / "digits_mlp"
    return compile_sampled("digits_mlp", folder, input="public", output="public")


@pytest.fixture(scope="session")
def sealed_mlp(tmp_path_factory: pytest.TempPathFactory) -> Sampled:
    """Breast cancer, private input, committed output."""
    return compile_sampled("bc_mlp", tmp_path_factory.mktemp("bundles") / "sealed", output="committed")


@pytest.fixture(scope="session")
def own_salt_mlp(tmp_path_factory: pytest.TempPathFactory) -> Sampled:
    """Breast cancer, public input, committed output: the prover's salt."""
    folder = tmp_path_factory.mktemp("bundles") / "own_salt"
    return compile_sampled("bc_mlp", folder, input="public", output="committed")


@pytest.fixture(scope="session")
def sliced_mlp(tmp_path_factory: pytest.TempPathFactory) -> Sampled:
    """Breast cancer, private input, encrypted output, cut into three."""
    return compile_sampled("bc_mlp", tmp_path_factory.mktemp("bundles") / "sliced", slices=3)


@pytest.fixture(scope="session")
def sliced_private_mlp(tmp_path_factory: pytest.TempPathFactory) -> Sampled:
    """Breast cancer in three slices, input and output public, weights private: the cuts hide activations."""
    folder = tmp_path_factory.mktemp("bundles") / "sliced_private"
    options = {"input": "public", "output": "public", "weights": "private"}
    model = compile_sampled("bc_mlp", folder, slices=3, **options)
    model.bundle.commit_model()
    return model


@pytest.fixture
async def market(tmp_path: Path) -> AsyncIterator[Market]:
    """A market of the test's own."""
    async with open_market(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def settled_market(
    tmp_path_factory: pytest.TempPathFactory, bc_mlp: Sampled
) -> AsyncIterator[tuple[Market, JobEvidence]]:
    """A market with one settled private job, and its evidence; a module's tests share it, and only read."""
    async with open_market(tmp_path_factory.mktemp("market")) as opened:
        model_id = await opened.publish(bc_mlp)
        requester = await opened.requester(1)
        async with opened.working(await opened.worker_config(2, bc_mlp)):
            posted = await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[3], TERMS)
            await opened.follow(requester, posted.job_id)
        yield opened, await gather_evidence(opened.chain, posted.job_id)


# the command, in this process


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the devnet's first account as the default key, and an account without funds as "poor"."""
    folder = tmp_path / "home"
    (folder / "keys").mkdir(parents=True)
    rich = next(iter(DevAccounts(DEFAULT_MNEMONIC, 1)))
    for name, account in (("default", rich), ("poor", Account.create())):
        keystore = Account.encrypt(account.key, PASSWORD, kdf="pbkdf2", iterations=1)
        (folder / "keys" / f"{name}.json").write_text(json.dumps(keystore))
    monkeypatch.setenv("ASSAY_HOME", str(folder))
    monkeypatch.setenv("ASSAY_PASSWORD", PASSWORD)
    monkeypatch.setenv("ASSAY_RPC", NOWHERE)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("ASSAY_DEBUG", raising=False)
    return folder


@pytest.fixture
def assay(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Assay:
    """Run a command; check its exit status (None takes any); return what it printed and its error."""

    def run(*arguments: object, code: int | None = ExitCode.OK) -> tuple[str, str]:
        monkeypatch.setattr("sys.argv", ["assay", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capfd.readouterr()
        status = ended.value.code or 0
        assert code is None or status == code, printed
        assert "Traceback" not in printed.err
        errors = [line for line in printed.err.splitlines() if line.startswith("error: ")]
        expected = 0 if status in (ExitCode.OK, ExitCode.USAGE, ExitCode.INTERRUPTED) else 1
        assert len(errors) == expected, printed.err
        return printed.out, errors[0] if errors else printed.err

    return run


@pytest.fixture
def net(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DevnetThread]:
    """A devnet that the command talks to."""
    with DevnetThread(DevnetConfig(port=0)) as running:
        monkeypatch.setenv("ASSAY_RPC", running.url)
        yield running
