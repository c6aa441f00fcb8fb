"""Checks built wheels: stable ABI, an old glibc, no path of the building machine, the files they must hold.

python tests/packaging/check_wheels.py build/wheels
"""

from __future__ import annotations

import re
import sys
import zipfile
from pathlib import Path

NEEDED = {
    "assay_prover": ("assay_prover/_native.abi3.so", "assay_prover/_native.pyi", "assay_prover/py.typed"),
    "assay_node": (
        "assay_command.py",
        "assay_node/abi/Market.json",
        "assay_node/demo/data/bc_mlp.onnx",
        "assay_node/py.typed",
    ),
    "zkassay": (),
}
OLDEST_GLIBC = (2, 28)


def main(folder: Path) -> None:
    """Exits with a message about the first fault."""
    for name, files in NEEDED.items():
        (wheel,) = folder.glob(f"{name}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            held = set(archive.namelist())
            missing = [file for file in files if file not in held]
            if missing:
                sys.exit(f"{wheel.name} lacks {', '.join(missing)}")
            if any("/tests/" in file or file.startswith("tests/") for file in held):
                sys.exit(f"{wheel.name} holds tests")
            if name == "assay_prover":
                check_native(wheel.name, archive.read("assay_prover/_native.abi3.so"))
        print(f"{wheel.name}: {len(held)} files, {wheel.stat().st_size / 1e6:.1f} MB")


def check_native(wheel: str, module: bytes) -> None:
    """The tags in the name are promises; what the module asks of its machine is looked at here."""
    if "-cp311-abi3-" not in wheel:
        sys.exit(f"{wheel} is not for the stable ABI of Python 3.11")
    versions = {tuple(map(int, found)) for found in re.findall(rb"GLIBC_(\d+)\.(\d+)", module)}
    newest = max(versions, default=(0, 0))
    if newest > OLDEST_GLIBC:
        sys.exit(
            f"{wheel} needs glibc {newest[0]}.{newest[1]}, more than {OLDEST_GLIBC[0]}.{OLDEST_GLIBC[1]}"
        )
    here = str(Path(__file__).resolve().parents[2]).encode()
    if here in module:
        sys.exit(f"{wheel} names the folder that it was built in")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
