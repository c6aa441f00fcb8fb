"""The native bn254 precompiles against py-evm's own, which py_ecc computes: same output, failure and gas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from eth.db.atomic import AtomicDB
from eth.vm.forks.prague.state import PragueState
from eth_typing import Address, Hash32
from hypothesis import given, settings
from hypothesis import strategies as st
from py_ecc import optimized_bn128 as bn128

from assay_node.devnet.vm import DevnetVM, HeaderSource, genesis_header

P = bn128.field_modulus
R = bn128.curve_order
GAS = 1_000_000


class Genesis(HeaderSource):
    def hashes_back_from(self, block_hash: Hash32) -> Iterable[Hash32]:  # noqa: ARG002 - the interface's
        return ()


class StockState(PragueState):
    """py-evm's precompiles."""

    def set_system_contracts(self) -> None:
        """As in the devnet."""


class StockVM(DevnetVM):
    _state_class = StockState  # type: ignore[assignment]  # beside the devnet's, not below it


NODES = AtomicDB()
HEADER = genesis_header(NODES, chain_id=1, balances={}, timestamp=1, gas_limit=30_000_000)


def run(vm_class: type[DevnetVM], number: int, data: bytes) -> tuple[bool, bytes, int]:
    target = Address(number.to_bytes(20, "big"))
    caller = Address(bytes(20))
    computation = vm_class(HEADER, Genesis(NODES), 1).execute_bytecode(
        origin=caller,
        gas_price=0,
        gas=GAS,
        to=target,
        sender=caller,
        value=0,
        data=data,
        code=b"",
        code_address=target,
    )
    return computation.is_error, bytes(computation.output), computation.get_gas_used()


def same(number: int, data: bytes) -> tuple[bool, bytes, int]:
    """Runs both and returns what they agree on."""
    native = run(DevnetVM, number, data)
    assert native == run(StockVM, number, data)
    return native


def words(*values: int) -> bytes:
    return b"".join(value.to_bytes(32, "big") for value in values)


def g1(scalar: int) -> bytes:
    if scalar % R == 0:
        return bytes(64)
    x, y = bn128.normalize(bn128.multiply(bn128.G1, scalar))
    return words(int(x), int(y))


def g2(scalar: int) -> bytes:
    if scalar % R == 0:
        return bytes(128)
    x, y = bn128.normalize(bn128.multiply(bn128.G2, scalar))
    return words(*(int(c) for c in (x.coeffs[1], x.coeffs[0], y.coeffs[1], y.coeffs[0])))


def outside_subgroup() -> bytes:
    """A point on the twist outside G2; the twist's cofactor is large, so almost any point is one."""
    for c0 in range(1, 100):
        x = bn128.FQ2([c0, 0])
        rhs = x * x * x + bn128.b2
        root = square_root(rhs)
        if root is not None and bn128.multiply((x, root, bn128.FQ2.one()), R)[-1] != bn128.FQ2.zero():
            return words(0, c0, int(root.coeffs[1]), int(root.coeffs[0]))
    raise AssertionError("no such point found")


