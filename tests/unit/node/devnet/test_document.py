"""The example of docs/devnet.md runs as it stands."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

from web3 import Web3

DOCUMENT = Path(__file__).parents[4] / "docs" / "devnet.md"


async def test_the_documents_example_runs() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    names: dict[str, Any] = {}
    for block in blocks:
        code = compile(block, str(DOCUMENT), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        waiting = eval(code, names)  # noqa: S307 - the project's own documentation
        if inspect.isawaitable(waiting):
            await waiting
    assert isinstance(names["web3"], Web3)
