"""What strangers nest deeply must not end a process: the limit stays, and one reader takes it all."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from nacl.public import PrivateKey, SealedBox

from assay_node.worker.envelope import open_input
from assay_node.worker.errors import InboxError


@pytest.mark.parametrize(
    "imports",
    [
        "assay_node, eth_account, py_ecc.bls",
        "assay_node.worker.service",
        "assay_node.client.requester",
        "assay_node.signed_delivery",
        "assay_node.chain.keystore, eth_account",
    ],
)
def test_no_import_raises_the_recursion_limit(imports: str) -> None:
    limit = "sys.getrecursionlimit()"
    program = f"import sys; before = {limit}; import {imports}; print({limit} - before)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


def test_a_worker_loads_no_onnxruntime() -> None:
    program = "import sys, assay_node.worker.service; print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("depth", [10, 1_000, 100_000, 1_000_000])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
async def test_a_sealed_input_that_is_nested_deeply_is_refused(depth: int, brackets: str) -> None:
    """In a thread too, whose stack is smaller: it ended the process there."""
    key = PrivateKey.generate()
    opening = brackets[0] if brackets == "[]" else '{"a":'
    nested = opening * depth + ("" if brackets == "[]" else "1") + brackets[1] * depth
    plain = b'{"v":1,"salt":"0x1","input":"","shape":' + nested.encode() + b"}"
    body = bytes(SealedBox(key.public_key).encrypt(plain))
    with pytest.raises(InboxError, match="malformed"):
        await asyncio.to_thread(open_input, key, body)
