"""Lies of a node: each field of each answer that a program was seen to use, changed in each of a set of ways.

`spots_of` walks recorded traffic and lists the places where a node could lie: a method (for `eth_call` the
function called), and a path into the result. Bytes of the contracts' encoding are taken apart into words.
`lies_at` gives the ways to lie there, and `told` an answer with the lie in it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from eth_utils.abi import function_abi_to_4byte_selector

import assay_node
from faults.kinds import Call, Json
from faults.proxy import Exchange

WORD = 64
"""Hexadecimal digits of a word of the contracts' encoding."""
MOST_WORDS = 96
GONE = object()
"""In place of a value: the field is left out."""

Step = str | int
Place = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Spot:
    """A place where a node can lie.

    Attributes:
        method: of the request, with the function if it calls one: see `name_of`.
        path: keys into the result; "*" stands for each element of a list, an int for a word of encoded bytes.
    """

    method: str
    path: Place

    def __str__(self) -> str:
        return ".".join([self.method, *map(str, self.path)])


@dataclass(frozen=True, slots=True)
class Lie:
    """A spot and a way to lie there."""

    spot: Spot
    way: str

    def __str__(self) -> str:
        return f"{self.spot}={self.way}"


@dataclass(frozen=True, slots=True)
class Liar:
    """What a lying node would like to be believed, and of whom.

    Attributes:
        address: an account of its own, registered as a worker, 0x-prefixed.
        key: its encryption key, 32 bytes.
        endpoint: its inbox, of as many characters as the honest worker's.
        honest_address, honest_key, honest_endpoint: the honest worker's.
    """

    address: str
    key: bytes
    endpoint: str
    honest_address: str
    honest_key: bytes
    honest_endpoint: str

    def swapped(self, value: str) -> str:
        """Encoded bytes with the liar's inbox and key where the honest worker's are."""
        text = value.replace(self.honest_key.hex(), self.key.hex())
        return text.replace(self.honest_endpoint.encode().hex(), self.endpoint.encode().hex())

    def impersonating(self, value: str) -> str:
        """Encoded bytes with the liar's address where the honest worker's is."""
        return value.lower().replace(self.honest_address[2:].lower(), self.address[2:].lower())


@cache
def _functions() -> dict[str, str]:
    """Names of the contracts' functions by selector."""
    named = {}
    for path in Path(assay_node.__file__).parent.glob("abi/*.json"):
        for entry in json.loads(path.read_text())["abi"]:
            if entry["type"] == "function":
                named["0x" + function_abi_to_4byte_selector(entry).hex()] = entry["name"]
    return named


def name_of(method: str, params: Any) -> str:
    """The method of a request, with the function if it calls one: "eth_call jobOf"."""
    if method in ("eth_call", "eth_estimateGas") and params and isinstance(params[0], dict):
        if "to" not in params[0]:
            return f"{method} several"  # creation code that makes many calls
        selector = (params[0].get("data") or params[0].get("input") or "0x")[:10]
        return f"{method} {_functions().get(selector, selector)}"
    return method


