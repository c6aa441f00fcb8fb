"""The command starts quickly and anywhere: what it loads, and streams, homes and locales as they may be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HEAVY = {
    "aiohttp",
    "assay_node.worker.service",
    "assay_prover._native",
    "eth",  # py-evm
    "eth_abi",
    "eth_account",
    "eth_utils",
    "numpy",
    "onnx",
    "onnxruntime",
    "py_ecc",
    "scipy",
    "structlog",
    "web3",
}

ROOT = Path(__file__).parents[4]
SOURCE = {**os.environ, "PYTHONPATH": str(ROOT / "node" / "src")}
ALLOWED_FIRST = {
    "__future__", "_abc", "_collections", "_collections_abc", "_functools", "_heapq", "_operator",
    "_signal", "_stat", "abc", "assay_command", "collections", "enum", "functools",
    "genericpath", "heapq", "itertools", "keyword", "operator", "os", "posixpath",
    "re", "reprlib", "signal", "stat", "types",
}  # fmt: skip

PRELUDE = "import sys; from assay_node.cli import main; sys.argv = ['assay', *sys.argv[1:]]\n"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ASSAY_HOME", raising=False)


def run(*arguments: str, code: str = "main()", **options: object) -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own."""
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-c", PRELUDE + code, *arguments],
        **{"capture_output": True, "timeout": 60} | options,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("job", "list"),
        ("job", "--help"),
        ("keys", "list"),
        ("model", "compile", "--help"),
        ("devnet", "--help"),
        ("job", "list", "--no-such-option"),
        ("keys", "show", "nobody"),
        ("model", "show", "no-such-folder", "--json"),
    ],
)
def test_what_needs_no_heavy_module_loads_none(arguments: tuple[str, ...], tmp_path: Path) -> None:
    allowed = (
        {"numpy", "assay_prover._native", "scipy", "onnx"} if arguments[:2] == ("model", "show") else set()
    )
    code = f"""
try:
    main()
finally:
    loaded = sorted({HEAVY - allowed!r} & set(sys.modules))
    print("loaded", *loaded, file=sys.stderr)
"""
    done = run(*arguments, code=code)
    assert done.stderr.decode().splitlines()[-1] == "loaded", done.stderr


def test_onnxruntime_writes_nothing_into_a_clean_home(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    code = "import assay_prover, onnxruntime, time; time.sleep(0.2)"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)
    assert list(tmp_path.rglob("*")) == []


def test_no_module_loads_onnxruntime_without_this_package(tmp_path: Path) -> None:
    """Whoever imports it imports `assay_prover` first, by being in it or by name."""
    root = Path(__file__).parents[4]
    for path in [*root.glob("node/src/**/*.py"), *root.glob("prover/src/**/*.py")]:
        text = path.read_text(encoding="utf-8")
        if "import onnxruntime" in text and "assay_prover" not in path.parts:
            assert text.index("import assay_prover") < text.index("import onnxruntime"), path


def test_a_reader_that_goes_away_is_no_failure() -> None:
    for arguments in (("--help",), ("job", "list", "--json"), ("job", "list")):
        reading, writing = os.pipe()
        os.close(reading)
        done = run(*arguments, stdout=writing, stderr=subprocess.PIPE, capture_output=False)
        os.close(writing)
        assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk_behind_stdout_is_told() -> None:
    with Path("/dev/full").open("wb") as full:
        done = run("job", "list", "--json", stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert done.returncode == 1
    assert done.stderr == b"error: No space left on device. Free some space, then try again\n"


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_streams(closed: tuple[int, ...], tmp_path: Path) -> None:
    redirections = " ".join(f"{number}>&-" for number in closed)
    script = f'exec "$0" -c "$1" keys show nobody {redirections}'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable, PRELUDE + "main()"],
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    if 2 not in closed:
        assert done.stderr.startswith(b"error: cannot read")


def test_a_locale_that_lacks_the_letters(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii:strict",
        "ASSAY_HOME": str(tmp_path / "Zoë"),
    }
    done = run("keys", "list", env=environment)
    assert done.returncode == 0, done.stderr
    assert b"Zo" in done.stdout


