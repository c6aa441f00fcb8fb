"""What each of the three says of a case."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from eth.db.atomic import AtomicDB
from eth_typing import Address, Hash32

from assay_node.chain import ModelSpec
from assay_node.chain.contracts.artifacts import interface
from assay_node.devnet.simulate import AccountOverride, Call, Simulator
from assay_node.devnet.vm import DevnetVM, HeaderSource, genesis_header
from assay_prover import AssayProverError, _native
from assay_prover.groth16 import sliced

from .cases import Case
from .independent import accepts, commitments_are_good, key_is_good

GAS = 16_000_000


def core_takes_key(case: Case) -> bool:
    """The prover's core: whether it would verify under this key at all."""
    try:
        keys = sliced.split_key(case.key) if sliced.is_sliced(case.key) else [case.key]
        for key in keys:
            _native.check_verifying_key(key)
    except AssayProverError:
        return False
    return True


def core_accepts(case: Case) -> bool:
    """The prover's core: whether the proof is valid."""
    try:
        sliced.verify(case.key, case.statement, case.proof, case.commitments or None)
    except AssayProverError:
        return False
    return True


class _Genesis(HeaderSource):
    def hashes_back_from(self, block_hash: Hash32) -> Iterable[Hash32]:  # noqa: ARG002 - the interface's
        return ()


class Contracts:
    """Registry and verifier in an EVM of their own, without a chain.

    Args:
        vm_class: the devnet's machine, whose curve operations are the core's, or one with py-evm's own.
    """

    def __init__(self, vm_class: type[DevnetVM] = DevnetVM) -> None:
        nodes = AtomicDB()
        header = genesis_header(nodes, chain_id=1, balances={}, timestamp=1, gas_limit=3 * GAS)
        free = header.copy(base_fee_per_gas=0)
        self._simulator = Simulator(vm_class(free, _Genesis(nodes), 1), free)
        self._code = {name: _deployed(name) for name in ("ModelRegistry", "Groth16Verifier")}

    def register(self, case: Case, commitments: bytes) -> bool:
        """Whether the registry takes the case's key with these commitments."""
        spec = ModelSpec(bytes(32), bytes(32), bytes(32), case.n_in, case.n_out, False, False)
        return self._call("ModelRegistry", "register", spec.abi(), case.key, commitments)

    def accept(self, case: Case) -> bool:
        """Whether the registry would take the key and the verifier accepts the proof under it."""
        if not self.register(case, case.good_commitments):
            return False
        key = Address(b"\xee" * 20)
        data = (key, case.statement, case.proof, case.commitments)
        code = {key: AccountOverride(code=b"\0" + case.key)}
        return self._call("Groth16Verifier", "verify", *data, overrides=code)

    def _call(
        self, name: str, function: str, *args: Any, overrides: dict[Address, AccountOverride] | None = None
    ) -> bool:
        at = Address(b"\xcc" * 20)
        code = {at: AccountOverride(code=self._code[name]), **(overrides or {})}
        call = Call(
            Address(b"\xaa" * 20), at, interface(name).encode_call(function, *args), gas=GAS, overrides=code
        )
        return not self._simulator.run(call).computation.is_error


def _deployed(name: str) -> bytes:
    text = files("assay_node").joinpath("abi", f"{name}.json").read_text(encoding="utf-8")
    return bytes.fromhex(json.loads(text)["deployedBytecode"].removeprefix("0x"))


def disagreement(case: Case, contracts: Contracts) -> str:
    """What the three do not agree on; "" if they agree, and on what the case says if it says so."""
    accepted = {
        "core": core_accepts(case),
        "contracts": contracts.accept(case),
        "independent": accepts(case.key, case.statement, case.proof, case.commitments),
    }
    if len(set(accepted.values())) > 1:
        return f"{case.name}: accepted by {accepted}"
    if case.expected is not None and accepted["core"] != case.expected:
        return f"{case.name}: all say {accepted['core']}, and it is {case.expected}"
    keys = {
        "core": core_takes_key(case),
        "contracts": contracts.register(case, case.good_commitments),
        "independent": key_is_good(case.key),
    }
    if len(set(keys.values())) > 1:
        return f"{case.name}: key taken by {keys}"
    registered = contracts.register(case, case.commitments)
    if registered != commitments_are_good(case.key, case.commitments):
        return f"{case.name}: registered {registered}, and should not be like that"
    return ""
