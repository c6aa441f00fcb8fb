"""Strict readers of a node's answers: a field has the type that the specification gives it, or is refused.

A node is a stranger, and nodes of six kinds differ in what they leave out. Every reader takes the parsed JSON
and the name of the field for the message, and raises `Malformed`; `Rpc` turns that into `NodeUnavailable`,
which names the method, so that no KeyError, IndexError or TypeError ever leaves the chain layer.

Example:
    >>> quantity("0x10", "gasUsed")
    16
    >>> quantity(None, "gasUsed")
    Traceback (most recent call last):
    assay_node.chain.node.answers.Malformed: gasUsed is null, not a number in hexadecimal
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from eth_utils.address import to_checksum_address

from .types import Header, Log, Receipt

T = TypeVar("T")

_QUANTITY = re.compile(r"0[xX][0-9a-fA-F]{1,64}\Z")
_DATA = re.compile(r"0[xX](?:[0-9a-fA-F]{2})*\Z")
HASH, ADDRESS = 32, 20
MOST_TOPICS = 4
MOST = 1 << 63
LEAST_GAS = 21_000


class Malformed(ValueError):
    """An answer, or a field of it, is not what the specification says."""


def quantity(value: object, field: str) -> int:
    """A number below 2^256, as a hexadecimal string. Raises `Malformed`."""
    if isinstance(value, str) and _QUANTITY.match(value):
        return int(value, 16)
    raise _wrong(value, field, "a number in hexadecimal")


def count(value: object, field: str) -> int:
    """A number below 2^63: a height, a time, a nonce, an amount of gas. Raises `Malformed`.

    No chain counts further, and a database has no room for more.
    """
    number = quantity(value, field)
    if number >= MOST:
        raise _wrong(value, field, "a number below 2^63")
    return number


def gas(value: object) -> int:
    """An estimate of the gas a transaction takes, which is never below what an empty one takes."""
    estimate = count(value, "the estimate")
    if estimate < LEAST_GAS:
        raise Malformed(f"an estimate of {estimate} gas is less than any transaction takes")
    return estimate


def data(value: object, field: str, length: int | None = None) -> bytes:
    """Bytes as a hexadecimal string, `length` of them if given. Raises `Malformed`."""
    if isinstance(value, str) and _DATA.match(value) and (length is None or len(value) == 2 + 2 * length):
        return bytes.fromhex(value[2:])
    raise _wrong(value, field, "hexadecimal data" + (f" of {length} bytes" if length else ""))


def address(value: object, field: str) -> str:
    """An address, with its EIP-55 checksum. Raises `Malformed`."""
    return to_checksum_address(data(value, field, ADDRESS))


def text(value: object, field: str) -> str:
    """A string. Raises `Malformed`."""
    if isinstance(value, str):
        return value
    raise _wrong(value, field, "a string")


def record(value: object, field: str) -> Mapping[str, Any]:
    """An object. Raises `Malformed`."""
    if isinstance(value, dict):
        return cast(Mapping[str, Any], value)
    raise _wrong(value, field, "an object")


def listed(value: object, field: str) -> list[Any]:
    """A list. Raises `Malformed`."""
    if isinstance(value, list):
        return value
    raise _wrong(value, field, "a list")


def optional(read: Callable[[object, str], T], value: object, field: str, default: T) -> T:
    """What `read` makes of a field that some nodes leave out, or give as null: `default` then."""
    return default if value is None else read(value, field)


def header_at(block: int | str | bytes) -> Callable[[object], Header | None]:
    """A reader for the header of `block`: a number, a hash or a tag.

    It refuses the header of another block than was asked for, and null for the newest, which always exists.
    """

    def read(value: object) -> Header | None:
        if value is None and block != "latest":
            return None
        fields = record(value, "the block")
        found = Header(
            number=count(fields.get("number"), "number"),
            hash=data(fields.get("hash"), "hash", HASH),
            parent_hash=data(fields.get("parentHash"), "parentHash", HASH),
            timestamp=count(fields.get("timestamp"), "timestamp"),
            base_fee=optional(quantity, fields.get("baseFeePerGas"), "baseFeePerGas", 0),
        )
        if block not in (found.number, found.hash) and not isinstance(block, str):
            raise Malformed("it is another block than was asked for")
        return found

    return read


def log(value: object) -> Log | None:
    """One log; None for one that a re-org has removed. Raises `Malformed`."""
    fields = record(value, "a log")
    removed = fields.get("removed", False)
    if removed not in (False, True, None):
        raise _wrong(removed, "removed", "true or false")
    topics = listed(fields.get("topics"), "topics")
    if len(topics) > MOST_TOPICS:
        raise Malformed(f"topics has {len(topics)} entries")
    found = Log(
        address=address(fields.get("address"), "address"),
        topics=tuple(data(topic, "topics", HASH) for topic in topics),
        data=data(fields.get("data"), "data"),
        block_number=count(fields.get("blockNumber"), "blockNumber"),
        block_hash=data(fields.get("blockHash"), "blockHash", HASH),
        tx_hash=data(fields.get("transactionHash"), "transactionHash", HASH),
        log_index=count(fields.get("logIndex"), "logIndex"),
    )
    return None if removed else found


def logs_in(
    first: int, last: int, addresses: Sequence[str], topics: Sequence[bytes | None] = ()
) -> Callable[[object], list[Log]]:
    """A reader for the logs of some contracts in blocks first..last: in chain order, each once.

    It refuses logs that were not asked for: of other blocks or contracts, or with other topics.
    """
    wanted = set(addresses)

    def fits(found: Log) -> bool:
        if not first <= found.block_number <= last or found.address not in wanted:
            return False
        given = (*found.topics, *(None,) * len(topics))
        return all(topic is None or topic == given[place] for place, topic in enumerate(topics))

    def read(value: object) -> list[Log]:
        found: dict[tuple[int, int], Log] = {}
        for entry in listed(value, "the list of logs"):
            each = log(entry)
            if each is None:
                continue
            if not fits(each):
                raise Malformed("it has logs that were not asked for")
            if found.setdefault((each.block_number, each.log_index), each) != each:
                raise Malformed("two of its logs have one place")
        return [found[place] for place in sorted(found)]

    return read


def receipt_of(tx_hash: bytes) -> Callable[[object], Receipt | None]:
    """A reader for a transaction's receipt; None while it is unknown or pending."""

    def read(value: object) -> Receipt | None:
        if value is None:
            return None
        fields = record(value, "the receipt")
        if fields.get("blockNumber") is None and fields.get("blockHash") is None:
            return None
        if data(fields.get("transactionHash"), "transactionHash", HASH) != tx_hash:
            raise Malformed("it is another transaction's receipt")
        logs = [log(entry) for entry in listed(fields.get("logs"), "logs")]
        succeeded = _status(fields.get("status"))
        if logs and not succeeded:  # a revert takes them back: one of the two is a lie
            raise Malformed("it has logs of a transaction that it says has failed")
        return Receipt(
            tx_hash=tx_hash,
            block_number=count(fields.get("blockNumber"), "blockNumber"),
            block_hash=data(fields.get("blockHash"), "blockHash", HASH),
            succeeded=succeeded,
            gas_used=count(fields.get("gasUsed"), "gasUsed"),
            effective_gas_price=optional(quantity, fields.get("effectiveGasPrice"), "effectiveGasPrice", 0),
            contract_address=optional(address, fields.get("contractAddress"), "contractAddress", "") or None,
            logs=tuple(each for each in logs if each is not None),
            l1_fee=optional(quantity, fields.get("l1Fee"), "l1Fee", 0),
        )

    return read


