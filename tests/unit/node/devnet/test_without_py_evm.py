"""An installation without the extra `devnet` has no py-evm: everything but the embedded chain works."""

from __future__ import annotations

import subprocess
import sys

BLOCKED = "import sys; sys.modules['eth'] = None; sys.modules['trie'] = None; "


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", BLOCKED + code], capture_output=True, text=True, check=False)


def test_a_worker_and_a_client_load_without_the_embedded_chain() -> None:
    done = _run(
        "from assay_node.worker import Worker; from assay_node.client import Requester; import assay_node.cli"
    )
    assert done.returncode == 0, done.stderr


def test_starting_the_embedded_chain_says_what_to_install() -> None:
    done = _run(
        "import sys; sys.argv = ['assay', 'devnet', '--port', '0']; from assay_node.cli import main; main()"
    )
    assert done.returncode == 1
    assert "pip install 'assay-node[devnet]'" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
