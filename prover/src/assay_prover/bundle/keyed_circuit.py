"""A circuit with its keys: one for a model, or one for each slice of it."""

from __future__ import annotations

import secrets
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from assay_prover import strict_json
from assay_prover.bundle import remembered
from assay_prover.bundle.files import PROVING_KEY, SETUP, VERIFYING_KEY, replace_file
from assay_prover.bundle.manifest import Hash, SliceInfo, exactly_an_integer
from assay_prover.bundle.setup_and_prove import Progress, check_key, make_keys
from assay_prover.circuit import Circuit, Plan, StatementSpec
from assay_prover.errors import AssayProverError, BundleError
from assay_prover.groth16 import InvalidKey, ProvingKey, verifying_key_hash
from assay_prover.lowering import compile_graph
from assay_prover.reference import IntegerGraph

MAX_SETUP_BYTES = 1 << 20

Origin = Literal["single-party development setup", "seeded test setup"]
_ORIGINS: dict[str, Origin] = {
    "development": "single-party development setup",
    "test": "seeded test setup",
}


class SetupReport(BaseModel):
    """What a setup made, kept as setup.json; `seconds` is how long it took when it ran.

    `proving_key_hash` identifies the proving key's file (of several slices, the hash of theirs). It is part
    of `Bundle.metadata_hash`, so that whoever registers a model registers the file that proves it. `skipped`
    says that nothing was made, because the keys were there; it is not kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Annotated[Literal[2], BeforeValidator(exactly_an_integer)] = 2
    circuit_hash: Hash
    vk_hash: Hash
    proving_key_hash: Hash
    seconds: float = Field(ge=0, le=1e9)
    proving_key_bytes: int = Field(ge=0, lt=1 << 48)
    verifying_key_bytes: int = Field(ge=0, lt=1 << 32)
    origin: Origin
    skipped: bool = Field(default=False, exclude=True)


def read_bytes(path: Path, limit: int = 1 << 28) -> bytes:
    """A file of a bundle.

    Raises:
        BundleError: it cannot be read, is larger than `limit`, or is a pipe or a device. A stranger's archive
            may hold pipes, and reading one would wait for ever.
    """
    if path.exists() and not path.is_file():
        raise BundleError(f"{path} is no file")
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > limit:
        raise BundleError(f"{path} is larger than {limit:,} bytes")
    return data


def read_report(folder: Path, circuit_hash: str) -> SetupReport | None:
    """The report of the verifying key in a folder; None if there is none for this circuit."""
    try:
        data = read_bytes(folder / SETUP, MAX_SETUP_BYTES)
        strict_json.loads(data, what=SETUP)
        report = SetupReport.model_validate_json(data)
        key = read_bytes(folder / VERIFYING_KEY)
    except (BundleError, strict_json.JsonError, ValidationError):
        return None
    fresh = report.circuit_hash == circuit_hash and report.vk_hash == verifying_key_hash(key).hex()
    return report if fresh else None


def write_report(folder: Path, report: SetupReport) -> None:
    """setup.json, which is written last: it says that the keys are whole."""
    replace_file(folder / SETUP, (report.model_dump_json(indent=2) + "\n").encode())


def _unfit(key: ProvingKey) -> str:
    """Why no model may have a proving key, whatever else is true of it; "" if it may.

    A ``.zkey`` has no [tau]_2, no [w_i(tau)]_1 and not the circuit's third matrix: nothing in it tells an
    honest key from a doctored one. Such keys prove circuits of circom's (`groth16.snarkjs`), and no model.
    """
    if not key.checkable:
        return "it was converted from another tool's file, which has not what a key is checked by"
    return ""


def _misnamed(key: ProvingKey, report: SetupReport) -> str:
    """What setup.json, which anyone can write, says of the key's making that the key's own file does not."""
    if _ORIGINS.get(key.origin) != report.origin:
        return f"setup.json says it comes of a {report.origin}, the key says {key.origin}"
    return ""


def joined_hash(reports: list[SetupReport]) -> str:
    """The hash of a model's proving keys: that of the file, or of the slices' files together."""
    if len(reports) == 1:
        return reports[0].proving_key_hash
    hashes = b"".join(bytes.fromhex(report.proving_key_hash) for report in reports)
    return sha256(b"assay/proving-keys/v1" + hashes).hexdigest()


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
        try:
            circuit = compile_graph(
                self.graph,
                self.spec,
                plan=Plan(plan.limb_widths, 0, 0.0, plan.maxima_hoisted, plan.product_checks),
            )
        except (AssayProverError, LookupError, ValueError, TypeError, ArithmeticError) as error:
            # A stranger's manifest may ask for tables and statements that do not fit the network.
            raise BundleError(
                f"{self.folder}: no circuit can be built as its manifest says: {error}"
            ) from error
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
        if report is None or self.damage() is not None:
            return None
        return report if self.proving_key_path.exists() else None

    def damage(self) -> str | None:
        """What is wrong with a proving key that should be the one of setup.json; None if nothing is to be
        seen.

        Looks at the file's size and header: its contents are hashed when it is opened.
        """
        report = read_report(self.folder, self.info.circuit)
        path = self.proving_key_path
        if report is None or not path.exists():
            return None
        try:
            size = path.stat().st_size
            if size != report.proving_key_bytes:
                how = "truncated" if size < report.proving_key_bytes else "longer than it should be"
                return f"{path} is {how}: {size:,} bytes instead of {report.proving_key_bytes:,}"
            key = ProvingKey.open(path, verify=False)
        except OSError as error:
            return f"{path} cannot be read: {error.strerror}"
        except InvalidKey as error:
            return f"{path} is damaged: {error}"
        if key.file_hash.hex() != report.proving_key_hash:
            return f"{path} is damaged, or not that of this circuit: it has another hash"
        fault = _unfit(key) or _misnamed(key, report)
        return f"{path}: {fault}" if fault else None

    @property
    def verifying_key(self) -> bytes:
        """The verifying key's bytes.

        Raises:
            BundleError: no setup has run, or the keys belong to another circuit.
        """
        if read_report(self.folder, self.info.circuit) is None:
            raise BundleError(
                f"{self.folder} has no keys of its circuit. Run: assay model setup {self.folder}"
            )
        return read_bytes(self.folder / VERIFYING_KEY)

    @property
    def vk_hash(self) -> bytes:
        """keccak256 of the verifying key."""
        return verifying_key_hash(self.verifying_key)

    def open_key(
        self, *, check: bool = True, threads: int | None = None, progress: Progress | None = None
    ) -> ProvingKey:
        """The proving key, whose contents are hashed and, the first time on this machine, checked point by
        point.

        Args:
            check: whether a key that was never checked here is checked; it takes about as long as setup.
            threads: default all cores.
            progress: called with (stage, fraction); False cancels.

        Raises:
            BundleError: not the key of setup.json, or of another circuit.
            InvalidKey: damaged or doctored.
        """
        key = ProvingKey.open(self.proving_key_path)
        if fault := _unfit(key):
            raise InvalidKey(f"{self.proving_key_path}: {fault}")
        report = read_report(self.folder, self.info.circuit)
        expected = None if report is None else (report.vk_hash, report.proving_key_hash)
        if (key.vk_hash.hex(), key.file_hash.hex()) != expected or (
            key.n_constraints != self.info.layout.n_constraints
        ):
            raise BundleError(
                f"{self.folder}: {PROVING_KEY} is not that of this circuit; copy it from where the bundle "
                "came from"
            )
        if check:
            self._check(key, threads, progress)
        return key

    def _check(self, key: ProvingKey, threads: int | None, progress: Progress | None) -> None:
        name = self._check_name(key)
        if remembered.is_known(name):
            return
        digest = bytes.fromhex(self.info.circuit)
        check_key(key, self.build(), digest=digest, threads=threads, progress=progress)
        remembered.remember(name)

    def _check_name(self, key: ProvingKey) -> str:
        return remembered.name_of("proving key", key.file_hash, bytes.fromhex(self.info.circuit))

    def setup(
        self,
        *,
        threads: int | None = None,
        seed: bytes | None = None,
        force: bool = False,
        progress: Progress | None = None,
    ) -> SetupReport:
        """Make both keys; skipped if those of this circuit are there. See `Bundle.setup`.

        The circuit is let go of afterwards: what a setup needs is bounded by the circuit at hand.
        """
        if not force:
            report = self.report() or self._resumed(threads, progress)
            if report is not None:
                return report.model_copy(update={"skipped": True})
            self._refuse_to_replace()
        started = perf_counter()
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f".{PROVING_KEY}.{secrets.token_hex(4)}"
        try:
            make_keys(
                self.build(),
                partial,
                digest=bytes.fromhex(self.info.circuit),
                threads=threads,
                seed=seed,
                progress=progress,
            )
            (self.folder / SETUP).unlink(missing_ok=True)
            partial.replace(self.proving_key_path)
        finally:
            partial.unlink(missing_ok=True)
        return self._finished(ProvingKey.open(self.proving_key_path), perf_counter() - started)

    def _refuse_to_replace(self) -> None:
        """Keys that are there may be those of a registered model: only who says so replaces them."""
        there = [name for name in (PROVING_KEY, VERIFYING_KEY, SETUP) if (self.folder / name).exists()]
        if not there:
            return
        problem = self.damage()
        if problem is None and PROVING_KEY not in there:
            problem = f"{self.folder} has {' and '.join(there)}, but no {PROVING_KEY}"
        raise BundleError(
            f"{problem or f'{self.folder} has keys that are not those of its circuit'}. Copy the keys from "
            "where the bundle came from, or force a new setup: a registered model would have to be published "
            "again"
        )

    def _resumed(self, threads: int | None, progress: Progress | None) -> SetupReport | None:
        """Finishes a setup that was stopped after its proving key was whole, which holds the verifying key,
        too.
        """
        if (self.folder / SETUP).exists() and (self.folder / VERIFYING_KEY).exists():
            return None
        if not self.proving_key_path.is_file():
            return None
        try:
            key = ProvingKey.open(self.proving_key_path)
            if key.origin not in _ORIGINS:
                return None
            known = self.folder / VERIFYING_KEY
            if known.exists() and read_bytes(known) != key.vk:
                return None
            self._check(key, threads, progress)
        except (OSError, InvalidKey):
            return None
        return self._finished(key, 0.0)

    def _finished(self, key: ProvingKey, seconds: float) -> SetupReport:
        """Writes what belongs to a whole proving key. What this program just made, or checked, needs no
        check.
        """
        replace_file(self.folder / VERIFYING_KEY, key.vk)
        report = SetupReport(
            circuit_hash=self.info.circuit,
            vk_hash=key.vk_hash.hex(),
            proving_key_hash=key.file_hash.hex(),
            seconds=seconds,
            proving_key_bytes=key.bytes,
            verifying_key_bytes=len(key.vk),
            origin=_ORIGINS[key.origin],
        )
        write_report(self.folder, report)
        remembered.remember(self._check_name(key))
        return report
