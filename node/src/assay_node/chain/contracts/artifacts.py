"""The compiled contracts, shipped as package data in `assay_node/abi`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ..errors import DeploymentError
from .interface import Interface


@dataclass(frozen=True)
class Artifact:
    """One compiled contract: its interface, the code that creates it, and the code that it then has.

    Immutables are zeros in `runtime_code`.
    """

    interface: Interface
    creation_code: bytes
    runtime_code: bytes


@cache
def artifact(name: str) -> Artifact:
    """The artifact of a contract by its Solidity name.

    Raises:
        DeploymentError: the package has no such artifact.
    """
    document = _document(name)
    return Artifact(
        Interface(name, document["abi"]), _code(document["bytecode"]), _code(document["deployedBytecode"])
    )


def _code(code: Any) -> bytes:
    text = code["object"] if isinstance(code, dict) else code
    return bytes.fromhex(text.removeprefix("0x"))


def interface(name: str) -> Interface:
    """The interface of a contract by its Solidity name."""
    return artifact(name).interface


@cache
def library_errors() -> Interface:
    """Every custom error that the contracts or a library of theirs declare, for decoding reverts.

    A library that reverts in assembly is not in the ABI of the contract that uses it.
    """
    return Interface("errors", _document("errors")["abi"])


def _document(name: str) -> Any:
    resource = files("assay_node").joinpath("abi", f"{name}.json")
    try:
        return json.loads(resource.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DeploymentError(
            f"this installation has no compiled contract {name}", "Reinstall assay-node"
        ) from error
