"""The ABI codec, with strings taken as they come.

Solidity does not look into a `string`: anyone can put bytes into a job's URI, a model's or an endpoint that
are no UTF-8, and a strict decoder would fail on the one event that stands between a follower and all later
ones. Such bytes become lone surrogates (PEP 383), which encode back to the same bytes: hashes stay right.
"""

from __future__ import annotations

from typing import Any

from eth_abi.codec import ABICodec
from eth_abi.decoding import StringDecoder
from eth_abi.encoding import TextStringEncoder, encode_uint_256
from eth_abi.registry import BaseEquals, registry
from eth_abi.utils.numeric import ceil32
from eth_abi.utils.padding import zpad_right

_ERRORS = "surrogateescape"


class _Encoder(TextStringEncoder):
    """UTF-8, and back to what was none."""

    @classmethod
    def encode(cls, value: str) -> bytes:
        cls.validate_value(value)  # type: ignore[no-untyped-call]
        data = value.encode("utf-8", _ERRORS)
        padded: bytes = zpad_right(data, ceil32(len(data)))
        return bytes(encode_uint_256(len(data))) + padded


def _codec() -> ABICodec:
    lenient: Any = registry.copy()  # type: ignore[no-untyped-call]
    decoder = StringDecoder(handle_string_errors=_ERRORS)  # type: ignore[no-untyped-call]
    lenient.unregister("string")
    lenient.register(BaseEquals("string"), _Encoder, decoder, label="string")  # type: ignore[no-untyped-call]
    return ABICodec(lenient)


_CODEC = _codec()
encode = _CODEC.encode
decode = _CODEC.decode
