"""Money for accounts: from a development chain's faucet, and from one account to another."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from assay_node.cli import session
from assay_node.cli.exit_codes import ExitCode
from assay_node.devnet import DevnetThread

Assay = Callable[..., tuple[str, str]]
ETHER = 10**18


def balance(assay: Assay, address: str) -> int:
    return int(json.loads(assay("vault", "balance", address, "--json")[0])["account_wei"])


def test_the_faucet_fills_an_account_by_name_and_by_address(
    assay: Assay, net: DevnetThread, home: Path
) -> None:
    assay("deploy")
    poor = address_of(home, "poor")
    assert balance(assay, poor) == 0
    assay("faucet", "poor")
    assert balance(assay, poor) == 100 * ETHER
    assay("faucet", poor, "5ether")
    assert balance(assay, poor) == 105 * ETHER


def test_money_is_sent(assay: Assay, net: DevnetThread, home: Path) -> None:
    assay("deploy")
    poor = address_of(home, "poor")
    document = json.loads(assay("send", "poor", "2ether", "--json")[0])
    assert document["to"] == poor
    assert balance(assay, poor) == 2 * ETHER
    _, error = assay("send", poor, "3ether", "--key", "poor", code=ExitCode.CHAIN)
    assert "has" in error


def test_a_name_that_is_no_key(assay: Assay, net: DevnetThread) -> None:
    _, error = assay("faucet", "nobody", code=ExitCode.FAILED)
    assert "nobody.json" in error


def test_a_faucet_elsewhere_is_refused(
    assay: Assay, net: DevnetThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay_node.devnet.config.is_loopback", lambda _: False)
    _, error = assay("faucet", "poor", code=ExitCode.FAILED)
    assert "no development chain" in error


def address_of(home: Path, name: str) -> str:
    return session.account_address(home, name)