def fee_history(value: object) -> tuple[list[int], list[int]]:
    """Base fees, the next block's last, and the tips of the blocks that have any; wei per gas.

    Chains with empty blocks give empty lists of rewards, or null, or none at all.
    """
    fields = record(value, "the fee history")
    fees = [quantity(fee, "baseFeePerGas") for fee in listed(fields.get("baseFeePerGas"), "baseFeePerGas")]
    if not fees:
        raise Malformed("baseFeePerGas is empty")
    tips: list[int] = []
    none: list[Any] = []
    for rewards in optional(listed, fields.get("reward"), "reward", none):
        tips += [quantity(reward, "reward") for reward in optional(listed, rewards, "reward", none)[:1]]
    return fees, tips


def _status(value: object) -> bool:
    status = quantity(value, "status")
    if status > 1:
        raise Malformed(f"status is {status}, not 0 or 1")
    return status == 1


def _wrong(value: object, field: str, expected: str) -> Malformed:
    if value is None:
        shown = "null"
    elif isinstance(value, str):
        shown = f"{value[:40]!r}"
    elif isinstance(value, bool | int | float):
        shown = f"{value!r:.40}"
    else:
        shown = "an object" if isinstance(value, dict) else "a list"
    return Malformed(f"{field} is {shown}, not {expected}")
