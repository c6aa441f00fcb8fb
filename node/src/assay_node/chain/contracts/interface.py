"""A contract's ABI at work: calls to bytes, return data, events and custom errors back to named values.

Pure, over eth-abi and eth-utils, which web3's contracts are made of: no node is needed to build a call or to
read a log. web3's own contract classes are not used on the way of every job: they take 3 to 30 times the CPU
a log or a call (`tests/bench/node/codec.py`), and importing web3 as much again as the rest of a quick
command. That both say the same of every entry of every contract is tested.

Structs come back as dictionaries with the ABI's names in snake case, addresses with their EIP-55 checksum.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from eth_abi.exceptions import DecodingError
from eth_utils.abi import (
    collapse_if_tuple,
    event_abi_to_log_topic,
    function_abi_to_4byte_selector,
)
from eth_utils.address import to_checksum_address

from ..node.types import Log
from .codec import decode, encode

Component = Mapping[str, Any]


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


@dataclass(frozen=True, slots=True)
class _Fields:
    """Inputs or outputs of one entry of an ABI, read once.

    Attributes:
        names: in snake case.
        types: as the codec takes them, tuples collapsed: `(uint256,bytes32)`.
        converters: what makes named values of the codec's; None where they stay as they are.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    converters: tuple[Callable[[Any], Any] | None, ...]

    @classmethod
    def of(cls, components: Sequence[Component]) -> Self:
        return cls(
            tuple(snake_case(component["name"]) for component in components),
            tuple(collapse_if_tuple(component) for component in components),  # type: ignore[arg-type]
            tuple(_converter(component) for component in components),
        )

    def values(self, data: bytes) -> tuple[Any, ...]:
        """Raises DecodingError if the data is not of these types."""
        try:
            found = decode(self.types, data)
        except OverflowError as error:  # an offset that no memory has; the library seeks before it looks
            raise DecodingError(f"an offset lies outside the data: {error}") from error
        return tuple(
            value if convert is None else convert(value)
            for convert, value in zip(self.converters, found, strict=True)
        )

    def named(self, data: bytes) -> dict[str, Any]:
        """As `values`, by name."""
        return dict(zip(self.names, self.values(data), strict=True))


def _converter(component: Component) -> Callable[[Any], Any] | None:
    kind: str = component["type"]
    if kind.endswith("]"):
        each = _converter({**component, "type": kind[: kind.rindex("[")]})
        return None if each is None else lambda items: tuple(each(item) for item in items)
    if kind == "tuple":
        fields = _Fields.of(component["components"])
        return lambda items: {
            name: item if convert is None else convert(item)
            for name, convert, item in zip(fields.names, fields.converters, items, strict=True)
        }
    return to_checksum_address if kind == "address" else None


@dataclass(frozen=True, slots=True)
class _Function:
    selector: bytes
    inputs: _Fields
    outputs: _Fields


@dataclass(frozen=True, slots=True)
class _Event:
    """One event of an ABI, read once.

    Attributes:
        name: as Solidity writes it.
        names: of all its fields, in the ABI's order.
        indexed: the fields that are topics.
        plain: the fields in the log's data.
        dynamic: for each indexed field, whether its topic is its hash alone.
    """

    name: str
    names: tuple[str, ...]
    indexed: _Fields
    plain: _Fields
    dynamic: tuple[bool, ...]

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Self:
        inputs = entry["inputs"]
        indexed = _Fields.of([component for component in inputs if component["indexed"]])
        return cls(
            entry["name"],
            tuple(snake_case(component["name"]) for component in inputs),
            indexed,
            _Fields.of([component for component in inputs if not component["indexed"]]),
            tuple(kind in {"string", "bytes"} or kind[-1] in "])" for kind in indexed.types),
        )


