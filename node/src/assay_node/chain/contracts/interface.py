"""A contract's ABI at work: calls to bytes, return data, events and custom errors back to named values.

Pure, over eth-abi: no node is needed to build a call or to read a log, so all of it is tested without one.
Structs come back as dictionaries with the ABI's names in snake case, addresses with their EIP-55 checksum.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.exceptions import DecodingError
from eth_utils.abi import (
    collapse_if_tuple,
    event_abi_to_log_topic,
    function_abi_to_4byte_selector,
)
from eth_utils.address import to_checksum_address

from ..node.types import Log
from .codec import decode, encode


@dataclass(frozen=True, slots=True)
class DecodedEvent:
    """One log, decoded: the event's name and its arguments by snake-case name."""

    name: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DecodedError:
    """Revert data, decoded."""

    name: str
    args: dict[str, Any]


def snake_case(name: str) -> str:
    """`acceptDeadline` -> `accept_deadline`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().lstrip("_")


class Interface:
    """One contract's ABI.

    Args:
        name: the contract's name, for messages.
        abi: the ABI as JSON gives it. Overloaded functions are not supported: the contracts have none.
    """

    def __init__(self, name: str, abi: Sequence[Mapping[str, Any]]) -> None:
        self.name = name
        self._functions: dict[str, Any] = {
            entry["name"]: entry for entry in abi if entry["type"] == "function"
        }
        self._constructor = next((entry for entry in abi if entry["type"] == "constructor"), None)
        self._events = {
            bytes(event_abi_to_log_topic(entry)): entry  # type: ignore[arg-type]
            for entry in abi
            if entry["type"] == "event" and not entry.get("anonymous")
        }
        self._errors = {
            bytes(function_abi_to_4byte_selector(_as_function(entry))): entry
            for entry in abi
            if entry["type"] == "error"
        }

    def encode_call(self, function: str, *args: Any) -> bytes:
        """Calldata. Structs are given as tuples in the order of their fields."""
        entry = self._functions[function]
        types = [collapse_if_tuple(component) for component in entry["inputs"]]
        return bytes(function_abi_to_4byte_selector(entry)) + encode(types, args)

    def encode_constructor(self, *args: Any) -> bytes:
        """Constructor arguments, to be appended to the creation code."""
        inputs = self._constructor["inputs"] if self._constructor else []
        if len(inputs) != len(args):
            raise ValueError(f"{self.name}'s constructor takes {len(inputs)} arguments, got {len(args)}")
        return encode([collapse_if_tuple(component) for component in inputs], args)

    def decode_return(self, function: str, data: bytes) -> Any:
        """A function's return value; a tuple if it has several, None if it has none."""
        outputs = self._functions[function]["outputs"]
        values = _decode(outputs, data)
        if not outputs:
            return None
        return values[0] if len(outputs) == 1 else values

    def decode_arguments(self, function: str, data: bytes) -> dict[str, Any]:
        """Arguments of a call by name, from its calldata. Raises ValueError if it is another function's."""
        entry = self._functions[function]
        if data[:4] != function_abi_to_4byte_selector(entry):
            raise ValueError(f"this is no call of {self.name}.{function}")
        values = _decode(entry["inputs"], data[4:])
        return {
            snake_case(component["name"]): value
            for component, value in zip(entry["inputs"], values, strict=True)
        }

    def topic_of(self, event: str) -> bytes:
        """The first topic of an event's logs.

        Raises:
            KeyError: the contract has no such event.
        """
        return {entry["name"]: topic for topic, entry in self._events.items()}[event]

    def decode_event(self, log: Log) -> DecodedEvent | None:
        """The event in a log, or None if it is none of this contract's."""
        entry = self._events.get(log.topics[0]) if log.topics else None
        if entry is None:
            return None
        indexed = [component for component in entry["inputs"] if component["indexed"]]
        plain = [component for component in entry["inputs"] if not component["indexed"]]
        values: dict[str, Any] = {}
        for component, topic in zip(indexed, log.topics[1:], strict=True):
            # Dynamic types are indexed by their hash alone, which is then all there is to give.
            kind = collapse_if_tuple(component)
            dynamic = kind in {"string", "bytes"} or kind.endswith("]") or kind.startswith("(")
            values[component["name"]] = topic if dynamic else _convert(component, decode([kind], topic)[0])
        for component, value in zip(plain, _decode(plain, log.data), strict=True):
            values[component["name"]] = value
        ordered = {snake_case(component["name"]): values[component["name"]] for component in entry["inputs"]}
        return DecodedEvent(entry["name"], ordered)

    def decode_error(self, data: bytes) -> DecodedError | None:
        """The custom error in revert data, or None if it is none of this contract's or is malformed."""
        entry = self._errors.get(data[:4])
        if entry is None:
            return None
        try:
            values = _decode(entry["inputs"], data[4:])
        except DecodingError:
            return None
        names = [snake_case(component["name"]) for component in entry["inputs"]]
        return DecodedError(entry["name"], dict(zip(names, values, strict=True)))


def _as_function(error: Mapping[str, Any]) -> Any:
    """A custom error's selector is computed as a function's of the same signature."""
    return {**error, "type": "function"}


def _decode(components: Sequence[Mapping[str, Any]], data: bytes) -> tuple[Any, ...]:
    try:
        values = decode([collapse_if_tuple(component) for component in components], data)  # type: ignore[arg-type]
    except OverflowError as error:  # an offset that no memory has; the library seeks before it looks
        raise DecodingError(f"an offset lies outside the data: {error}") from error
    return tuple(_convert(component, value) for component, value in zip(components, values, strict=True))


def _convert(component: Mapping[str, Any], value: Any) -> Any:
    kind: str = component["type"]
    if kind.endswith("]"):
        inner = {**component, "type": kind[: kind.rindex("[")]}
        return tuple(_convert(inner, item) for item in value)
    if kind == "tuple":
        return {
            snake_case(field["name"]): _convert(field, item)
            for field, item in zip(component["components"], value, strict=True)
        }
    if kind == "address":
        return to_checksum_address(value)
    return value
