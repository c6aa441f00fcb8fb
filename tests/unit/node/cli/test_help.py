"""The command line explains itself, and its documentation says what it does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from assay_node.cli import build
from assay_node.cli.exit_codes import ExitCode

GUIDE = Path(__file__).parents[4] / "docs" / "guide-user.md"


def commands(group: Any, name: str = "assay") -> Iterator[tuple[str, Any]]:
    for key, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{name} {key}")
        else:
            yield f"{name} {key}", command


ALL = dict(commands(typer.main.get_command(build())))


def test_the_commands_are_those_promised() -> None:
    promised = {
        "assay": "demo deploy devnet faucet infer prove send up verify",
        "assay data": "attest commit register schema show withdraw",
        "assay train": "certify compile cost history init result run",
        "assay keys": "list new show",
        "assay model": "check commit compile cost export list payout publish retire retrain setup show",
        "assay job": "award bids cancel history list result status submit",
        "assay worker": "allow init list register run stake status unstake",
        "assay trust": "add list remove",
        "assay vault": "balance withdraw",
    }
    assert set(ALL) == {f"{group} {name}" for group, names in promised.items() for name in names.split()}


@pytest.mark.parametrize("name", sorted(set(ALL) - {"assay keys list"}))
def test_every_command_teaches_by_example(name: str) -> None:
    assert re.search(r"Examples?:\s", ALL[name].help)
    assert f"{name}" in ALL[name].help


@pytest.mark.parametrize("name", sorted(ALL))
def test_no_command_takes_a_password_as_an_argument(name: str) -> None:
    flags = {flag for parameter in ALL[name].params for flag in parameter.opts}
    assert not flags & {"--password", "--private-key", "--secret", "-p"}


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_option_is_explained(name: str) -> None:
    silent = [
        parameter.name
        for parameter in ALL[name].params
        if not getattr(parameter, "help", None) and parameter.name != "help"
    ]
    assert silent == []


def test_the_guide_lists_every_exit_status() -> None:
    listed = {
        int(status) for status in re.findall(r"^\| (\d+) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert listed == {int(code) for code in ExitCode}


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_branch_of_its_own_is_the_same_command(name: str) -> None:
    branch = dict(commands(typer.main.get_command(build(name.split()[1]))))
    assert name in branch
    assert branch[name].help == ALL[name].help