def spots_of(traffic: Iterable[Exchange]) -> list[Spot]:
    """Every place in the results of recorded answers, each once, in order of appearance."""
    found: dict[Spot, None] = {}
    for exchange in traffic:
        if "result" in exchange.answer:
            method = name_of(exchange.method, exchange.params)
            for path, value in _leaves(exchange.answer["result"], ()):
                found.setdefault(Spot(method, path))
                encoded = path[-1] == "data" if path else exchange.method == "eth_call"
                if encoded and _is_words(value):
                    for word in range(min(MOST_WORDS, (len(value) - 2) // WORD)):
                        found.setdefault(Spot(method, (*path, word)))
    return list(found)


def _leaves(value: Any, path: Place) -> Iterator[tuple[Place, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        yield (*path, "[]"), value  # the list as such: emptied, repeated, cut
        for inner in value:
            yield from _leaves(inner, (*path, "*"))
    else:
        yield path, value


def _is_words(value: Any) -> bool:
    return isinstance(value, str) and len(value) > 2 + WORD and (len(value) - 2) % WORD == 0


WAYS = (
    "other",
    "more",
    "less",
    "zero",
    "huge",
    "flipped",
    "cut",
    "null",
    "missing",
    "number",
    "list",
    "bool",
    "swapped",
    "impersonating",
)
WORD_WAYS = ("other", "more", "less", "zero", "huge", "flipped", "key", "endpoint")
LIST_WAYS = ("empty", "repeated", "null", "missing", "object")


def lies_at(spot: Spot) -> list[Lie]:
    """The ways to lie at a place."""
    last = spot.path[-1] if spot.path else ""
    ways = LIST_WAYS if last == "[]" else WORD_WAYS if isinstance(last, int) else WAYS
    return [Lie(spot, way) for way in ways]


def told(lie: Lie, call: Call, answer: Json, liar: Liar) -> Json:
    """`answer` with the lie in it, if it has the lie's place, or else the same answer."""
    if name_of(call.method, call.params) != lie.spot.method or "result" not in answer:
        return answer
    box = {"result": copy.deepcopy(answer["result"])}
    _change(box, "result", lie.spot.path, lie.way, liar)
    changed = {key: value for key, value in answer.items() if key != "result"}
    return changed | box


def _change(parent: Any, key: Any, path: Place, way: str, liar: Liar) -> None:
    value = parent[key]
    if not path or path == ("[]",):
        changed = _lied_list(value, way) if path else _lied(value, way, liar)
        if changed is GONE:
            del parent[key]
        else:
            parent[key] = changed
    elif isinstance(path[0], int):
        if isinstance(value, str) and len(value) >= 2 + (path[0] + 1) * WORD:
            start = 2 + path[0] * WORD
            word = _lied_word(value[start : start + WORD], way, liar)
            parent[key] = value[:start] + word + value[start + WORD :]
    elif path[0] == "*" and isinstance(value, list):
        for index in reversed(range(len(value))):
            _change(value, index, path[1:], way, liar)
    elif isinstance(value, dict) and path[0] in value:
        _change(value, path[0], path[1:], way, liar)


def _lied_list(value: Any, way: str) -> Any:
    if not isinstance(value, list):
        return value
    return {"empty": [], "repeated": value * 2, "null": None, "missing": GONE, "object": {}}[way]


def _lied(value: Any, way: str, liar: Liar) -> Any:
    if way in ("null", "missing", "number", "list", "bool"):
        return {"null": None, "missing": GONE, "number": 7, "list": [value], "bool": True}[way]
    if way in ("swapped", "impersonating"):
        return getattr(liar, way)(value) if isinstance(value, str) else value
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return {"more": value + 1, "less": value - 1, "zero": 0, "huge": 2**256}.get(way, -value)
    if not isinstance(value, str) or not value.startswith("0x"):
        return {"zero": "", "huge": "9" * 1000}.get(way, "else")
    digits = value[2:]
    if len(digits) == len(liar.address) - 2 and way == "other":
        return liar.address
    if len(digits) >= 40 or value == "0x":  # bytes of a fixed size, or of any
        return {
            "other": "0x" + "5a" * (len(digits) // 2),
            "more": _stepped(value, 1),
            "less": _stepped(value, -1),
            "zero": "0x" + "0" * len(digits),
            "huge": "0x" + "f" * len(digits) + "ff",
            "flipped": "0x" + "".join(f"{15 - int(digit, 16):x}" for digit in digits),
            "cut": value[: 2 + len(digits) // 2 // 2 * 2],
        }[way]
    number = int(value, 16)
    return {
        "other": hex(number + 1000),
        "more": hex(number + 1),
        "less": hex(max(0, number - 1)),
        "zero": "0x0",
        "huge": "0x" + "f" * 64,
        "flipped": hex(number ^ 1),
        "cut": "0x",
    }[way]


def _stepped(value: str, step: int) -> str:
    digits = value[2:]
    if not digits:
        return "0x00"
    return "0x" + f"{(int(digits, 16) + step) % (1 << 4 * len(digits)):0{len(digits)}x}"


def _lied_word(word: str, way: str, liar: Liar) -> str:
    number = int(word, 16)
    if way == "other":
        return liar.address[2:].lower().rjust(WORD, "0")
    if way == "key":
        return liar.key.hex()
    if way == "endpoint":
        return liar.endpoint.encode().hex().ljust(WORD, "0")[:WORD]
    changed = {
        "more": number + 1,
        "less": number - 1,
        "zero": 0,
        "huge": 2**256 - 1,
        "flipped": number ^ (2**256 - 1),
    }
    return f"{changed[way] % 2**256:064x}"
