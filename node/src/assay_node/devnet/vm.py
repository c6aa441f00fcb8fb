"""py-evm's Prague rules with native bn254 precompiles, and the state a chain starts from.

py-evm is driven directly rather than through eth-tester: eth-tester finds a transaction by scanning the
chain, flattens revert data to text, fixes block time at parent + 1 and does not check a transaction's chain
id, and each of these sits in the layer the devnet would have to replace.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from eth.abc import (
    BlockHeaderAPI,
    ChainDatabaseAPI,
    ComputationAPI,
    ConsensusContextAPI,
    MessageAPI,
    SignedTransactionAPI,
    StateAPI,
    TransactionContextAPI,
)
from eth.db.atomic import AtomicDB
from eth.vm.chain_context import ChainContext
from eth.vm.forks.cancun.constants import BEACON_ROOTS_ADDRESS, BEACON_ROOTS_CONTRACT_CODE
from eth.vm.forks.london.state import LondonTransactionExecutor
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.computation import PragueComputation
from eth.vm.forks.prague.constants import HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CONTRACT_CODE
from eth.vm.forks.prague.state import PragueState
from eth_typing import Address, Hash32

from assay_node.devnet.interpreter import Interpreter
from assay_node.devnet.precompiles import BN254_PRECOMPILES

_SELFDESTRUCT = 0xFF
# py-evm wraps this opcode to warn the Python program that a contract used it. A chain has no such opinion.
_selfdestruct = cast(Any, PragueComputation.opcodes[_SELFDESTRUCT]).__wrapped__
BLOCK_HASH_WINDOW = 256  # BLOCKHASH reaches this far back


class DevnetComputation(PragueComputation):
    """Prague's opcodes, the frequent ones in place, and precompiles, 6, 7 and 8 native."""

    opcodes = {**PragueComputation.opcodes, _SELFDESTRUCT: _selfdestruct}  # noqa: RUF012
    _precompiles = {**PragueComputation.get_precompiles(), **BN254_PRECOMPILES}  # noqa: RUF012 - py-evm's own form
    _interpreter = Interpreter(opcodes)

    @classmethod
    def apply_computation(
        cls,
        state: StateAPI,
        message: MessageAPI,
        transaction_context: TransactionContextAPI,
        parent_computation: ComputationAPI | None = None,
    ) -> ComputationAPI:
        """py-evm's, with the faster loop."""
        with cls(state, message, transaction_context) as computation:
            own = cast(Any, computation)
            if computation.is_origin_computation:
                own.contracts_created = []
                if message.is_create:
                    cls.consume_initcode_gas_cost(computation)
            if parent_computation is not None:
                own.contracts_created = cast(Any, parent_computation).contracts_created
            if message.is_create:
                own.contracts_created.append(message.storage_address)
            precompile = computation.precompiles.get(message.code_address)
            if precompile is None:
                cls._interpreter.execute(computation)
            elif not message.is_delegation:
                precompile(computation)
        return computation


class DevnetState(PragueState):
    """State whose code runs in ``DevnetComputation``."""

    computation_class: type[PragueComputation] = DevnetComputation

    def set_system_contracts(self) -> None:
        """Nothing: the genesis block holds the system contracts, so reading a state never changes it."""


class HeaderSource:
    """What a VM asks of its chain: the node store, and headers by hash for BLOCKHASH."""

    def __init__(self, nodes: AtomicDB) -> None:
        """``nodes`` holds trie nodes and code by hash."""
        self.db = nodes

    def hashes_back_from(self, block_hash: Hash32) -> Iterable[Hash32]:
        """``block_hash`` and its ancestors' hashes, newest first, at most 256."""
        raise NotImplementedError


class DevnetVM(PragueVM):
    """Executes transactions on top of one header."""

    _state_class = DevnetState

    def __init__(self, header: BlockHeaderAPI, source: HeaderSource, chain_id: int) -> None:
        """A VM for ``header``, a block under construction or one whose state is to be read."""
        self._source = source
        super().__init__(
            header,
            cast(ChainDatabaseAPI, source),
            ChainContext(chain_id),
            cast(ConsensusContextAPI, None),  # proof of work's; never touched after the merge
        )

    @classmethod
    def finalize_gas_used(cls, transaction: SignedTransactionAPI, computation: ComputationAPI) -> int:
        """Gas a transaction pays for, after refunds (EIP-3529) and the data floor (EIP-7623).

        py-evm bills the sender correctly, but for the receipt it takes the refund's cap, a fifth of the gas
        used, from a sum that already holds the floor: receipt and bill then differ.
        """
        used = int(transaction.gas - computation.get_gas_remaining())
        refund = LondonTransactionExecutor.calculate_gas_refund(computation, used)
        return used - refund + int(computation.data_floor_gas)

    @property
    def previous_hashes(self) -> Iterable[Hash32]:
        """Hashes of the ancestors, parent first."""
        return self._source.hashes_back_from(self.get_header().parent_hash)


def base_fee_of(header: BlockHeaderAPI) -> int:
    """Base fee in wei per gas; every block here has one (py-evm's type also covers blocks before London)."""
    return cast(int, header.base_fee_per_gas)


def genesis_header(
    nodes: AtomicDB, *, chain_id: int, balances: dict[Address, int], **fields: Any
) -> BlockHeaderAPI:
    """Write the genesis state (balances, EIP-4788 and EIP-2935 contracts) to ``nodes`` and return its header.

    ``fields`` are header fields: ``timestamp``, ``gas_limit``, ``base_fee_per_gas``, ``extra_data``.
    """
    empty = DevnetVM.create_genesis_header(difficulty=0, **fields)
    state = DevnetVM.build_state(nodes, empty, ChainContext(chain_id))
    for address, balance in balances.items():
        state.set_balance(address, balance)
    for address, code in (
        (BEACON_ROOTS_ADDRESS, BEACON_ROOTS_CONTRACT_CODE),
        (HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CONTRACT_CODE),
    ):
        state.set_code(address, code)
        state.set_nonce(address, 1)
    state.persist()
    return empty.copy(state_root=state.state_root)
