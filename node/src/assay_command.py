"""Where the command `assay` begins: Ctrl-C is handled before anything of the package is imported.

It stands outside the package, whose own import takes some ten milliseconds: Ctrl-C within them would print
Python's traceback.
"""

from __future__ import annotations

import os
import signal


def main() -> None:
    """Run `assay`."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else it is ignored, as shells let background jobs do
        signal.signal(signal.SIGINT, _leave)
    from assay_node.cli import main as run

    signal.signal(signal.SIGINT, before)  # `run` takes over with its first line
    run()


def _leave(_number: int, _frame: object) -> None:
    try:
        os.write(2, b"interrupted\n")
    finally:
        os._exit(130)
