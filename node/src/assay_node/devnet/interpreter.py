"""py-evm's loop over a contract's opcodes, with the frequent ones executed in place.

py-evm spends five Python calls on the simplest opcode, and a view of a contract executes a thousand of them.
Here stack, arithmetic, comparison, jumps and memory words are handled by the loop itself; everything else
(storage, calls, logs, hashes, copies) is py-evm's own function. Results, gas and failures are py-evm's, which
the tests compare on generated programs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

from eth.abc import ComputationAPI, OpcodeAPI
from eth.constants import GAS_MEMORY
from eth.constants import GAS_MEMORY_QUADRATIC_DENOMINATOR as GAS_MEMORY_SQUARE
from eth.exceptions import FullStack, Halt, InsufficientStack, InvalidJumpDestination, OutOfGas
from eth.vm.logic.invalid import InvalidOpcode

WORD: Final = 32
STACK_LIMIT: Final = 1024
MASK: Final = (1 << 256) - 1
CACHED_PROGRAMS: Final = 256

PUSH0, PUSH32 = 0x5F, 0x7F
DUP1, DUP16 = 0x80, 0x8F
SWAP1, SWAP16 = 0x90, 0x9F
POP, MLOAD, MSTORE, JUMP, JUMPI, JUMPDEST = 0x50, 0x51, 0x52, 0x56, 0x57, 0x5B

# An operand is an int or big-endian bytes, as py-evm leaves them.
Values = list[Any]


@dataclass(frozen=True, slots=True)
class Program:
    """A contract's code as the loop needs it.

    Attributes:
        code: the bytes, and zeros behind them: STOP, and the missing bytes of a cut PUSH.
        pushed: the value of each PUSH by position, 0 elsewhere.
        destinations: positions of JUMPDESTs that are no PUSH's data.
    """

    code: bytes
    pushed: list[int]
    destinations: frozenset[int]


@lru_cache(maxsize=CACHED_PROGRAMS)
def program(code: bytes) -> Program:
    """Prepare a contract's code; kept for the contracts used last."""
    padded = code + bytes(WORD + 1)
    pushed = [0] * len(code)
    destinations = set()
    position = 0
    while position < len(code):
        opcode = code[position]
        if opcode == JUMPDEST:
            destinations.add(position)
        elif PUSH0 <= opcode <= PUSH32:
            size = opcode - PUSH0
            pushed[position] = int.from_bytes(padded[position + 1 : position + 1 + size])
            position += size
        position += 1
    return Program(padded, pushed, frozenset(destinations))


def _operand(values: Values) -> int:
    value = values.pop()
    return value if type(value) is int else int.from_bytes(value)


def _add(values: Values) -> None:
    values.append((_operand(values) + _operand(values)) & MASK)


def _mul(values: Values) -> None:
    values.append((_operand(values) * _operand(values)) & MASK)


def _sub(values: Values) -> None:
    left = _operand(values)
    values.append((left - _operand(values)) & MASK)


def _lt(values: Values) -> None:
    left = _operand(values)
    values.append(1 if left < _operand(values) else 0)


def _gt(values: Values) -> None:
    left = _operand(values)
    values.append(1 if left > _operand(values) else 0)


def _eq(values: Values) -> None:
    values.append(1 if _operand(values) == _operand(values) else 0)


def _iszero(values: Values) -> None:
    values.append(0 if _operand(values) else 1)


def _and(values: Values) -> None:
    values.append(_operand(values) & _operand(values))


def _or(values: Values) -> None:
    values.append(_operand(values) | _operand(values))


def _xor(values: Values) -> None:
    values.append(_operand(values) ^ _operand(values))


def _not(values: Values) -> None:
    values.append(MASK ^ _operand(values))


def _shl(values: Values) -> None:
    shift, value = _operand(values), _operand(values)
    values.append(0 if shift >= 256 else (value << shift) & MASK)


def _shr(values: Values) -> None:
    shift, value = _operand(values), _operand(values)
    values.append(0 if shift >= 256 else value >> shift)


