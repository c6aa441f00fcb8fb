"""Jobs and answers, for a person and for a program."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from .... import chain, client
from ...console import emit, ether, fields, out


def trust_fields(setup: client.SetupTrust, *, recomputed: bool | None = None) -> dict[str, object]:
    """What stands beside `verified` in every JSON document."""
    found: dict[str, object] = {"setup": setup.kind, "trust": setup.trust(recomputed=bool(recomputed))}
    return found if recomputed is None else found | {"recomputed": recomputed}


def describe(job: chain.Job) -> str:
    """A job's state in a line."""
    until = datetime.fromtimestamp(job.deadline).astimezone().strftime("%H:%M:%S")
    worker = None if int(job.worker, 16) == 0 else job.worker
    match job.state:
        case chain.JobState.OPEN if worker:
            return f"open until {until}; {worker} leads with {ether(job.price)}"
        case chain.JobState.OPEN:
            return f"open for bids until {until}"
        case chain.JobState.AWARDED:
            return f"awarded to {worker} for {ether(job.price)}; it may prove or accept until {until}"
        case chain.JobState.ACCEPTED:
            return f"accepted by {worker}; it must prove by {until}"
        case chain.JobState.SETTLED:
            return f"settled: {worker} was paid {ether(job.price)}"
        case _:
            return job.state.name.lower()


def disclosed(store: client.JobStore | None, record: client.JobRecord | None) -> dict[str, Any] | None:
    """To whom a job's input was sent, and how many of them are strangers; None if that is not known here."""
    if store is None or record is None:
        return None
    sent = store.disclosures(record.draft_id)
    return {
        "sent_to": [
            {
                "worker": each.worker,
                "named": each.named,
                "time": datetime.fromtimestamp(each.made, UTC).isoformat(timespec="seconds"),
            }
            for each in sent
        ],
        "strangers": sum(not each.named for each in sent),
    }


def disclosed_in_words(found: dict[str, Any] | None) -> str | None:
    """The same for a person; None where there is nothing to say."""
    if found is None:
        return None
    if not found["sent_to"]:
        return "sent to nobody"
    who = ", ".join(
        f"{each['worker']}{'' if each['named'] else ' (a stranger)'}" for each in found["sent_to"]
    )
    return f"sent to {who}; {found['strangers']} of {len(found['sent_to'])} strangers to you"


def reasons_in_words(reasons: Sequence[client.Reason]) -> list[str]:
    """What workers say of why they stayed out, a line each."""
    return [f"{each.worker} says: {each.reason}" for each in reasons]


def show_job(
    job_id: bytes,
    job: chain.Job,
    *,
    json: bool,
    why: str = "",
    hint: str = "",
    sent: dict[str, Any] | None = None,
    reasons: Sequence[client.Reason] = (),
) -> None:
    """Print where a job stands; ``why`` it ended without a result, a ``hint`` what to do about it, and the
    ``reasons`` of workers that stayed out.
    """
    worker = None if int(job.worker, 16) == 0 else job.worker
    document: dict[str, Any] = {
        "job_id": job_id,
        "state": job.state.name.lower(),
        "why": why or None,
        "hint": hint or None,
        "round": job.round,
        "rounds": job.rounds,
        "requester_awards": job.requester_awards,
        "worker": worker,
        "price_wei": job.price if worker else None,
        "max_price_wei": job.max_price,
        "min_stake_wei": job.min_stake,
        "collateral_wei": job.collateral,
        "deadline": job.deadline,
        "model_id": job.model_id,
        "requester": job.requester,
        "input": sent,
        "reasons": [
            {"worker": each.worker, "moment": each.moment, "reason": each.reason} for each in reasons
        ],
    }
    rows: dict[str, object] = {
        "job": "0x" + job_id.hex(),
        "state": describe(job) + (f": {why}" if why else ""),
        "model": "0x" + job.model_id.hex(),
        "requester": job.requester,
        "ceiling": ether(job.max_price),
    }
    if (words := disclosed_in_words(sent)) is not None:
        rows["input"] = words
    if reasons:
        rows["workers say"] = "\n".join(reasons_in_words(reasons))
    if hint:
        rows["hint"] = hint
    emit(document, as_json=json, human=lambda: out.print(fields(rows)))


def show_result(
    found: client.Result, record: client.JobRecord, store: client.JobStore, *, json: bool
) -> None:
    """Print a verified answer, and never without what "verified" is worth."""
    settled = found.evidence.settled
    sent = disclosed(store, record)
    document = {
        "job_id": found.evidence.job_id,
        "verified": True,
        **trust_fields(found.setup, recomputed=found.recomputed),
        "label": found.label,
        "name": found.name,
        "values": found.values,
        "worker": settled.worker,
        "price_wei": settled.price,
        "refund_wei": settled.refund,
        "settled_tx": settled.origin.tx_hash,
        "input": sent,
    }

    def human() -> None:
        also = ", and computed again here with the same answer" if found.recomputed else ""
        out.print(f"[bold green]verified[/] on this machine {found.setup.short}{also}; decrypted")
        values = ", ".join(f"{value:.4g}" for value in found.values.reshape(-1)[:16])
        values += " ..." if found.values.size > 16 else ""
        rows: dict[str, object] = {"answer": values}
        if found.label is not None:
            answer = str(found.label) if found.name is None else f"{found.name} (class {found.label})"
            rows = {"answer": answer, "values": values}
        rows |= {
            "worker": settled.worker,
            "paid": ether(settled.price),
            "trust": found.setup.trust(recomputed=found.recomputed),
        }
        if (words := disclosed_in_words(sent)) is not None:
            rows["input"] = words
        out.print(fields(rows))

    emit(document, as_json=json, human=human)
