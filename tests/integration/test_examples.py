"""The examples of README and guide run as they stand, in order, each in what the ones before it left."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from assay_node.chain import create_account
from assay_node.chain.keys import keystore_address

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse"
NODE = "http://127.0.0.1:8545"


def examples(document: str) -> list[str]:
    """The Python blocks of a document."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


async def run(source: str, names: dict[str, Any]) -> None:
    """Run a block, which may await at its top level as in a notebook."""
    code = compile(source, "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    waiting = eval(code, names)  # noqa: S307 - the project's own documentation
    if inspect.isawaitable(waiting):
        await waiting


async def prepared(market: Any, home: Path, model: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the examples take for given: a home with a key and a deployment, a model, a running worker."""
    monkeypatch.setenv("ASSAY_PASSWORD", PASSWORD)
    create_account(home / "keys" / "alice.json", PASSWORD, private_key=bytes(market.net.accounts[1].key))
    genesis = (await market.node.header(0)).hash.hex()[:16]
    market.chain.deployment.save(home / "deployments" / f"31337-{genesis}.json")
    return {"model_id": await market.publish(model)}


@pytest.mark.parametrize("document", ["README.md", "docs/guide-user.md"])
async def test_every_python_example_of_a_document_runs(
    document: str, market: Any, bc_mlp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "bc_mlp").symlink_to(bc_mlp.bundle.path)
    monkeypatch.chdir(tmp_path)
    home = tmp_path / ".assay"
    monkeypatch.setattr("assay_node.front_door.default_home", lambda: home)
    names = await prepared(market, home, bc_mlp, monkeypatch)
    config = await market.worker_config(2, bc_mlp)
    names["worker"] = keystore_address(config.keystore)
    blocks = examples(document)
    assert blocks
    async with market.working(config):
        for block in blocks:
            if "compile_model(" in block:
                continue  # the prover's own, which the next test runs
            source = block.replace(NODE, market.net.url)
            source = source.replace("max_price=10**16", "max_price=10**16, bid_window=3, accept_window=3600")
            await run(source, names)
    assert names["answer"].label == int(bc_mlp.y[0])


async def test_the_provers_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    monkeypatch.chdir(tmp_path)
    (block,) = (block for block in examples("README.md") if "compile_model(" in block)
    names: dict[str, Any] = {}
    await run(block, names)
    assert names["proved"].output_words
