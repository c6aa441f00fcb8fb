"""Programs as files and bundles: from a table to proven weights to a network that answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assay_prover import Bundle, verify
from assay_prover.data import DataSet, Schema, Table
from assay_prover.errors import AssayProverError, InputError
from assay_prover.reference.training import predict, train
from assay_prover.training.compile import compile_program, flat_table, table_of
from assay_prover.training.program import Program
from assay_prover.training.trained import layers_of, trained_circuit_hash, trained_model

ROWS = 40


def table(seed: int = 1, rows: int = ROWS) -> Table:
    random = np.random.default_rng(seed)
    ill = random.integers(0, 2, rows)
    return Table(
        {
            "age": random.integers(20, 80, rows) + 15 * ill,
            "pressure": random.normal(120, 10, rows) + 12 * ill,
            "ward": random.choice(["a", "b"], rows),
            "ill": np.where(ill == 1, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def data() -> DataSet:
    rows = table()
    return DataSet.of(Schema.fit(rows, label="ill"), rows)


@pytest.fixture(scope="module")
def program(data: DataSet) -> Program:
    return Program.of("illness", data.schema, ROWS, {"epochs": 12, "shifts": (4,)})


@pytest.fixture(scope="module")
def bundle(program: Program, data: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("program") / "bundle"
    compile_program(program, folder, data=data)
    made = Bundle.open(folder)
    made.setup()
    return made


def test_a_program_is_the_same_from_toml_and_json(program: Program, tmp_path: Path) -> None:
    (tmp_path / "schema.toml").write_text(program.schema.to_toml())
    (tmp_path / "train.toml").write_text(program.to_toml())
    assert Program.read(tmp_path / "train.toml") == program
    assert Program.from_json(program.to_json()) == program


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("epoch = 3", "unknown key epoch; known are"),
        ("epochs = 1.5", "epochs is a whole number"),
        ('hidden = "16"', "hidden is a list"),
        ("batch = 7", "does not divide"),
        ("[scales]\nweight = 3", "unknown key scales.weight"),
        ("rows = ", "cannot read"),
    ],
)
def test_a_bad_program_is_one_clear_line(line: str, message: str, program: Program, tmp_path: Path) -> None:
    (tmp_path / "schema.toml").write_text(program.schema.to_toml())
    (tmp_path / "train.toml").write_text(f"rows = {ROWS}\n{line}\n")
    with pytest.raises(InputError, match=message):
        Program.read(tmp_path / "train.toml")


def test_the_proof_says_that_these_are_the_weights_of_the_committed_table(
    bundle: Bundle, program: Program, data: DataSet
) -> None:
    features, labels = table_of(program, data)
    proof = bundle.prover().prove(flat_table(features, labels), salt=data.salts[0], binding=7)
    assert proof.public[1] == data.blocks[0]  # the data set's own commitment is the statement's input
    weights = bundle.decode_output(proof.public[2:]).integers
    assert np.array_equal(weights, train(program.recipe, features, labels).flat)
    bundle.verify(proof.public, proof.proof)
    for place in range(len(proof.public)):
        public = list(proof.public)
        public[place] += 1
        with pytest.raises(AssayProverError):
            verify(bundle.verifying_key, public, proof.proof)


def test_another_table_does_not_open_the_commitment(bundle: Bundle, program: Program, data: DataSet) -> None:
    features, labels = table_of(program, data)
    for row in (0, ROWS - 1):
        other = features.copy()
        other[row, 0] += 1
        proof = bundle.prover().prove(flat_table(other, labels), salt=data.salts[0])
        assert proof.public[1] != data.blocks[0]
        flipped = labels.copy()
        flipped[row] ^= 1
        assert (
            bundle.prover().prove(flat_table(features, flipped), salt=data.salts[0]).public[1]
            != data.blocks[0]
        )


def test_the_trained_network_is_a_bundle_that_answers_for_rows(
    bundle: Bundle, program: Program, data: DataSet, tmp_path: Path
) -> None:
    features, labels = table_of(program, data)
    trained = train(program.recipe, features, labels)
    trained_model(program, trained.flat, tmp_path / "model")
    model = Bundle.open(tmp_path / "model")
    model.setup()
    assert bytes(model.circuit_hash) == trained_circuit_hash(program, trained.flat)
    unseen = _within(table(seed=9), program.schema)
    encoded = program.schema.features_of(unseen)
    raw = np.stack(
        [
            unseen.columns["age"],
            unseen.columns["pressure"],
            unseen.columns["ward"] == "a",
            unseen.columns["ward"] == "b",
        ],
        axis=1,
    )
    answers = []
    for row, integers in zip(raw.astype(float), encoded, strict=True):
        taken = model.encode_input(row, saturate=True)
        assert np.array_equal(taken, integers)  # a bundle's encoding is the schema's
        answers.append(int(model.infer(taken).argmax()))
    expected = predict(program.recipe, trained.weights, encoded)
    assert np.mean(np.array(answers) == expected) > 0.95
    proof = model.prover().prove(model.encode_input(raw[0].astype(float), saturate=True), salt=5)
    model.verify(proof.public, proof.proof)
    assert model.decode_output(proof.public[2:], salt=5).name in ("no", "yes")


def test_other_weights_make_another_circuit(program: Program, data: DataSet) -> None:
    flat = train(program.recipe, *table_of(program, data)).flat
    honest = trained_circuit_hash(program, flat)
    for place in (0, flat.size - 1):
        other = flat.copy()
        other[place] += 1
        assert trained_circuit_hash(program, other) != honest
    with pytest.raises(ValueError, match="weights, not"):
        layers_of(program.recipe, flat[:-1])


def test_what_does_not_fit_a_program_is_one_clear_line(
    program: Program, data: DataSet, tmp_path: Path
) -> None:
    longer = table(rows=ROWS + 1)
    with pytest.raises(InputError, match=f"takes {ROWS} rows, the data set has {ROWS + 1}"):
        table_of(
            program, DataSet.of(Schema(data.schema.columns, data.schema.label), _within(longer, data.schema))
        )
    with pytest.raises(InputError, match="another schema"):
        table_of(program, DataSet.of(Schema.fit(longer, label="ill"), longer))
    with pytest.raises(InputError, match="several blocks"):
        table_of(program, DataSet.of(data.schema, table(), rows_per_block=20))
    with pytest.raises(InputError, match="cannot be encrypted"):
        compile_program(program, tmp_path / "bundle", output="encrypted")
    with pytest.raises(InputError, match="has no label"):
        Program("x", program.recipe, Schema(data.schema.columns))
    with pytest.raises(InputError, match="has 4 features, 2 classes and 8 bits, the program 5, 2 and 8"):
        Program("x", replace(program.recipe, features=5), data.schema)


def _within(rows: Table, schema: Schema) -> Table:
    columns = dict(rows.columns)
    for column in schema.columns:
        if column.kind in ("real", "whole"):
            columns[column.name] = np.clip(columns[column.name], column.lo, column.hi)
    return Table(columns)


def test_two_runs_over_one_data_set_share_no_pads(program: Program, tmp_path: Path) -> None:
    """An encrypted output would be under the salt of the data set, the same for each run: there is none."""
    with pytest.raises(InputError, match="would share their pads"):
        compile_program(program, tmp_path / "bundle", output="encrypted")
    compile_program(program, tmp_path / "digest", output="committed")
    assert Bundle.open(tmp_path / "digest").manifest.output.words == 1