def square_root(a: bn128.FQ2) -> bn128.FQ2 | None:
    """Complex method: sqrt(a0 + a1 u) with u^2 = -1."""
    a0, a1 = (int(c) for c in a.coeffs)
    norm = pow(a0 * a0 + a1 * a1, (P + 1) // 4, P)
    for sign in (norm, -norm):
        half = (a0 + sign) * pow(2, -1, P) % P
        x0 = pow(half, (P + 1) // 4, P)
        if x0 == 0:
            continue
        candidate = bn128.FQ2([x0, a1 * pow(2 * x0, -1, P) % P])
        if candidate * candidate == a:
            return candidate
    return None


scalars = st.one_of(st.integers(0, 3), st.integers(R - 2, R + 2), st.integers(0, 2**256 - 1))
points = st.integers(0, R - 1).map(g1)
coordinates = st.one_of(st.integers(0, 3), st.integers(P - 2, P + 2), st.integers(0, 2**256 - 1))
anything = st.one_of(points, st.tuples(coordinates, coordinates).map(lambda xy: words(*xy)))


@settings(max_examples=40, deadline=None)
@given(anything, anything, st.integers(0, 140))
def test_addition_agrees(a, b, length):
    same(6, (a + b)[:length] if length < 128 else (a + b).ljust(length, b"\xff"))


@settings(max_examples=40, deadline=None)
@given(anything, scalars, st.integers(0, 110))
def test_multiplication_agrees(point, scalar, length):
    data = point + words(scalar)
    same(7, data[:length] if length < 96 else data.ljust(length, b"\xff"))


ADDITIONS: dict[str, tuple[bytes, bytes | None]] = {
    "empty": (b"", bytes(64)),
    "doubling": (g1(1) + g1(1), g1(2)),
    "opposite": (g1(1) + g1(R - 1), bytes(64)),
    "infinity left": (bytes(64) + g1(5), g1(5)),
    "infinity right": (g1(5) + bytes(64), g1(5)),
    "longer than 128": (g1(2) + g1(3) + b"\x01", g1(5)),
    "off the curve": (words(1, 1) + g1(1), None),
    "x = p": (words(P, 0) + g1(1), None),
    "x = p + 1, y = 2": (words(P + 1, 2) + g1(1), None),
    "y = p": (words(0, P) + g1(1), None),
}


@pytest.mark.parametrize("name", ADDITIONS)
def test_addition_at_its_edges(name):
    data, expected = ADDITIONS[name]
    failed, output, gas = same(6, data)
    assert (failed, output) == ((True, b"") if expected is None else (False, expected))
    assert gas == (GAS if failed else 150)


@pytest.mark.parametrize("scalar", [0, 1, 2, R - 1, R, R + 1, 2**256 - 1])
def test_multiplication_at_its_edges(scalar):
    assert same(7, g1(3) + words(scalar)) == (False, g1(3 * scalar), 6_000)
    assert same(7, bytes(64) + words(scalar)) == (False, bytes(64), 6_000)


def pairings() -> Iterator[tuple[str, bytes, int | None]]:
    """Name, input, and 1, 0 or None for failure."""
    good = g1(2) + g2(3)
    yield "no pair", b"", 1
    yield "one pair", good, 0
    yield "product is one", g1(6) + g2(1) + g1(R - 2) + g2(3), 1
    yield "product is not one", g1(6) + g2(1) + g1(R - 2) + g2(4), 0
    yield "infinity in G1", bytes(64) + g2(1), 1
    yield "infinity in G2", g1(1) + bytes(128), 1
    yield "both at infinity", bytes(192), 1
    yield "one byte short", good[:-1], None
    yield "one byte long", good + b"\x00", None
    yield "G1 off the curve", words(1, 1) + g2(1), None
    yield "G2 off the curve", g1(1) + g2(1)[:-1] + bytes([g2(1)[-1] ^ 1]), None
    yield "G2 outside the subgroup", g1(1) + outside_subgroup(), None
    yield "G2 outside the subgroup beside infinity", bytes(64) + outside_subgroup(), None
    yield "G1 coordinate p", words(P, 0) + g2(1), None
    yield "G2 coordinate + p", g1(1) + words(int.from_bytes(g2(1)[:32]) + P) + g2(1)[32:], None
    yield "invalid after valid", good + words(1, 1) + g2(1), None


PAIRINGS = list(pairings())


@pytest.mark.parametrize(
    ("data", "expected"), [case[1:] for case in PAIRINGS], ids=[case[0] for case in PAIRINGS]
)
def test_pairing_agrees(data, expected):
    failed, output, gas = same(8, data)
    if expected is None:
        assert (failed, output, gas) == (True, b"", GAS)
    else:
        assert (failed, output, gas) == (False, words(expected), 45_000 + 34_000 * (len(data) // 192))


@pytest.mark.parametrize(("number", "data", "gas"), [(6, b"", 149), (7, b"", 5_999), (8, b"", 44_999)])
def test_starved_precompile_fails(number, data, gas):
    target = Address(number.to_bytes(20, "big"))
    computation = DevnetVM(HEADER, Genesis(NODES), 1).execute_bytecode(
        origin=target,
        gas_price=0,
        gas=gas,
        to=target,
        sender=target,
        value=0,
        data=data,
        code=b"",
        code_address=target,
    )
    assert computation.is_error
    assert computation.output == b""


async def test_precompiles_answer_eth_call(net):
    data = "0x" + (g1(6) + g2(1) + g1(R - 2) + g2(3)).hex()
    answer = await net.rpc("eth_call", {"to": "0x" + "00" * 19 + "08", "data": data})
    assert int(answer, 16) == 1
