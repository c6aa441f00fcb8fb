"""Executing calls that change nothing: ``eth_call`` and ``eth_estimateGas``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, cast

from eth.abc import BlockHeaderAPI, ComputationAPI, SignedTransactionAPI, StateAPI
from eth.constants import CREATE_CONTRACT_ADDRESS
from eth.exceptions import InsufficientFunds, InvalidInstruction, OutOfGas, Revert
from eth.vm.forks.prague.transactions import PragueTransactionBuilder
from eth.vm.spoof import SpoofTransaction
from eth_typing import Address
from eth_utils.exceptions import ValidationError

from assay_node.devnet.errors import ExecutionError, ExecutionReverted, RpcError
from assay_node.devnet.transactions import floor_gas, initcode_gas
from assay_node.devnet.vm import DevnetVM, HeaderSource, base_fee_of

CALL_STIPEND: Final = 2_300
# geth's tolerance: the search stops when the answer is known to 1.5 %.
ESTIMATE_ERROR: Final = 0.015


@dataclass(frozen=True, slots=True)
class AccountOverride:
    """State that a call pretends an account has; None leaves it as it is."""

    balance: int | None = None
    nonce: int | None = None
    code: bytes | None = None
    storage: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """The fields of a call object. ``fee_cap`` None means gas is free, as in geth."""

    sender: Address
    to: Address | None
    data: bytes = b""
    value: int = 0
    gas: int | None = None
    fee_cap: int | None = None
    tip_cap: int | None = None
    access_list: tuple[tuple[Address, tuple[int, ...]], ...] = ()
    overrides: dict[Address, AccountOverride] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallResult:
    """What an execution did.

    Attributes:
        computation: py-evm's account of it.
        gas_used: what is paid for: intrinsic gas included, refunds taken off.
        gas_needed: the most that was spent at any time, which a limit must cover.
    """

    computation: ComputationAPI
    gas_used: int
    gas_needed: int

    def output(self) -> bytes:
        """The returned bytes; ExecutionReverted or ExecutionError if the call failed."""
        if self.computation.is_error:
            raise failure(self.computation)
        return bytes(self.computation.output)


class Simulator:
    """Runs calls on top of one state, leaving it as it was after each."""

    def __init__(self, vm: DevnetVM, header: BlockHeaderAPI) -> None:
        """``vm``'s state is used but never persisted; ``header`` bounds the gas."""
        self._vm = vm
        self._gas_cap = header.gas_limit
        self._base_fee = base_fee_of(header)

    @classmethod
    def at(cls, source: HeaderSource, chain_id: int, header: BlockHeaderAPI, *, free: bool) -> Simulator:
        """A simulator whose BASEFEE is 0 if gas is ``free``: when a call offers no fee, as in geth."""
        execution = header.copy(base_fee_per_gas=0) if free else header
        return cls(DevnetVM(execution, source, chain_id), execution)

    @classmethod
    def after(cls, vm: DevnetVM, call: Call) -> Simulator:
        """A simulator on top of a block under construction, after its transactions."""
        header = vm.get_header()
        if not call.fee_cap:
            header = header.copy(base_fee_per_gas=0)
            vm.state.execution_context = vm.create_execution_context(
                header, vm.previous_hashes, vm.chain_context
            )
        vm.state.lock_changes()  # what the last transaction warmed is cold again
        return cls(vm, header)

    def run(self, call: Call) -> CallResult:
        """Execute; a failed execution is a result, a call that cannot start is an RpcError."""
        state = self._vm.state
        snapshot = state.snapshot()
        try:
            for address, override in call.overrides.items():
                _apply_override(state, address, override)
            transaction = self._transaction(call, state.get_nonce(call.sender))
            gas = transaction.gas
            minimum = _minimum_gas(transaction)
            if gas < minimum:
                raise RpcError(f"intrinsic gas too low: have {gas}, want {minimum}")
            computation = state.apply_transaction(transaction)
            used = self._vm.finalize_gas_used(transaction, computation)
            return CallResult(computation, used, max(used, gas - computation.get_gas_remaining()))
        except ValidationError as error:
            raise self._rejection(call, state, error) from error
        finally:
            state.revert(snapshot)

    def estimate(self, call: Call) -> int:
        """The least gas limit (to 1.5 %, never too little) with which the call succeeds."""
        highest = min(call.gas or self._gas_cap, self._gas_cap)
        if call.fee_cap:
            affordable = max(self._vm.state.get_balance(call.sender) - call.value, 0) // call.fee_cap
            highest = min(highest, affordable)
        first = self._try(call, highest)
        if first is None:
            raise RpcError(f"gas required exceeds allowance ({highest})")
        if first.computation.is_error:
            if isinstance(first.computation.error, OutOfGas):
                raise RpcError(f"gas required exceeds allowance ({highest})")
            raise failure(first.computation)
        lowest = first.gas_used - 1
        # What was needed is enough, and so the answer to the unit, unless a callee needs nearly all of the
        # 63/64 that it is given of what is left.
        peak = first.gas_needed
        if peak < highest:
            lowest, highest = self._narrow(call, peak, lowest, highest)
            if highest == peak:
                return peak
        likely = (peak + CALL_STIPEND) * 64 // 63
        if likely < highest:
            lowest, highest = self._narrow(call, likely, lowest, highest)
        while lowest + 1 < highest and (highest - lowest) / highest >= ESTIMATE_ERROR:
            middle = min((lowest + highest) // 2, 2 * lowest)
            lowest, highest = self._narrow(call, middle, lowest, highest)
        return highest

    def _narrow(self, call: Call, gas: int, lowest: int, highest: int) -> tuple[int, int]:
        result = self._try(call, gas)
        succeeded = result is not None and not result.computation.is_error
        return (lowest, gas) if succeeded else (gas, highest)

    def _try(self, call: Call, gas: int) -> CallResult | None:
        """None if ``gas`` does not even cover the intrinsic cost."""
        minimum = _minimum_gas(self._transaction(replace(call, gas=gas), 0))
        return None if gas < minimum else self.run(replace(call, gas=gas))

    def _transaction(self, call: Call, nonce: int) -> SignedTransactionAPI:
        fee_cap = call.fee_cap or 0
        unsigned = PragueTransactionBuilder.new_unsigned_dynamic_fee_transaction(
            chain_id=self._vm.chain_context.chain_id,
            nonce=nonce,
            max_priority_fee_per_gas=min(call.tip_cap or 0, fee_cap),
            max_fee_per_gas=fee_cap,
            gas=min(call.gas or self._gas_cap, self._gas_cap),
            to=CREATE_CONTRACT_ADDRESS if call.to is None else call.to,
            value=call.value,
            data=call.data,
            access_list=call.access_list,
        )
        return cast(SignedTransactionAPI, SpoofTransaction(unsigned, from_=call.sender))

    def _rejection(self, call: Call, state: StateAPI, error: ValidationError) -> RpcError:
        have = state.get_balance(call.sender)
        gas = min(call.gas or self._gas_cap, self._gas_cap)
        want = call.value + gas * (call.fee_cap or 0)
        if have < want:
            what = "gas * price + value" if call.fee_cap else "transfer"
            return RpcError(
                f"insufficient funds for {what}: address 0x{call.sender.hex()} have {have} want {want}"
            )
        if call.fee_cap and call.fee_cap < self._base_fee:
            return RpcError(
                "max fee per gas less than block base fee: "
                f"maxFeePerGas: {call.fee_cap}, baseFee: {self._base_fee}"
            )
        return RpcError(str(error))


def failure(computation: ComputationAPI) -> RpcError:
    """The JSON-RPC error for a failed execution, revert data untouched."""
    error = computation.error
    if isinstance(error, Revert):
        return ExecutionReverted(bytes(computation.output))
    if isinstance(error, OutOfGas):
        return ExecutionError("out of gas")
    if isinstance(error, InvalidInstruction):
        return ExecutionError(f"invalid opcode: {error}")
    if isinstance(error, InsufficientFunds):
        return ExecutionError("insufficient balance for transfer")
    return ExecutionError(f"{type(error).__name__}: {error}")


def _minimum_gas(transaction: SignedTransactionAPI) -> int:
    creation = initcode_gas(transaction.data) if transaction.to == CREATE_CONTRACT_ADDRESS else 0
    return max(int(transaction.intrinsic_gas) + creation, floor_gas(transaction.data))


def _apply_override(state: StateAPI, address: Address, override: AccountOverride) -> None:
    if override.balance is not None:
        state.set_balance(address, override.balance)
    if override.nonce is not None:
        state.set_nonce(address, override.nonce)
    if override.code is not None:
        state.set_code(address, override.code)
    for slot, value in override.storage.items():
        state.set_storage(address, slot, value)
