"""A circuit with its keys: one for a model, or one for each slice of it."""

from __future__ import annotations

import secrets
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assay_prover.bundle.files import replace_file
from assay_prover.bundle.manifest import SliceInfo
from assay_prover.bundle.setup_and_prove import Progress, make_keys
from assay_prover.circuit import Circuit, Plan, StatementSpec
from assay_prover.errors import BundleError
from assay_prover.groth16 import verifying_key_hash
from assay_prover.lowering import compile_graph
from assay_prover.reference import IntegerGraph

PROVING_KEY, VERIFYING_KEY, SETUP = "proving.key", "verifying.key", "setup.json"
MAX_SETUP_BYTES = 1 << 20


class SetupReport(BaseModel):
    """What a setup made, kept as setup.json; `seconds` is how long it took when it ran."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    circuit_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    vk_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    seconds: float
    proving_key_bytes: int
    verifying_key_bytes: int
    origin: Literal["single-party development setup", "seeded test setup"]


def read_bytes(path: Path, limit: int | None = None) -> bytes:
    """A file of a bundle.

    Raises:
        BundleError: it cannot be read, or is larger than `limit`.
    """
    try:
        if limit is not None and path.stat().st_size > limit:
            raise BundleError(f"{path} is implausibly large")
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}") from error


def read_report(folder: Path, circuit_hash: str) -> SetupReport | None:
    """The report of the verifying key in a folder; None if there is none for this circuit."""
    try:
        report = SetupReport.model_validate_json(read_bytes(folder / SETUP, MAX_SETUP_BYTES))
        key = read_bytes(folder / VERIFYING_KEY)
    except (BundleError, ValidationError):
        return None
    fresh = report.circuit_hash == circuit_hash and report.vk_hash == verifying_key_hash(key).hex()
    return report if fresh else None


class KeyedCircuit:
    """A circuit that is built when it is needed, and the folder of its keys.

    Attributes:
        folder: of proving.key, verifying.key and setup.json, which is written last.
        graph: what the circuit proves.
        spec: under which statement.
        info: what it must come out as.
    """

    def __init__(self, folder: Path, graph: IntegerGraph, spec: StatementSpec, info: SliceInfo) -> None:
        self.folder = folder
        self.graph = graph
        self.spec = spec
        self.info = info

    def build(self) -> Circuit:
        """The constraint system, from the quantised network.

        Raises:
            BundleError: another version of this library compiled the bundle and lowers it differently.
        """
        plan = self.info.plan
        circuit = compile_graph(
            self.graph,
            self.spec,
            plan=Plan(plan.limb_widths, 0, 0.0, plan.maxima_hoisted, plan.product_checks),
        )
        layout, wanted = circuit.layout, self.info.layout
        built = (layout.n_public, layout.committed, layout.n_model, layout.n_w1, layout.n_w2)
        if (*built, circuit.n_constraints) != (
            wanted.n_public,
            wanted.committed,
            wanted.n_model,
            wanted.n_w1,
            wanted.n_w2,
            wanted.n_constraints,
        ):
            raise BundleError(
                f"{self.folder}: this version of the library builds another circuit; compile again"
            )
        return circuit

    @cached_property
    def circuit(self) -> Circuit:
        """As `build`, and kept."""
        return self.build()

    @property
    def proving_key_path(self) -> Path:
        """Where the proving key is, if setup has run."""
        return self.folder / PROVING_KEY

    def report(self) -> SetupReport | None:
        """The report of this circuit's keys; None if any part is missing or stale."""
        report = read_report(self.folder, self.info.circuit)
        try:
            size = self.proving_key_path.stat().st_size
        except OSError:
            return None
        return report if report is not None and report.proving_key_bytes == size else None

    @property
    def verifying_key(self) -> bytes:
        """The verifying key's bytes.

        Raises:
            BundleError: no setup has run, or the keys belong to another circuit.
        """
        if read_report(self.folder, self.info.circuit) is None:
            raise BundleError(f"{self.folder} has no keys of its circuit: run setup")
        return read_bytes(self.folder / VERIFYING_KEY)

    @property
    def vk_hash(self) -> bytes:
        """keccak256 of the verifying key."""
        return verifying_key_hash(self.verifying_key)

    def setup(
        self, *, threads: int | None = None, seed: bytes | None = None, progress: Progress | None = None
    ) -> SetupReport:
        """Make both keys; skipped if those of this circuit are there. See `Bundle.setup`.

        The circuit is let go of afterwards: what a setup needs is bounded by the circuit at hand.
        """
        report = self.report()
        if report is not None:
            return report
        started = perf_counter()
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f".{PROVING_KEY}.{secrets.token_hex(4)}"
        try:
            key = make_keys(
                self.build(),
                partial,
                digest=bytes.fromhex(self.info.circuit),
                threads=threads,
                seed=seed,
                progress=progress,
            )
            (self.folder / SETUP).unlink(missing_ok=True)
            replace_file(self.folder / VERIFYING_KEY, key)
            partial.replace(self.proving_key_path)
        finally:
            partial.unlink(missing_ok=True)
        report = SetupReport(
            circuit_hash=self.info.circuit,
            vk_hash=verifying_key_hash(key).hex(),
            seconds=perf_counter() - started,
            proving_key_bytes=self.proving_key_path.stat().st_size,
            verifying_key_bytes=len(key),
            origin="single-party development setup" if seed is None else "seeded test setup",
        )
        replace_file(self.folder / SETUP, (report.model_dump_json(indent=2) + "\n").encode())
        return report
