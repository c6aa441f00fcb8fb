"""Random values of ABI types, and logs made of them, for every entry of the checked-in contracts."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple, event_abi_to_log_topic
from eth_utils.address import to_checksum_address

from assay_node.chain.node.types import Log

ADDRESS = to_checksum_address("0x" + "c4" * 20)
Component = Mapping[str, Any]


def value_of(component: Component, source: random.Random) -> Any:
    """A value of a component's type, as the codec takes it."""
    kind: str = component["type"]
    if kind.endswith("]"):
        inner = {**component, "type": kind[: kind.rindex("[")]}
        return [value_of(inner, source) for _ in range(source.randrange(4))]
    if kind == "tuple":
        return tuple(value_of(field, source) for field in component["components"])
    if kind == "address":
        return to_checksum_address(source.randbytes(20))
    if kind == "bool":
        return source.random() < 0.5
    if kind == "string":
        return "".join(source.choice("abc:/é") for _ in range(source.randrange(40)))
    if kind == "bytes":
        return source.randbytes(source.randrange(70))
    if kind.startswith("bytes"):
        return source.randbytes(int(kind[5:]))
    return source.randrange(1 << int(kind.removeprefix("uint")))


def values_of(components: Sequence[Component], source: random.Random) -> list[Any]:
    """A value of each component."""
    return [value_of(component, source) for component in components]


def encoded(components: Sequence[Component], values: Sequence[Any]) -> bytes:
    """The values as the ABI encodes them together."""
    return encode([collapse_if_tuple(component) for component in components], values)  # type: ignore[arg-type]


def log_of(event: Mapping[str, Any], source: random.Random) -> Log:
    """A log of an event of an ABI, with random values."""
    indexed = [component for component in event["inputs"] if component["indexed"]]
    plain = [component for component in event["inputs"] if not component["indexed"]]
    topics = [bytes(event_abi_to_log_topic(event))]  # type: ignore[arg-type]
    topics += [encoded([component], [value_of(component, source)]) for component in indexed]
    data = encoded(plain, values_of(plain, source))
    return Log(ADDRESS, tuple(topics), data, 7, b"\x01" * 32, b"\x02" * 32, 3)
