"""Many view calls in one: at one block, in one `eth_call`, without a contract on the chain.

The call is a contract creation that is never mined: its creation code makes the calls that follow it and
returns what they returned. Compared with a batch of `eth_call`s the answers are of one block for certain,
providers count one request, and the answer repeats a random tag, so that another request's answer is not
taken for this one. A node that does not run it (no EVM, a cap on calls) is asked in a batch instead.

Layout, all in words of 32 bytes: the input is the tag, then for each call address, length, data; the output
is the tag, then for each call success, length, data. A call without data asks for the address's balance,
which is given in the place of success.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from ..errors import RpcError
from .node_errors import revert_data
from .types import Node

_log = structlog.get_logger(__name__)

MOST_CALLS = 32
"""Calls at a time: creation code may return 24,576 bytes at most (EIP-170), and a job takes some 650."""
WORD = 32


@dataclass(frozen=True, slots=True)
class View:
    """A view call, or with `data` empty the question for an account's balance."""

    to: str
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a view gave: its return data, or its revert data if it did not succeed; or a balance in wei."""

    succeeded: bool
    data: bytes
    balance: int = 0


class Multicall:
    """View calls of one node, together.

    Args:
        node: what to ask.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._refused = False

    async def ask(self, views: Sequence[View], *, block: str = "latest") -> list[Answer]:
        """The answers in the order of the views, all of one block if the node runs creation code.

        Args:
            views: what to ask.
            block: number in hexadecimal, or a tag.

        Raises:
            NodeUnavailable: no answer.
            RpcError: the node refuses, for another reason than that a view reverts.
        """
        parts = [views[start : start + MOST_CALLS] for start in range(0, len(views), MOST_CALLS)]
        answers = await asyncio.gather(*(self._part(part, block) for part in parts))
        return [answer for part in answers for answer in part]

    async def _part(self, views: Sequence[View], block: str) -> list[Answer]:
        if not self._refused and len(views) > 1:
            tag = secrets.token_bytes(WORD - 1).rjust(WORD, b"\1")  # 0xef would be refused (EIP-3541)
            try:
                output = await self._node.call(None, _pack(tag, views), block=block)
                return await self._settled(views, _unpack(output, tag, views), block)
            except RpcError as error:
                if error.transient:
                    raise
                reason = str(error)
            except ValueError as error:
                reason = str(error)
            answers = await self._one_by_one(views, block)
            _log.info("chain.multicall_refused", reason=reason)
            self._refused = True  # only now: a node that answers nothing has not refused this
            return answers
        return await self._one_by_one(views, block)

    async def _settled(self, views: Sequence[View], answers: list[Answer], block: str) -> list[Answer]:
        """Asks again, alone, what failed without a reason: out of gas among many looks like this too."""
        doubtful = [place for place, answer in enumerate(answers) if not answer.succeeded and not answer.data]
        again = await self._one_by_one([views[place] for place in doubtful], block)
        for place, answer in zip(doubtful, again, strict=True):
            answers[place] = answer
        return answers

    async def _one_by_one(self, views: Sequence[View], block: str) -> list[Answer]:
        return list(await asyncio.gather(*(self._one(view, block) for view in views)))

    async def _one(self, view: View, block: str) -> Answer:
        if not view.data:
            return Answer(True, b"", await self._node.balance(view.to, block))
        try:
            return Answer(True, await self._node.call(view.to, view.data, block=block))
        except RpcError as error:
            data = revert_data(error)
            if data is None:
                raise
            return Answer(False, data)


def _pack(tag: bytes, views: Sequence[View]) -> bytes:
    records = b"".join(
        bytes.fromhex(view.to[2:]).rjust(WORD, b"\0") + len(view.data).to_bytes(WORD, "big") + view.data
        for view in views
    )
    return _PROGRAM + tag + records


