"""Parameters of JSON-RPC requests: checked, or an InvalidParams that names the field."""

from __future__ import annotations

from typing import Any, Final

from eth.abc import BlockHeaderAPI
from eth_typing import Address, Hash32

from assay_node.devnet.chain import Chain
from assay_node.devnet.errors import InvalidParams, RpcError
from assay_node.devnet.logs import LogFilter
from assay_node.devnet.simulate import AccountOverride, Call

MAX_UINT256: Final = 2**256 - 1
MAX_TOPICS: Final = 4
MAX_ALTERNATIVES: Final = 1_000  # addresses, or values for one topic
PENDING: Final = "pending"


def quantity(value: Any, name: str, *, maximum: int = MAX_UINT256) -> int:
    """A non-negative integer: hex string, or a JSON number as command lines send it."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InvalidParams(f"{name}: expected a hex quantity, got {value!r}")
    try:
        number = int(value, 16) if isinstance(value, str) and value.startswith("0x") else int(value)
    except ValueError as error:
        raise InvalidParams(f"{name}: {value!r} is not a hex quantity") from error
    if not 0 <= number <= maximum:
        raise InvalidParams(f"{name}: {value} is out of range")
    return number


def data(value: Any, name: str) -> bytes:
    """Bytes from 0x-prefixed hex with an even number of digits."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise InvalidParams(f"{name}: expected 0x-prefixed hex data, got {value!r}")
    try:
        return bytes.fromhex(value[2:])
    except ValueError as error:
        raise InvalidParams(f"{name}: not hex data with an even number of digits") from error


def _fixed(value: Any, name: str, length: int) -> bytes:
    result = data(value, name)
    if len(result) != length:
        raise InvalidParams(f"{name}: expected {length} bytes, got {len(result)}")
    return result


def address(value: Any, name: str) -> Address:
    """A 20-byte address."""
    return Address(_fixed(value, name, 20))


def hash32(value: Any, name: str) -> Hash32:
    """A 32-byte hash."""
    return Hash32(_fixed(value, name, 32))


def boolean(value: Any, name: str) -> bool:
    """A JSON boolean."""
    if not isinstance(value, bool):
        raise InvalidParams(f"{name}: expected true or false, got {value!r}")
    return value


