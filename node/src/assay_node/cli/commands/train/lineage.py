"""`assay verify --trained-by`: where a model comes from, verified and told in a sentence."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from ...console import emit, fields, out
from ...session import connect

if TYPE_CHECKING:
    from ....records import Run


def show_lineage(
    rpc: list[str],
    check_rpc: str | None,
    deployment: Path | None,
    home: Path,
    job_id: bytes,
    model_id: bytes,
    program: Path,
    *,
    json: bool,
) -> None:
    """Verify that a model is what a training job made, and print what that means.

    Args:
        rpc, check_rpc, deployment, home: as every command takes them.
        job_id: the training job.
        model_id: the model that is said to come from it.
        program: bundle of the program that the job ran.
        json: print a document instead of sentences.

    Raises:
        EvidenceMismatch, InvalidProof: it does not hold.
    """
    import assay_prover

    from ....records import read_run, verify_certificate, verify_lineage

    opened = assay_prover.Bundle.open(program)

    async def act() -> tuple[Run, bool]:
        async with connect(rpc, deployment, home, check_rpc=check_rpc) as session:
            found = await read_run(session.chain, job_id, opened)
            await verify_lineage(session.chain, model_id, found)
            return found, await verify_certificate(session.chain, model_id, found)

    run, recorded = asyncio.run(act())
    recipe, data = run.program.recipe, run.data_set
    document: dict[str, Any] = {
        "lineage_verified": True,
        "model_id": model_id,
        "job_id": job_id,
        "program_id": run.program_id,
        "program": run.program.name,
        "dataset_id": None if data is None else data.dataset_id,
        "rows": recipe.rows,
        "steps": recipe.epochs * recipe.steps,
        "on_record": recorded,
        "attesters": []
        if data is None
        else [
            {"attester": each.address, "statement": each.statement, "stands": each.stands}
            for each in data.attesters
        ],
        "setup": run.setup,
        "trust": run.trust,
    }

    def human() -> None:
        which = "an unregistered data set" if data is None else f"data set 0x{data.dataset_id.hex()}"
        steps = recipe.epochs * recipe.steps
        made_of = f"{which} ({recipe.rows} rows) in {steps} step{'' if steps == 1 else 's'}"
        out.print(
            f"[bold green]verified[/]: model 0x{model_id.hex()} is what program {escape(run.program.name)} "
            f"made of {made_of}, and of nothing else"
        )
        for each in () if data is None else data.attesters:
            words = "".join(c if c.isprintable() else "?" for c in each.statement)
            when = datetime.fromtimestamp(each.since, UTC).date().isoformat() if each.stands else "withdrawn"
            out.print(f"attested by {each.address} ({when}): {escape(words)}")
        if data is None or not data.attesters:
            out.print("nobody vouches for the data")
        out.print(fields({"on record": "yes" if recorded else "no", "trust": run.trust}))

    emit(document, as_json=json, human=human)
