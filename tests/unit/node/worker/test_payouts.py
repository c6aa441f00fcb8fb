"""What a running worker withdraws when it is asked to, and what it makes of a request that is none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay_node.chain import Call
from assay_node.worker.payouts import Payouts, ask_to_withdraw, asked_amount, request_file
from assay_node.worker.store import WorkerStore

ME = "0x" + "11" * 20


class Vault:
    def __init__(self, balance: int) -> None:
        self.balance = balance

    async def balance_of(self, _: str) -> int:
        return self.balance

    def withdraw(self, amount: int, to: str) -> Call:
        return Call(ME, b"", 0, f"{amount} to {to}")


class Sent:
    account = SimpleNamespace(address=ME)

    def __init__(self) -> None:
        self.calls: list[str] = []

    def intent(self, _: str) -> None:
        return None

    async def submit(self, _: str, call: Call) -> None:
        self.calls.append(call.description)


async def withdrawn(folder: Path, *, balance: int, payout: str | None = None) -> tuple[list[str], bool]:
    """What is sent in one step, and whether the request is still there."""
    sent, request = Sent(), request_file(folder, 1, ME)
    chain: Any = SimpleNamespace(vault=Vault(balance))
    outbox: Any = sent
    store = WorkerStore(":memory:")
    await Payouts(chain, outbox, store, payout, 10**18, request).step()
    store.close()
    return sent.calls, request.exists()


@pytest.mark.parametrize(
    ("amount", "calls"),
    [(None, ["500 to " + ME]), (7, ["7 to " + ME]), (500, ["500 to " + ME]), (501, ["500 to " + ME])],
)
async def test_as_much_as_is_asked_for_goes_to_the_account_itself(
    tmp_path: Path, amount: int | None, calls: list[str]
) -> None:
    request = request_file(tmp_path, 1, ME)
    ask_to_withdraw(request, amount)
    assert request.stat().st_mode & 0o077 == 0
    assert await withdrawn(tmp_path, balance=500, payout="0x" + "22" * 20) == (calls, False)
    assert await withdrawn(tmp_path, balance=500) == ([], False)


@pytest.mark.parametrize("text", ["0", "-5", "1e18", "0x10", "5 0x2222", "9" * 40, "٣", "everything"])
async def test_a_request_that_is_no_amount_moves_nothing_and_is_taken_away(tmp_path: Path, text: str) -> None:
    request = request_file(tmp_path, 1, ME)
    request.write_text(text)
    with pytest.raises(ValueError, match="no amount of wei"):
        asked_amount(request)
    assert await withdrawn(tmp_path, balance=500) == ([], False)