def mapping(value: Any, name: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise InvalidParams(f"{name}: expected an object, got {value!r}")
    return value


def block_number(chain: Chain, value: Any, name: str = "block") -> int:
    """A height from a number or a tag other than ``pending``; it may be above the head."""
    head = int(chain.head.block_number)
    match value:
        case None | "latest":
            return head
        case "pending":
            return head + 1
        case "safe" | "finalized":
            return max(head - chain.config.finality, 0)
        case "earliest":
            return 0
        case _:
            return quantity(value, name, maximum=2**63 - 1)


def header(chain: Chain, value: Any, name: str = "block") -> BlockHeaderAPI:
    """The mined block that a number, tag, hash or EIP-1898 object means; RpcError if there is none."""
    found = find_header(chain, value, name)
    if found is None:
        raise RpcError("header not found")
    return found


def find_header(chain: Chain, value: Any, name: str = "block") -> BlockHeaderAPI | None:
    """As ``header``; None if there is none."""
    if isinstance(value, dict):
        if "blockHash" in value:
            stored = chain.store.block_by_hash(hash32(value["blockHash"], f"{name}.blockHash"))
        elif "blockNumber" in value:
            return find_header(chain, value["blockNumber"], f"{name}.blockNumber")
        else:
            raise InvalidParams(f"{name}: expected blockHash or blockNumber in {value!r}")
    elif isinstance(value, str) and len(value) == 66:  # a bare hash, which geth's clients also send
        stored = chain.store.block_by_hash(hash32(value, name))
    else:
        stored = chain.store.block(block_number(chain, value, name))
    return None if stored is None else stored.header


def is_pending(value: Any) -> bool:
    """Whether a block parameter means the block under construction."""
    return bool(value == PENDING or (isinstance(value, dict) and value.get("blockNumber") == PENDING))


def call(chain: Chain, value: Any, overrides: Any = None) -> Call:
    """A transaction object of ``eth_call`` or ``eth_estimateGas``, with geth's state overrides."""
    fields = mapping(value, "transaction")
    present = {key: item for key, item in fields.items() if item is not None}
    check_chain_id(chain, present)
    if "gasPrice" in present and ("maxFeePerGas" in present or "maxPriorityFeePerGas" in present):
        raise InvalidParams("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified")
    price = present.get("gasPrice", present.get("maxFeePerGas"))
    tip = present.get("gasPrice", present.get("maxPriorityFeePerGas"))
    return Call(
        sender=address(present.get("from", "0x" + "00" * 20), "from"),
        to=address(present["to"], "to") if present.get("to") not in (None, "0x", "") else None,
        data=call_data(present),
        value=quantity(present.get("value", 0), "value"),
        gas=quantity(present["gas"], "gas", maximum=2**63 - 1) if "gas" in present else None,
        fee_cap=quantity(price, "fee") if price is not None else None,
        tip_cap=quantity(tip, "fee") if tip is not None else None,
        access_list=access_list(present.get("accessList", [])),
        overrides=state_overrides(overrides),
    )


def check_chain_id(chain: Chain, fields: dict[str, Any]) -> None:
    """Refuse a transaction object that names another chain."""
    if "chainId" in fields and (given := quantity(fields["chainId"], "chainId")) != chain.config.chain_id:
        raise InvalidParams(f"chainId does not match node's (have={given}, want={chain.config.chain_id})")


def call_data(fields: dict[str, Any]) -> bytes:
    """``input``, or its older name ``data``; different values in both are refused."""
    both = {key: data(fields[key], key) for key in ("input", "data") if key in fields}
    if len(set(both.values())) > 1:
        raise InvalidParams('both "data" and "input" are set and not equal')
    return next(iter(both.values()), b"")


def access_list(value: Any) -> tuple[tuple[Address, tuple[int, ...]], ...]:
    """EIP-2930."""
    if not isinstance(value, list):
        raise InvalidParams("accessList: expected an array")
    entries = [mapping(entry, "accessList") for entry in value]
    return tuple(
        (
            address(entry.get("address"), "accessList.address"),
            tuple(
                int.from_bytes(hash32(key, "accessList.storageKeys"))
                for key in entry.get("storageKeys") or []
            ),
        )
        for entry in entries
    )


def state_overrides(value: Any) -> dict[Address, AccountOverride]:
    """geth's third parameter of ``eth_call``: address to balance, nonce, code, stateDiff."""
    if value is None:
        return {}
    result: dict[Address, AccountOverride] = {}
    for key, raw in mapping(value, "state override").items():
        fields = mapping(raw, "state override")
        unknown = set(fields) - {"balance", "nonce", "code", "stateDiff"}
        if unknown:
            raise InvalidParams(f"state override: {sorted(unknown)} not supported")
        storage = mapping(fields.get("stateDiff") or {}, "stateDiff")
        result[address(key, "state override")] = AccountOverride(
            balance=quantity(fields["balance"], "balance") if "balance" in fields else None,
            nonce=quantity(fields["nonce"], "nonce", maximum=2**64 - 2) if "nonce" in fields else None,
            code=data(fields["code"], "code") if "code" in fields else None,
            storage={quantity(slot, "slot"): quantity(word, "value") for slot, word in storage.items()},
        )
    return result


def log_filter(chain: Chain, value: Any) -> LogFilter:
    """A filter object; heights are resolved against the chain as it is now."""
    fields = {key: item for key, item in mapping(value, "filter").items() if item is not None}
    if "blockHash" in fields:
        if "fromBlock" in fields or "toBlock" in fields:
            raise InvalidParams(
                "cannot specify both blockHash and fromBlock/toBlock, choose one or the other"
            )
        stored = chain.store.block_by_hash(hash32(fields["blockHash"], "blockHash"))
        if stored is None:
            raise RpcError("unknown block")
        first = last = int(stored.header.block_number)
    else:
        first = block_number(chain, fields.get("fromBlock"), "fromBlock")
        last = block_number(chain, fields.get("toBlock"), "toBlock")
        if first > last:
            raise InvalidParams(f"invalid block range params: fromBlock {first} is after toBlock {last}")
        last = min(last, chain.head.block_number)
    limit = chain.config.log_range_limit
    if limit is not None and last - first >= limit:
        raise RpcError(f"query exceeds max block range {limit}", code=-32005)
    return LogFilter(first, last, _addresses(fields.get("address")), _topics(fields.get("topics")))


def _addresses(value: Any) -> tuple[bytes, ...]:
    if value is None:
        return ()
    values = value if isinstance(value, list) else [value]
    if len(values) > MAX_ALTERNATIVES:
        raise InvalidParams(f"address: more than {MAX_ALTERNATIVES}")
    return tuple(address(item, "address") for item in values)


def _topics(value: Any) -> tuple[tuple[bytes, ...], ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_TOPICS:
        raise InvalidParams(f"topics: expected an array of at most {MAX_TOPICS}")
    result: list[tuple[bytes, ...]] = []
    for item in value:
        alternatives = item if isinstance(item, list) else [item]
        if len(alternatives) > MAX_ALTERNATIVES:
            raise InvalidParams(f"topics: more than {MAX_ALTERNATIVES} alternatives")
        # A null among the alternatives matches everything, as a null instead of them does.
        result.append(
            () if None in alternatives else tuple(hash32(topic, "topics") for topic in alternatives)
        )
    return tuple(result)
