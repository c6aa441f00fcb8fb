"""Every fenced block of README and docs is run by a test, or is of a kind that cannot be run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted([ROOT / "README.md", *ROOT.glob("*/README.md"), *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)

COMMANDS = "unit/house/test_documented_commands.py"
RUN_BY = {
    ("README.md", "python"): "integration/test_examples.py",
    ("docs/guide-user.md", "python"): "integration/test_examples.py",
    ("prover/README.md", "python"): "unit/prover/test_readme.py",
    ("docs/devnet.md", "python"): "unit/node/devnet/test_document.py",
    ("docs/rounding.md", "c"): "unit/prover/reference/test_rounding.py",
    ("docs/tutorial.md", "python"): "e2e/test_tutorial.py",
    ("docs/tutorial.md", "sh"): "e2e/test_tutorial.py",
    # `make demo` and `assay up` are run whole; the others need what a reader has: their options are checked.
    ("README.md", "console"): "e2e/test_demo.py",
    ("docs/index.md", "console"): "e2e/test_up.py",
    ("docs/guide-data.md", "console"): "integration/test_cli_data.py",
    ("docs/guide-training.md", "console"): "integration/test_training.py",
}
"""The test that runs the blocks of a language in a document."""
SHOWN = {
    "text": "what a program printed",
    "mermaid": "a picture, which `make docs` renders",
    "diff": "a change, whose new side is looked for in the sources",
}
"""Languages of blocks that nothing could run, and why."""


def blocks() -> list[tuple[str, str, str]]:
    """(document, language, text) of every fenced block."""
    return [
        (str(path.relative_to(ROOT)), language, text)
        for path in DOCUMENTS
        for language, text in BLOCK.findall(path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize(
    ("document", "language"), sorted({(document, language) for document, language, _ in blocks()})
)
def test_a_block_is_run_or_of_a_kind_that_cannot_be(document: str, language: str) -> None:
    assert language, "a fenced block names its language"
    if language in SHOWN:
        return
    assert (document, language) in RUN_BY, f"no test is known to run the {language} blocks of {document}"
    assert (ROOT / "tests" / RUN_BY[document, language]).exists()


def test_every_test_that_is_named_has_blocks_to_run() -> None:
    there = {(document, language) for document, language, _ in blocks()}
    assert set(RUN_BY) <= there


def test_commands_in_consoles_are_those_that_are_checked() -> None:
    """Each line with a prompt is a command of `assay` or of `make`."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert (ROOT / "tests" / COMMANDS).exists()
    for document, language, text in blocks():
        if language != "console":
            continue
        for line in text.splitlines():
            if not line.startswith("$ "):
                continue
            program, argument = line[2:].split()[:2]
            assert program in ("assay", "make"), f"{document}: {line}"
            assert program != "make" or argument in targets, f"{document}: {line}"


def test_a_change_that_is_shown_is_in_the_sources() -> None:
    """The lines that a diff adds stand in the files that it names."""
    for _, language, text in blocks():
        if language == "diff":
            name = ""
            for line in text.splitlines():
                if line.startswith("+++ b/"):
                    name = line.removeprefix("+++ b/").strip()
                elif line.startswith("+"):
                    assert line[1:].strip() in (ROOT / name).read_text(encoding="utf-8"), f"{name}: {line}"
