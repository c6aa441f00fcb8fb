"""The unit tests with the lowest version of every dependency that the distributions allow.

    python tests/packaging/lowest.py [--set NAME=VERSION ..] [--keep DIR] [-- pytest arguments]

An environment of its own gets what `pyproject.toml` of prover and node name, each at its lower bound, and the
tools of the tests. The packages are taken from the source tree with the native module that stands there.
`--set` tries other versions: that is how far a range may be widened.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = ("pytest", "pytest-aiohttp", "pytest-asyncio", "pytest-timeout", "hypothesis")
"""At the versions of constraints.txt, where those fit."""
EXTRAS = ("devnet",)
TESTS = (
    "tests/unit/node/chain", "tests/unit/node/client", "tests/unit/node/worker", "tests/unit/node/cli",
    "tests/unit/node/devnet", "tests/unit/prover/bundle", "tests/unit/prover/groth16",
    "tests/unit/prover/reference", "tests/unit/prover/frontend", "tests/unit/prover/passes",
)  # fmt: skip
NEEDS_MORE = (
    "test_interface_and_web3.py",
    "test_sample_files.py",
    "test_against_anvil.py",
    "test_snarkjs.py",
    "test_http.py",
    "test_document.py",
)
"""Tests of extras and of peers, which are not installed here."""


def lowest(*, extras: bool = True) -> dict[str, str]:
    """Requirement by name, at its lower bound, of both distributions."""
    found: dict[str, str] = {}
    for name in ("prover", "node"):
        project = tomllib.loads((ROOT / name / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        wanted = list(project["dependencies"])
        if extras:
            wanted += [
                each for extra in EXTRAS for each in project.get("optional-dependencies", {}).get(extra, ())
            ]
        for requirement in wanted:
            match = re.fullmatch(r"([\w.-]+)(\[[\w,]+\])?(>=|==)([\w.]+).*", requirement)
            if match is None:
                raise SystemExit(f"{requirement} has no lower bound")
            if match[1] != "assay-prover":
                found[match[1]] = f"{match[1]}{match[2] or ''}=={match[4]}"
    return found


def main() -> None:
    """Install, and test."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VERSION")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the environment is made, and kept")
    parser.add_argument("pytest", nargs="*", help="arguments of pytest instead of the unit tests")
    options = parser.parse_args()
    pins = lowest()
    for each in options.set:
        name, _, version = each.partition("=")
        if name not in pins:
            parser.error(f"{name} is none of {', '.join(sorted(pins))}")
        pins[name] = f"{re.split('==', pins[name])[0]}=={version}"
    with tempfile.TemporaryDirectory(prefix="assay-lowest-") as temporary:
        folder = options.keep or Path(temporary)
        python = folder / "bin" / "python"
        if not python.exists():
            venv.create(folder, with_pip=True)
        print("lowest versions:", *sorted(pins.values()), sep="\n  ", flush=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *pins.values(), *TOOLS, "scikit-learn", "skl2onnx", "py_ecc"], check=True)
        paths = [str(ROOT / "prover" / "src"), str(ROOT / "node" / "src"), str(ROOT / "tests")]
        arguments = options.pytest or [*TESTS, *(f"--ignore-glob=*/{name}" for name in NEEDS_MORE)]
        # Older libraries warn of what newer Pythons deprecate; that is not what is looked for here.
        done = subprocess.run(
            [str(python), "-m", "pytest", "-q", "-W", "default", "-p", "no:cacheprovider", *arguments],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            cwd=ROOT,
            check=False,
        )
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