class Interface:
    """One contract's ABI.

    Args:
        name: the contract's name, for messages.
        abi: the ABI as JSON gives it. Overloaded functions are not supported: the contracts have none.
    """

    def __init__(self, name: str, abi: Sequence[Mapping[str, Any]]) -> None:
        self.name = name
        self._functions: dict[str, _Function] = {}
        self._events: dict[bytes, _Event] = {}
        self._errors: dict[bytes, tuple[str, _Fields]] = {}
        self._constructor = _Fields((), (), ())
        for entry in abi:
            match entry["type"]:
                case "function":
                    self._functions[entry["name"]] = _Function(
                        _selector(entry), _Fields.of(entry["inputs"]), _Fields.of(entry["outputs"])
                    )
                case "constructor":
                    self._constructor = _Fields.of(entry["inputs"])
                case "event" if not entry.get("anonymous"):
                    self._events[bytes(event_abi_to_log_topic(entry))] = _Event.of(entry)  # type: ignore[arg-type]
                case "error":
                    self._errors[_selector(entry)] = (entry["name"], _Fields.of(entry["inputs"]))

    def encode_call(self, function: str, *args: Any) -> bytes:
        """Calldata. Structs are given as tuples in the order of their fields."""
        entry = self._functions[function]
        return entry.selector + encode(entry.inputs.types, args)

    def encode_constructor(self, *args: Any) -> bytes:
        """Constructor arguments, to be appended to the creation code.

        Raises:
            ValueError: the constructor takes another number of arguments.
        """
        types = self._constructor.types
        if len(types) != len(args):
            raise ValueError(f"{self.name}'s constructor takes {len(types)} arguments, got {len(args)}")
        return encode(types, args)

    def decode_return(self, function: str, data: bytes) -> Any:
        """A function's return value; a tuple if it has several, None if it has none.

        Raises:
            DecodingError: the data is none of this function's.
        """
        values = self._functions[function].outputs.values(data)
        if not values:
            return None
        return values[0] if len(values) == 1 else values

    def decode_arguments(self, function: str, data: bytes) -> dict[str, Any]:
        """Arguments of a call by name, from its calldata.

        Raises:
            ValueError: it is another function's.
            DecodingError: its arguments are malformed.
        """
        entry = self._functions[function]
        if data[:4] != entry.selector:
            raise ValueError(f"this is no call of {self.name}.{function}")
        return entry.inputs.named(data[4:])

    def topic_of(self, event: str) -> bytes:
        """The first topic of an event's logs.

        Raises:
            KeyError: the contract has no such event.
        """
        return {entry.name: topic for topic, entry in self._events.items()}[event]

    def decode_event(self, log: Log) -> DecodedEvent | None:
        """The event in a log, or None if it is none of this contract's.

        Raises:
            DecodingError, ValueError: its topics or data are not the event's.
        """
        event = self._events.get(log.topics[0]) if log.topics else None
        if event is None:
            return None
        values = event.plain.named(log.data)
        fields = zip(
            event.indexed.names,
            event.indexed.types,
            event.indexed.converters,
            event.dynamic,
            log.topics[1:],
            strict=True,
        )
        for name, kind, convert, dynamic, topic in fields:
            # Dynamic types are indexed by their hash alone, which is then all there is to give.
            value = topic if dynamic else decode((kind,), topic)[0]
            values[name] = value if convert is None or dynamic else convert(value)
        return DecodedEvent(event.name, {name: values[name] for name in event.names})

    def decode_error(self, data: bytes) -> DecodedError | None:
        """The custom error in revert data, or None if it is none of this contract's or is malformed."""
        found = self._errors.get(data[:4])
        if found is None:
            return None
        name, fields = found
        try:
            return DecodedError(name, fields.named(data[4:]))
        except DecodingError:
            return None


def _selector(entry: Mapping[str, Any]) -> bytes:
    """A custom error's selector is computed as a function's of the same signature."""
    return bytes(function_abi_to_4byte_selector({**entry, "type": "function"}))  # type: ignore[arg-type]
