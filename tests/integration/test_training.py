"""Training on chain: an ordinary job over a committed data set, and lineage that is verified again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assay_node.chain import AnswerForged, ContractReverted, sign_attestation
from assay_node.cli.exit_codes import ExitCode
from assay_node.client.errors import EvidenceMismatch
from assay_node.devnet import DevnetThread
from assay_node.records import (
    identity_of,
    read_data_set,
    read_run,
    runs_over,
    verify_certificate,
    verify_lineage,
)
from assay_prover import Bundle, InputError
from assay_prover.data import DataSet, Schema, Table
from assay_prover.reference.training import train
from assay_prover.training.compile import compile_program, table_of
from assay_prover.training.program import Program
from assay_prover.training.trained import trained_model
from market import TERMS, Market, Sampled

Assay = Callable[..., tuple[str, str]]
ROWS = 30


def rows(seed: int = 1) -> Table:
    random = np.random.default_rng(seed)
    ill = random.integers(0, 2, ROWS)
    return Table({"a": random.normal(0, 1, ROWS) + ill, "b": random.normal(0, 1, ROWS), "ill": ill})


def given(program: Program, data: DataSet) -> dict[str, np.ndarray]:
    features, labels = table_of(program, data)
    return {"features": features / (1 << program.recipe.data_fraction), "labels": labels}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Program, DataSet, Sampled]:
    """A small program with keys, and a data set for it."""
    table = rows()
    data = DataSet.of(Schema.fit(table, label="ill"), table)
    program = Program.of("illness", data.schema, ROWS, {"epochs": 5, "shifts": (4,)})
    folder = tmp_path_factory.mktemp("program") / "bundle"
    compile_program(program, folder, data=data)
    bundle = Bundle.open(folder)
    bundle.setup()
    return program, data, Sampled(bundle, np.zeros((1, 1)), np.zeros(1))


async def test_a_model_is_trained_by_a_job_and_its_lineage_holds(
    market: Market, made: tuple[Program, DataSet, Sampled], tmp_path: Path
) -> None:
    program, data, sampled = made
    chain, registry = market.chain, market.chain.data
    dataset_id = identity_of(data)
    await market.publishing.send("data", registry.register(data.schema.hash, ROWS, ROWS, data.blocks))
    hospital = market.net.accounts[5]
    signature = sign_attestation(
        hospital, chain.deployment.chain_id, registry.address, dataset_id, "seen by us", 0
    )
    await market.publishing.send(
        "attest", registry.attest(dataset_id, hospital.address, "seen by us", signature)
    )
    program_id = await market.publish(sampled)
    requester = await market.requester(1)
    async with market.working(await market.worker_config(2, sampled)):
        posted = await requester.submit(
            sampled.bundle, program_id, given(program, data), TERMS, salt=data.salts[0]
        )
        await market.follow(requester, posted.job_id)
    run = await read_run(chain, posted.job_id, sampled.bundle)
    flat = train(program.recipe, *table_of(program, data)).flat
    assert run.weights is not None
    assert np.array_equal(run.weights, flat)
    assert run.data_set is not None
    assert run.data_set.dataset_id == dataset_id
    assert [(each.address, each.stands) for each in run.data_set.attesters] == [(hospital.address, True)]
    assert [each.job_id for each in await runs_over(chain, run.data_set)] == [posted.job_id]

    async def published(weights: np.ndarray, name: str) -> bytes:
        trained_model(replace(program, name=name), weights, tmp_path / name)
        bundle = Bundle.open(tmp_path / name)
        bundle.setup()
        return await market.publish(Sampled(bundle, np.zeros((1, 2)), np.zeros(1)))

    model_id = await published(flat, "honest")
    await verify_lineage(chain, model_id, run)
    assert not await verify_certificate(chain, model_id, run)
    await market.publishing.send("certify", chain.certificates.certify(model_id, posted.job_id, dataset_id))
    assert await verify_certificate(chain, model_id, run)
    with pytest.raises(AnswerForged, match="another job"):
        await verify_certificate(chain, model_id, replace(run, job_id=bytes(32)))

    # A weight is edited between proof and model; the owner puts the lie on record all the same.
    edited = flat.copy()
    edited[0] += 1
    other = await published(edited, "edited")
    await market.publishing.send("lie", chain.certificates.certify(other, posted.job_id, dataset_id))
    with pytest.raises(EvidenceMismatch, match="not the network that job"):
        await verify_lineage(chain, other, run)


async def test_a_salt_that_was_used_before_is_refused_for_an_encrypted_output(
    market: Market, bc_mlp: Sampled
) -> None:
    model_id = await market.publish(bc_mlp)
    requester = await market.requester(1)
    with pytest.raises(InputError, match="must not be used twice"):
        await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS, salt=7)


async def test_a_job_over_other_rows_is_no_job_over_the_data_set(
    market: Market, made: tuple[Program, DataSet, Sampled]
) -> None:
    program, data, sampled = made
    registry = market.chain.data
    await market.publishing.send("data", registry.register(data.schema.hash, ROWS, ROWS, data.blocks))
    program_id = await market.publish(sampled)
    requester = await market.requester(1)
    table = given(program, data)
    table["labels"] = 1 - table["labels"]
    async with market.working(await market.worker_config(2, sampled)):
        posted = await requester.submit(sampled.bundle, program_id, table, TERMS, salt=data.salts[0])
        await market.follow(requester, posted.job_id)
    run = await read_run(market.chain, posted.job_id, sampled.bundle)
    assert run.data_set is None  # the input word is another commitment
    found = await read_data_set(market.chain, identity_of(data))
    assert await runs_over(market.chain, found) == []
    with pytest.raises(ContractReverted, match="is not data set"):
        await _certify_other(market, sampled, posted.job_id, identity_of(data))


async def _certify_other(market: Market, sampled: Sampled, job_id: bytes, dataset_id: bytes) -> None:
    other = await market.publish(sampled, royalty_bps=1)
    await market.publishing.send("lie", market.chain.certificates.certify(other, job_id, dataset_id))


def test_a_program_is_made_from_a_data_set_on_the_command_line(assay: Assay, tmp_path: Path) -> None:
    table = rows()
    lines = [
        ",".join(table.columns),
        *(",".join(map(str, row)) for row in zip(*table.columns.values(), strict=True)),
    ]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    schema, data, program, bundle = (tmp_path / name for name in ("schema.toml", "rows", "program", "bundle"))
    assay("data", "schema", tmp_path / "rows.csv", "--label", "ill", "-o", schema)
    assay("data", "commit", tmp_path / "rows.csv", "--schema", schema, "-o", data)
    chosen = json.loads(assay("train", "init", data, "-o", program, "--epochs", "4", "--json")[0])
    assert chosen["rows"] == ROWS
    assert abs(chosen["accuracy_held_out"] - chosen["accuracy_held_out_float"]) < 0.2
    cost = json.loads(assay("train", "cost", program, "--json")[0])
    compiled = json.loads(assay("train", "compile", program, "-o", bundle, "--data", data, "--json")[0])
    assert compiled["constraints"] == cost["constraints"]
    picture = (bundle / "loss.svg").read_text()
    assert "floating point" in picture
    assert "integers" in picture
    _, error = assay("train", "init", data, "-o", program, code=ExitCode.FAILED)
    assert "exists already" in error
    (program / "train.toml").write_text((program / "train.toml").read_text().replace("epochs", "epoch"))
    _, error = assay("train", "compile", program, "-o", tmp_path / "other", code=ExitCode.FAILED)
    assert "unknown key epoch" in error


def test_lineage_options_go_together(assay: Assay, net: DevnetThread) -> None:
    assay("deploy")
    _, error = assay("verify", "--trained-by", "0x" + "12" * 32, code=ExitCode.USAGE)
    assert "go together" in error
