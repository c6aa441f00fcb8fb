"""A model's private files: weights.npz, what only its owner and provers have, and the opening of M.

circuit.npz of a bundle with private weights holds the architecture, every private number being zero; these
files hold the rest. They are readable by their owner alone.
"""

from __future__ import annotations

import io
import os
import secrets
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from assay_prover import strict_json
from assay_prover.bundle.array_files import open_archive, read_integers
from assay_prover.bundle.files import COMMITMENT, OPENING, WEIGHTS, replace_file, sync
from assay_prover.bundle.manifest import Manifest, exactly_an_integer
from assay_prover.errors import AssayProverError, BundleError
from assay_prover.reference import IntegerGraph, PrivateAffine

_EPOCH = (1980, 1, 1, 0, 0, 0)
_NARROW = ("<i1", "<i2", "<i4", "<i8")
MAX_SECRET_BYTES = 1 << 20
"""Bytes of model.commitment or model.opening; of the most slices they have some 40 KB."""

_Part = TypeVar("_Part", bound=BaseModel)


class PublicCommitment(BaseModel):
    """model.commitment: M under a verifying key, 64 bytes in hexadecimal for each slice that has one. To be
    published.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Annotated[Literal[1], BeforeValidator(exactly_an_integer)] = 1
    vk_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    commitment: str = Field(pattern=r"^([0-9a-f]{128})+$")


class Opening(BaseModel):
    """model.opening: the secret mu of M, and the hash of the weights it was made of. To be kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Annotated[Literal[1], BeforeValidator(exactly_an_integer)] = 1
    vk_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    commitment: str = Field(pattern=r"^([0-9a-f]{128})+$")
    weights: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)
    opening: str = Field(pattern=r"^([0-9a-f]{64})+$", repr=False)


def write_secret(path: Path, data: bytes) -> None:
    """Like `replace_file`, readable by the owner alone from its first byte on."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def dump_weights(graph: IntegerGraph) -> bytes:
    """Every private number of the network, layer after layer; equal weights are equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        arrays = [values for layer in graph.private for values in layer.weights]
        for number, values in enumerate(arrays):
            kind = next(k for k in _NARROW if np.array_equal(values, values.astype(k)))
            member = io.BytesIO()
            np.lib.format.write_array(member, values.astype(kind), version=(1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{number}.npy", _EPOCH), member.getvalue())
    return buffer.getvalue()


def load_weights(data: bytes, graph: IntegerGraph) -> IntegerGraph:
    """The architecture `graph` with the weights of a file.

    Raises:
        BundleError: damaged, or weights of another architecture or beyond its limits.
    """
    try:
        return graph.with_private(list(_read_layers(data, graph)))
    except BundleError:
        raise
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, EOFError, NotImplementedError) as error:
        raise BundleError(f"{WEIGHTS} is damaged: {error}") from error
    except AssayProverError as error:
        raise BundleError(f"{WEIGHTS} does not fit its architecture: {error}") from error


def _read_layers(data: bytes, graph: IntegerGraph) -> Iterator[PrivateAffine]:
    with open_archive(data, WEIGHTS) as archive:
        if len(archive.infolist()) != sum(len(layer.weights) for layer in graph.private):
            raise BundleError(f"{WEIGHTS} belongs to another architecture")
        number = 0
        for layer in graph.private:
            weights = []
            for _ in layer.weights:
                weights.append(read_integers(archive.read(f"{number}.npy")))
                number += 1
            yield layer.with_weights(tuple(weights))


def read_commitment(folder: Path) -> PublicCommitment | None:
    """model.commitment, or None if there is none.

    Raises:
        BundleError: damaged.
    """
    try:
        return _read(folder / COMMITMENT, PublicCommitment)
    except FileNotFoundError:
        return None
    except (OSError, strict_json.JsonError, ValidationError) as error:
        raise BundleError(f"{folder / COMMITMENT} cannot be read: {error}") from error


def read_opening(folder: Path) -> Opening | None:
    """model.opening, or None if there is none.

    Raises:
        BundleError: damaged.
    """
    try:
        return _read(folder / OPENING, Opening)
    except FileNotFoundError:
        return None
    except (OSError, strict_json.JsonError, ValidationError) as error:
        # the cause would quote the secret wherever a traceback is shown
        if isinstance(error, OSError):
            raise BundleError(f"cannot read {folder / OPENING}: {error.strerror}") from error
        raise BundleError(f"{folder / OPENING} is damaged; commit to the model again") from None


def _read(path: Path, kind: type[_Part]) -> _Part:
    """A file that may be a stranger's: its JSON is strict and bounded before its fields are looked at."""
    if path.exists() and not path.is_file():
        raise BundleError(f"{path} is no file")
    with path.open("rb") as file:
        data = file.read(MAX_SECRET_BYTES + 1)
    strict_json.loads(data, what=path.name, max_bytes=MAX_SECRET_BYTES)
    return kind.model_validate_json(data)


def write_commitment(folder: Path, opening: Opening) -> None:
    """Both files, the secret first: a commitment without its opening would be of no use."""
    write_secret(folder / OPENING, (opening.model_dump_json(indent=2) + "\n").encode())
    public = PublicCommitment(vk_hash=opening.vk_hash, commitment=opening.commitment)
    replace_file(folder / COMMITMENT, (public.model_dump_json(indent=2) + "\n").encode())


def published(manifest: Manifest) -> Manifest:
    """The manifest as strangers get it: no figure fine enough to test a guess of the weights by.

    Accuracies to three decimals, errors to two digits, on all samples alone; nothing by layer.
    """
    report = manifest.report

    def digits(value: float | None) -> float | None:
        return None if value is None else float(f"{value:.1e}")

    def decimals(value: float | None) -> float | None:
        return None if value is None else round(value, 3)

    rounded = report.model_copy(
        update={
            "agreement": decimals(report.agreement),
            "accuracy_float": decimals(report.accuracy_float),
            "accuracy_quantised": decimals(report.accuracy_quantised),
            "r2_float": decimals(report.r2_float),
            "r2_quantised": decimals(report.r2_quantised),
            "mae_float": digits(report.mae_float),
            "mae_quantised": digits(report.mae_quantised),
            "error_median": digits(report.error_median),
            "error_p99": digits(report.error_p99),
            "error_max": digits(report.error_max),
            "output_span": digits(report.output_span),
            "saturated": decimals(report.saturated),
            "risk": decimals(report.risk),
            "error_percentiles": (),
        }
    )
    return manifest.model_copy(update={"report": rounded, "selection": None, "layers": (), "warnings": ()})


def weights_hash(data: bytes) -> str:
    """SHA-256 of weights.npz; never published, since it would let guesses be tested."""
    return sha256(data).hexdigest()