def test_a_path_that_is_no_text(tmp_path: Path) -> None:
    done = run("keys", "list", env={**os.environb, b"ASSAY_HOME": bytes(tmp_path) + b"/\xff"})
    assert done.returncode == 0, done.stderr
    assert b"no keys in" in done.stdout


def _without_a_home(arguments: tuple[str, ...], **extra: str) -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "ASSAY_HOME")}
    lost = "import pwd\ndef getpwuid(uid): raise KeyError(uid)\npwd.getpwuid = getpwuid\nmain()"
    return run(*arguments, code=lost, env=environment | extra)


def test_a_user_without_a_home() -> None:
    assert _without_a_home(("--version",)).returncode == 0
    assert _without_a_home(("--help",)).returncode == 0
    done = _without_a_home(("keys", "list"))
    assert done.returncode == 2
    assert b"ASSAY_HOME" in done.stderr
    assert _without_a_home(("keys", "list"), ASSAY_HOME="/nowhere").returncode == 0


INTERRUPTED_WHILE_LOADING = """
import os, signal
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
main()
"""


@pytest.mark.parametrize(
    "module",
    ["assay_node", "assay_node.cli", "tempfile", "typer", "assay_node.cli.commands.keys", "rich.markup"],
)
def test_ctrl_c_while_it_loads(module: str) -> None:
    # A shell lets background jobs ignore the signal, and so would the child of a test run there.
    code = "import sys; from assay_command import main; sys.argv = ['assay', 'keys', 'show', 'nobody']\n"
    done = subprocess.run(
        [sys.executable, "-c", code + INTERRUPTED_WHILE_LOADING.format(module=module)],
        capture_output=True,
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert (done.returncode, done.stderr) == (130, b"interrupted\n")


def test_the_command_imports_nothing_before_it_handles_ctrl_c() -> None:
    code = "import sys; old = set(sys.modules); import assay_command; print(*sorted(set(sys.modules) - old))"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, timeout=60, env=SOURCE)
    assert {name.split(".")[0] for name in done.stdout.decode().split()} <= ALLOWED_FIRST
    scripts = tomllib.loads((ROOT / "node" / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"assay": "assay_command:main"}


def test_ctrl_c_while_an_error_is_explained(tmp_path: Path) -> None:
    code = """
import os, signal
from assay_node.cli import failures
def explain(*_, **__):
    os.kill(os.getpid(), signal.SIGINT)
failures._words = explain
main()
"""
    done = run(
        "keys",
        "show",
        "nobody",
        code=code,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert (done.returncode, done.stderr) == (130, b"interrupted\n")


def test_an_ignored_ctrl_c_stays_ignored(tmp_path: Path) -> None:
    done = run(
        "keys",
        "list",
        code=INTERRUPTED_WHILE_LOADING.format(module="typer"),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert done.returncode == 0


def test_a_failure_is_a_document_too(tmp_path: Path) -> None:
    done = run("keys", "show", "nobody", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == document["error"]["exit_status"] == 1
    assert document["error"]["kind"] == "KeyFileError"
    assert document["error"]["advice"]
    assert done.stderr.startswith(b"error: ")


def test_a_command_line_without_sense_is_a_document_too() -> None:
    done = run("keys", "show", "--json", "--no-such-option")
    assert json.loads(done.stdout)["error"]["exit_status"] == done.returncode == 2


def test_a_read_only_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("a file, so that nothing can be made below it, whoever the user is")
    for arguments in (("keys", "list"), ("job", "list"), ("keys", "show")):
        done = run(*arguments, env={**os.environ, "ASSAY_HOME": str(home)})
        assert done.returncode in (0, 1)
        assert b"Traceback" not in done.stderr
        assert b"defect" not in done.stderr


def test_secrets_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    environment = {**os.environ, "ASSAY_HOME": str(tmp_path / "home"), "ASSAY_PASSWORD": "correct horse"}
    done = run("keys", "new", env=environment, preexec_fn=lambda: os.umask(0))
    assert done.returncode == 0, done.stderr
    keys = tmp_path / "home" / "keys"
    assert keys.stat().st_mode & 0o077 == 0
    assert (keys / "default.json").stat().st_mode & 0o077 == 0
