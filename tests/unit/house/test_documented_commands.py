"""Every `assay ...` that README, the docs, messages and help write exists, with its arguments and options."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer

from assay_node.cli import build

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("*/README.md"), *(ROOT / "docs").glob("*.md")]
)
SOURCES = sorted((ROOT / "node" / "src").rglob("*.py"))
TREE = typer.main.get_command(build())
IN_BACKTICKS = re.compile(r"`(assay [a-z][^`]*)`")
ON_A_LINE = re.compile(r"^(?:    |\$ |\t)*\$?\s*(assay [a-z].*)$")
ADVICE = re.compile(r"[Rr]un:? `?(assay [a-z][\w -]*)|with: (assay [a-z][\w -]*)|: (assay [a-z][\w -]*)")
ANYTHING = re.compile(r"^(\.\.\.?|…|\[.*\]?|<.*>?)$")


def in_documents() -> Iterator[Any]:
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        found: dict[str, int] = {}
        for number, line in enumerate(text.splitlines(), 1):
            for command in IN_BACKTICKS.findall(line):
                found.setdefault(command, number)
            if match := ON_A_LINE.match(line):
                found.setdefault(match[1], number)
        for command, number in found.items():
            yield pytest.param(command, id=f"{path.relative_to(ROOT)}:{number}: {command[:60]}")


def in_messages() -> Iterator[Any]:
    """Commands that messages tell a person to run."""
    found: dict[str, str] = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for match in ADVICE.finditer(node.value):
                    command = next(group for group in match.groups() if group).strip()
                    found.setdefault(command, f"{path.relative_to(ROOT)}:{node.lineno}")
    for command, place in found.items():
        yield pytest.param(command, id=f"{place}: {command}")


def words(command: str) -> list[str]:
    """As a shell splits it, up to a comment, a pipe or what continues a sentence."""
    plain = re.split(r"\s+#|\s+[|;&>]|\s{3,}", command)[0]
    try:
        return shlex.split(plain)[1:]
    except ValueError:  # an apostrophe of the sentence around it
        return plain.split()[1:]


def fault(command: str) -> str:
    """What is wrong with a command as it is written; "" if nothing is."""
    group: Any = TREE
    rest = words(command)
    name = "assay"
    while isinstance(group, click.Group) or hasattr(group, "commands"):
        if not rest or rest[0].startswith("-"):
            break
        # `assay keys new|list` and `award|cancel` name several; `assay ...` any.
        if ANYTHING.match(rest[0]):
            return ""
        first, *others = rest.pop(0).split("|")
        for each in (first, *others):
            if each not in group.commands:
                return f"{name} has no command {each}"
        name += f" {first}"
        group = group.commands[first]
    known = {flag for parameter in group.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    known |= {"--help", "--version", "--install-completion", "--show-completion"}
    for word in rest:
        if word.startswith("-") and not re.match(r"^-[\d.]", word):
            for flag in word.strip("[](),.;:").split("|"):
                flag = flag.split("=")[0]
                if flag.startswith("-") and flag not in known and not ANYTHING.match(flag):
                    return f"{name} has no option {flag}"
    return ""


@pytest.mark.parametrize("command", list(in_documents()))
def test_a_command_of_the_documents_exists_with_its_options(command: str) -> None:
    assert not fault(command)


@pytest.mark.parametrize("command", list(in_messages()))
def test_a_command_that_a_message_advises_exists(command: str) -> None:
    group: Any = TREE
    for word in words(command):
        if not hasattr(group, "commands"):
            return
        assert word in group.commands, f"{command}: there is no {word}"
        group = group.commands[word]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("assay vault balance --key alice", ""),
        ("assay keys new|list", ""),
        ("assay vault empty", "assay vault has no command empty"),
        ("assay vault withdraw --all", "assay vault withdraw has no option --all"),
        ("assay job award|sell JOB_ID", "assay job has no command sell"),
        ("assay up        # and --nothing more", ""),
    ],
)
def test_what_is_wrong_is_seen(command: str, expected: str) -> None:
    assert fault(command) == expected
