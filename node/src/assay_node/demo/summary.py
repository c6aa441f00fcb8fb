"""What the demo found out, for scripts as JSON and for people as a page."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ..client.proof_file import write_atomically

GWEI = 10**9


@dataclass(frozen=True, slots=True)
class Account:
    """What a job did to one participant's money: account, vault and stake together, in wei."""

    name: str
    role: str
    earned: int
    gas: int

    @property
    def net(self) -> int:
        """What is left of what was earned after paying for gas."""
        return self.earned - self.gas


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The facts of one run; the fields are the keys of summary.json.

    ``verify_gas`` is the verifier's execution alone, ``submit_gas`` the whole transaction that submitted the
    proof. ``requester_spent_wei`` is price and gas.
    """

    chain: int
    job_state: str
    expected_label: str
    decrypted_label: str
    setup_seconds: float
    prove_seconds: float
    constraints: int
    proof_bytes: int
    verify_gas: int
    submit_gas: int
    worker_paid_wei: int
    requester_spent_wei: int

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(asdict(self), indent=2).encode() + b"\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the closing page tells beside the summary's figures."""

    summary: Summary
    patient: int
    pathologist: str
    expected_logits: tuple[float, ...]
    decrypted_logits: tuple[float, ...]
    job_id: bytes
    worker: str
    bids: tuple[tuple[str, int], ...]
    accounts: tuple[Account, ...]
    setup_cached: bool
    seconds: float
    on_chain_input: int


def show(story: Story, console: Console) -> None:
    """Print the closing page."""
    summary = story.summary
    agree = summary.decrypted_label == summary.expected_label
    verdict = Text.assemble(
        ("The answer, decrypted by the requester: ", ""),
        (summary.decrypted_label, "bold green" if agree else "bold red"),
    )
    answers = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("", "diagnosis", "logits"):
        answers.add_column(title)
    answers.add_row("proven and decrypted", summary.decrypted_label, _numbers(story.decrypted_logits))
    answers.add_row("onnxruntime, in floats", summary.expected_label, _numbers(story.expected_logits))
    answers.add_row("the pathologist", story.pathologist, "")

    bids = ", ".join(f"{name} {amount(price)}" for name, price in story.bids)
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("patient", f"record {story.patient} of 143; 30 measurements that nobody but the worker saw")
    facts.add_row("on chain instead", f"the commitment 0x{story.on_chain_input:064x}")
    facts.add_row("job", f"0x{story.job_id.hex()}, {summary.job_state} on chain {summary.chain}")
    facts.add_row("bids", f"{bids}; {story.worker} won")
    setup = "kept from an earlier run" if story.setup_cached else f"{summary.setup_seconds:.2f} s"
    facts.add_row(
        "proof",
        f"{summary.constraints:,} constraints, setup {setup}, proven in {summary.prove_seconds:.2f} s, "
        f"{summary.proof_bytes} bytes",
    )
    facts.add_row(
        "gas", f"{summary.verify_gas:,} to verify, {summary.submit_gas:,} to submit, pay and settle"
    )

    money = Table(box=None, padding=(0, 2, 0, 0))
    money.add_column("who")
    money.add_column("for what")
    for title in ("paid or earned", "gas", "in all"):
        money.add_column(title, justify="right")
    for account in story.accounts:
        money.add_row(
            account.name,
            account.role,
            amount(account.earned, sign=True),
            amount(-account.gas, sign=True),
            Text(amount(account.net, sign=True), style="green" if account.net > 0 else ""),
        )
    page = Group(verdict, Text(), answers, Text(), facts, Text(), money)
    console.print(
        Panel(page, title=f"Assay: asked, proven, paid in {story.seconds:.1f} s", border_style="green"),
        soft_wrap=False,
    )


def amount(wei: int, *, sign: bool = False) -> str:
    """An amount a person can compare with others: ether to six digits, or gwei if there are few."""
    prefix = "+" if sign and wei > 0 else ""
    if wei == 0:
        return "0"
    if abs(wei) < 10**12:
        return f"{prefix}{wei / GWEI:,.0f} gwei"
    return f"{prefix}{wei / 10**18:.6f} ETH"


def _numbers(values: tuple[float, ...]) -> str:
    return "  ".join(f"{value:+.4f}" for value in values)