_SIMPLE: Final[dict[int, Callable[[Values], None]]] = {
    0x01: _add,
    0x02: _mul,
    0x03: _sub,
    0x10: _lt,
    0x11: _gt,
    0x14: _eq,
    0x15: _iszero,
    0x16: _and,
    0x17: _or,
    0x18: _xor,
    0x19: _not,
    0x1B: _shl,
    0x1C: _shr,
}
_IN_PLACE: Final = frozenset({*_SIMPLE, POP, MLOAD, MSTORE, JUMP, JUMPI, JUMPDEST, *range(PUSH0, SWAP16 + 1)})


class Interpreter:
    """Runs code with one fork's opcodes.

    Args:
        opcodes: py-evm's functions by opcode.
    """

    def __init__(self, opcodes: Mapping[int, OpcodeAPI]) -> None:
        self._functions: list[Any] = [opcodes.get(value) or InvalidOpcode(value) for value in range(256)]
        # An opcode with a cost here is executed in place; each of those has one.
        self._costs = [
            cast(Any, opcodes[value]).gas_cost if value in _IN_PLACE else 0 for value in range(256)
        ]
        self._simple = [_SIMPLE.get(value) for value in range(256)]

    def execute(self, computation: ComputationAPI) -> None:
        """Run a computation, just prepared by py-evm, to its halt; an error is raised as a VMError."""
        internals = cast(Any, computation)
        stream, meter, memory = internals.code, internals._gas_meter, internals._memory
        values: Values = internals._stack.values
        functions, costs, simple = self._functions, self._costs, self._simple
        prepared = program(bytes(computation.msg.code))
        code, pushed, destinations = prepared.code, prepared.pushed, prepared.destinations
        position = 0
        gas: int = meter.gas_remaining
        while True:
            opcode = code[position]
            position += 1
            cost = costs[opcode]
            if cost:
                if cost > gas:
                    meter.gas_remaining = gas
                    raise OutOfGas(f"Out of gas: Needed {cost} - Remaining {gas}")
                try:
                    if PUSH0 <= opcode <= PUSH32:
                        gas -= cost
                        if len(values) >= STACK_LIMIT:
                            raise FullStack("Stack limit reached")
                        values.append(pushed[position - 1])
                        position += opcode - PUSH0
                        continue
                    if DUP1 <= opcode <= DUP16:
                        gas -= cost
                        if len(values) >= STACK_LIMIT:
                            raise FullStack("Stack limit reached")
                        values.append(values[DUP1 - 1 - opcode])
                        continue
                    if SWAP1 <= opcode <= SWAP16:
                        gas -= cost
                        other = SWAP1 - 2 - opcode
                        values[-1], values[other] = values[other], values[-1]
                        continue
                    operation = simple[opcode]
                    if operation is not None:
                        gas -= cost
                        operation(values)
                        continue
                    if opcode == JUMPDEST:
                        gas -= cost
                        continue
                    if opcode in (JUMP, JUMPI):
                        gas -= cost
                        target = _operand(values)
                        if opcode == JUMP or _operand(values):
                            if target not in destinations:
                                raise InvalidJumpDestination("Invalid Jump Destination")
                            position = target
                        continue
                    if opcode == POP:
                        gas -= cost
                        values.pop()
                        continue
                    if len(values) >= 2:  # MLOAD, MSTORE
                        place = values[-1]
                        if type(place) is not int:
                            place = int.from_bytes(place)
                        total = cost
                        if place + WORD > len(memory._bytes):
                            before, after = len(memory._bytes) // WORD, (place + 2 * WORD - 1) // WORD
                            total += GAS_MEMORY * (after - before)
                            total += after * after // GAS_MEMORY_SQUARE - before * before // GAS_MEMORY_SQUARE
                        if total <= gas:
                            gas -= total
                            if total > cost:
                                memory.extend(place, WORD)
                            del values[-1]
                            if opcode == MLOAD:
                                values.append(bytes(memory._bytes[place : place + WORD]))
                            else:
                                value = values.pop()
                                word = (
                                    value.to_bytes(WORD) if type(value) is int else value.rjust(WORD, b"\0")
                                )
                                memory._bytes[place : place + WORD] = word[-WORD:]
                            continue
                except IndexError as error:
                    meter.gas_remaining = gas
                    raise InsufficientStack("Wanted more stack items than there are") from error
            stream.program_counter = position
            meter.gas_remaining = gas
            try:
                functions[opcode](computation=computation)
            except Halt:
                return
            position = stream.program_counter
            gas = meter.gas_remaining