def _unpack(output: bytes, tag: bytes, views: Sequence[View]) -> list[Answer]:
    if output[:WORD] != tag:
        raise ValueError("the node does not run creation code in eth_call")
    words = _records(output[WORD:])
    return [
        Answer(bool(first), data) if view.data else Answer(True, b"", first)
        for view, (first, data) in zip(views, words, strict=True)
    ]


def _records(output: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(output):
        first = int.from_bytes(output[position : position + WORD], "big")
        length = int.from_bytes(output[position + WORD : position + 2 * WORD], "big")
        position += 2 * WORD
        if position + length > len(output):
            raise ValueError("the answer is cut off")
        yield first, output[position : position + length]
        position += length


_OPCODES = {
    name: code
    for code, name in {
        0x01: "ADD", 0x03: "SUB", 0x10: "LT", 0x15: "ISZERO", 0x31: "BALANCE", 0x38: "CODESIZE",
        0x39: "CODECOPY", 0x3D: "RETURNDATASIZE", 0x3E: "RETURNDATACOPY", 0x50: "POP", 0x51: "MLOAD",
        0x52: "MSTORE", 0x56: "JUMP", 0x57: "JUMPI", 0x5A: "GAS", 0x5B: "JUMPDEST", 0x80: "DUP1",
        0x81: "DUP2", 0x82: "DUP3", 0x83: "DUP4", 0x84: "DUP5", 0x85: "DUP6", 0x90: "SWAP1",
        0xF3: "RETURN", 0xFA: "STATICCALL",
    }.items()
}  # fmt: skip

# One line a step; beside it the stack after it, top last: s the input's size, o and i where output is written
# and input read. The output follows the input in memory.
_SOURCE = """
    :code CODESIZE SUB                                  ; s
    DUP1 :code 0x00 CODECOPY                            ; s             memory[0..s] = input
    0x00 MLOAD DUP2 MSTORE                              ; s             memory[s] = tag
    DUP1 0x20 ADD 0x20                                  ; s o i
loop: DUP3 DUP2 LT ISZERO :end JUMPI
    DUP1 0x20 ADD MLOAD                                 ; s o i length
    DUP1 ISZERO :balance JUMPI
    0x00 0x00 DUP3 DUP5 0x40 ADD DUP6 MLOAD GAS STATICCALL
    DUP4 MSTORE                                         ; s o i length  memory[o] = success
    RETURNDATASIZE DUP4 0x20 ADD MSTORE
    RETURNDATASIZE 0x00 DUP5 0x40 ADD RETURNDATACOPY
    ADD 0x40 ADD                                        ; s o i'
    SWAP1 RETURNDATASIZE ADD 0x40 ADD SWAP1             ; s o' i'
    :loop JUMP
balance: POP DUP1 MLOAD BALANCE DUP3 MSTORE             ; s o i         memory[o] = balance
    0x00 DUP3 0x20 ADD MSTORE
    0x40 ADD SWAP1 0x40 ADD SWAP1                       ; s o' i'
    :loop JUMP
end: POP DUP2 SWAP1 SUB SWAP1 RETURN                    ; output
"""


def _assemble(source: str) -> bytes:
    """Mnemonics to code: `0x20` is pushed as one byte, `:name` as two, `name:` is a place to jump to."""
    code = bytearray()
    places: dict[str, int] = {}
    jumps: list[tuple[int, str]] = []
    for line in source.splitlines():
        for token in line.partition(";")[0].split():
            if token.endswith(":"):
                places[token[:-1]] = len(code)
                code.append(_OPCODES["JUMPDEST"])
            elif token.startswith(":"):
                jumps.append((len(code) + 1, token[1:]))
                code += bytes([0x61, 0, 0])
            elif token.startswith("0x"):
                code += bytes([0x60, int(token, 16)])
            else:
                code.append(_OPCODES[token])
    places["code"] = len(code)
    for position, name in jumps:
        code[position : position + 2] = places[name].to_bytes(2, "big")
    return bytes(code)


_PROGRAM = _assemble(_SOURCE)
