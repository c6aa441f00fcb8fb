"""The loop that executes frequent opcodes in place does what py-evm's does, on programs made at random."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest
from eth.abc import StateAPI
from eth.db.atomic import AtomicDB
from eth.db.backends.memory import MemoryDB
from eth.vm.forks.prague.computation import PragueComputation
from eth.vm.message import Message
from eth.vm.transaction_context import BaseTransactionContext
from eth_typing import Address, Hash32

from assay_node.devnet.interpreter import program
from assay_node.devnet.vm import DevnetComputation, DevnetVM, HeaderSource, genesis_header

NODES = AtomicDB(MemoryDB())
HEADER = genesis_header(NODES, chain_id=1, balances={}, timestamp=1, gas_limit=30_000_000)
TARGET = Address(b"\x11" * 20)
SIMPLE = [0x01, 0x02, 0x03, 0x10, 0x11, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1B, 0x1C]
OTHERS = [
    0x04,
    0x0B,
    0x12,
    0x13,
    0x1A,
    0x1D,
    0x30,
    0x33,
    0x35,
    0x36,
    0x50,
    0x53,
    0x58,
    0x59,
    0x5A,
    0x5B,
    0xFE,
]
EDGES = [0, 1, 31, 32, 33, 255, 256, 2**64, 2**255, 2**256 - 1]


class Alone(HeaderSource):
    """A chain of one block."""

    def hashes_back_from(self, block_hash: Hash32) -> Iterable[Hash32]:  # noqa: ARG002
        return ()


class Reference(PragueComputation):
    """The same opcodes in py-evm's loop."""

    opcodes = DevnetComputation.opcodes


def state() -> StateAPI:
    return DevnetVM(HEADER, Alone(NODES), 1).state


def run(kind: type[PragueComputation], code: bytes, gas: int, data: bytes = b"") -> Any:
    message = Message(gas=gas, to=TARGET, sender=TARGET, value=0, data=data, code=code)
    return kind.apply_computation(state(), message, BaseTransactionContext(gas_price=1, origin=TARGET))


def assert_same(code: bytes, gas: int, data: bytes = b"") -> None:
    own, theirs = run(DevnetComputation, code, gas, data), run(Reference, code, gas, data)
    assert own.is_error == theirs.is_error, (code.hex(), own._error, theirs._error)
    assert bytes(own.output) == bytes(theirs.output), code.hex()
    assert own.get_gas_remaining() == theirs.get_gas_remaining(), code.hex()
    if own.is_success:
        stacks = [
            [value if isinstance(value, int) else int.from_bytes(value) for value in run_._stack.values]
            for run_ in (own, theirs)
        ]
        assert stacks[0] == stacks[1], code.hex()
        assert own._memory._bytes == theirs._memory._bytes, code.hex()


def push(value: int) -> bytes:
    raw = value.to_bytes(max(1, (value.bit_length() + 7) // 8))
    return bytes([0x5F + len(raw)]) + raw


def random_program(generator: random.Random) -> bytes:
    """Straight code over a small stack, with jumps to the next instruction and words of low memory."""
    code = bytearray()
    for _ in range(generator.randrange(1, 60)):
        kind = generator.randrange(8)
        if kind <= 1:
            code += push(generator.choice([*EDGES, generator.getrandbits(generator.randrange(1, 257))]))
        elif kind == 2:
            code.append(generator.choice(SIMPLE))
        elif kind == 3:
            code.append(generator.choice([0x5F, *range(0x80, 0x90), *range(0x90, 0xA0)]))
        elif kind == 4:
            code += push(generator.randrange(200)) + bytes([generator.choice([0x51, 0x52])])
        elif kind == 5:
            code.append(generator.choice(OTHERS))
        elif kind == 6:
            condition = push(generator.randrange(2))
            jump = condition + b"\x61" + (len(code) + len(condition) + 4).to_bytes(2) + b"\x57\x5b"
            code += jump
        else:
            code += generator.choice([b"\x56", b"\x57", b"\x5b", bytes([generator.randrange(256)])])
    if generator.randrange(2):
        code += push(64) + push(0) + bytes([generator.choice([0xF3, 0xFD])])
    return bytes(code)


@pytest.mark.parametrize("seed", range(8))
def test_random_programs_end_alike(seed: int) -> None:
    generator = random.Random(seed)  # noqa: S311 - programs to compare, no secrets
    for _ in range(150):
        code = random_program(generator)
        for gas in (generator.randrange(400), 100_000):
            assert_same(code, gas, generator.randbytes(generator.randrange(70)))


@pytest.mark.parametrize("opcode", SIMPLE)
@pytest.mark.parametrize("left", EDGES)
def test_arithmetic_at_its_edges(opcode: int, left: int) -> None:
    for right in EDGES:
        for size in (2, 1):  # without its second operand, it fails
            assert_same((push(right) + push(left))[: None if size == 2 else 2] + bytes([opcode]), 1_000)


@pytest.mark.parametrize(
    "code",
    [
        b"",
        b"\x60",  # a PUSH without its data
        b"\x7f" + b"\x01" * 5,
        push(0x5B) + b"\x56",  # a jump beyond the code
        push(1) + b"\x56\x60\x5b",  # into a PUSH's data
        push(4) + b"\x56\x00\x5b" + push(7),
        push(2**256 - 1) + b"\x51",  # memory that nobody can pay
        push(2**256 - 1) + push(1) + b"\x52",
        push(5) + push(7) + b"\x52" + push(0) + b"\x51",
        b"\x5b" + push(0) + b"\x56",  # for ever
        push(1) * 1024,
        push(1) * 1025,
        push(1) * 1024 + b"\x80",
        push(1) * 1024 + b"\x9f",
        b"\x90",
        b"\x80",
        b"\x50",
        push(0) + b"\x57",
        b"\xef",
    ],
    ids=lambda code: code[:8].hex() or "empty",
)
def test_programs_at_the_edges_of_the_machine(code: bytes) -> None:
    for gas in (0, 2, 5, 20_000):
        assert_same(code, gas)


def test_a_destination_within_data_is_none() -> None:
    prepared = program(bytes.fromhex("5b605b5b615b"))
    assert prepared.destinations == {0, 3}
    assert prepared.pushed == [0, 0x5B, 0, 0, 0x5B00, 0]
