"""The chain: blocks on disk, a pool, a clock, and the operations that move them.

Every method runs on one thread. A method that changes the chain does so in one database transaction.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Generic, TypeVar

from eth.abc import BlockHeaderAPI, StateAPI
from eth_typing import Address, Hash32

from assay_node.devnet.accounts import DevAccounts
from assay_node.devnet.builder import Draft, ExecutionFault, StateEdit, draft, next_header, seal
from assay_node.devnet.config import DevnetConfig
from assay_node.devnet.errors import INTERNAL_ERROR, DevnetError, RpcError
from assay_node.devnet.fees import next_base_fee
from assay_node.devnet.pool import Pool
from assay_node.devnet.simulate import Call, Simulator
from assay_node.devnet.store import Store
from assay_node.devnet.transactions import PendingTransaction, admit
from assay_node.devnet.vm import BLOCK_HASH_WINDOW, DevnetVM, HeaderSource, genesis_header

MAX_BLOCKS_PER_CALL = 10_000
CACHED_STATES = 4
K = TypeVar("K")
V = TypeVar("V")
GENESIS_EXTRA_DATA = b"assay devnet"


class ReorgPolicy(StrEnum):
    """What becomes of the transactions of replaced blocks."""

    REMINE = "remine"  # mined again, all in the first replacing block
    POOL = "pool"  # left in the pool: the replacing blocks are empty
    DROP = "drop"  # forgotten, as if they had never been sent


class StoreHeaders(HeaderSource):
    """Block hashes for BLOCKHASH, from the store."""

    def __init__(self, store: Store) -> None:
        """Reads ``store``."""
        super().__init__(store.nodes)
        self._store = store

    def hashes_back_from(self, block_hash: Hash32) -> Iterable[Hash32]:
        """See ``HeaderSource``."""
        block = self._store.block_by_hash(block_hash)
        if block is not None:
            yield from self._store.block_hashes(block.header.block_number, BLOCK_HASH_WINDOW)


class Recent(Generic[K, V]):
    """The values used last, by key. A value belongs to its key for ever, as a state to a block's hash."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of ``key``, made if it is not here."""
        if key in self._values:
            self._values.move_to_end(key)
        else:
            self._values[key] = make()
            if len(self._values) > self._size:
                self._values.popitem(last=False)
        return self._values[key]


class Chain:
    """A development chain under Prague rules."""

    def __init__(self, config: DevnetConfig) -> None:
        """Open the chain in ``config.state``, or start one; DevnetError if the state is another chain's."""
        self.config = config
        self.accounts = DevAccounts(config.mnemonic, config.accounts)
        self.store = Store(config.state)
        try:
            self._source = StoreHeaders(self.store)
            self.pool = Pool()
            self.automine = config.automine and config.block_time is None
            self._next_timestamp: int | None = None
            self._next_base_fee: int | None = None
            self._arrivals = 0
            self._head: BlockHeaderAPI | None = None  # cache; None after every change
            # What a state has read of its tries it keeps: clients ask many things of the same few blocks.
            self._states: Recent[Hash32, StateAPI] = Recent(CACHED_STATES)
            self._simulators: Recent[tuple[Hash32, bool], Simulator] = Recent(CACHED_STATES)
            self._open()
        except BaseException:
            self.store.close()
            raise

    def close(self) -> None:
        """Close the database."""
        self.store.close()

    def _open(self) -> None:
        if self.store.head_number() is None:
            with self.store.atomic():
                self._start()
        stored = self.store.meta("chain_id")
        if stored != str(self.config.chain_id):
            raise DevnetError(
                f"the state in {self.config.state} belongs to chain {stored}, not {self.config.chain_id}: "
                "give that chain id or another directory"
            )
        self._clock_offset = int(self.store.meta("clock_offset") or 0)
        self._reorgs = int(self.store.meta("reorgs") or 0)
        self._load_pool()

    def _start(self) -> None:
        header = genesis_header(
            self.store.nodes,
            chain_id=self.config.chain_id,
            balances=dict.fromkeys(self.accounts.addresses, self.config.balance),
            timestamp=int(self.config.clock()),
            gas_limit=self.config.gas_limit,
            base_fee_per_gas=self.config.base_fee,
            extra_data=GENESIS_EXTRA_DATA,
        )
        self.store.add_block(header, 0, [], [])
        self.store.set_meta("chain_id", str(self.config.chain_id))

    def _load_pool(self) -> None:
        for pending in self._requeue(self.store.pool()):
            with self.store.atomic():
                self.store.remove_pooled([pending.hash])
        if self.automine:  # what was accepted but not mined when the process was killed
            self.mine_pool()

    # Reading

    @property
    def head(self) -> BlockHeaderAPI:
        """The newest block's header."""
        if self._head is None:
            number = self.store.head_number()
            block = None if number is None else self.store.block(number)
            if block is None:
                raise DevnetError("the chain has no genesis block: its database is damaged")
            self._head = block.header
        return self._head

    def state_at(self, header: BlockHeaderAPI) -> StateAPI:
        """The state after a mined block. Read only: it is never persisted."""
        return self._states.get(
            header.hash, lambda: DevnetVM(header, self._source, self.config.chain_id).state
        )

    def pending(self) -> Draft:
        """The block that would be mined now."""
        return draft(self._source, self.config.chain_id, self.pending_header(), self.pool)

    def pending_header(self) -> BlockHeaderAPI:
        """Header of the next block, before transactions."""
        head = self.head
        return next_header(head, timestamp=self._timestamp(head), base_fee=self._next_base_fee)

    def simulator(self, header: BlockHeaderAPI, call: Call) -> Simulator:
        """Runs calls on the state after ``header``, or, for a pending header, on that before it."""
        free = not call.fee_cap
        return self._simulators.get(
            (header.hash, free), lambda: Simulator.at(self._source, self.config.chain_id, header, free=free)
        )

    def next_nonce(self, sender: Address) -> int:
        """Nonce for a sender's next transaction, pool included."""
        return self.pool.next_nonce(sender, self.state_at(self.head).get_nonce(sender))

    # Time

    @property
    def now(self) -> int:
        """The chain's clock, seconds: the machine's, moved by ``increase_time``."""
        return int(self.config.clock()) + self._clock_offset

    def _timestamp(self, parent: BlockHeaderAPI) -> int:
        """The clock's, but never before the parent's: blocks mined within a second share it, as on anvil.

        A second more for each block would carry a chain that mines each transaction at once far ahead of the
        clock that its users' deadlines are measured by.
        """
        return self._next_timestamp or max(parent.timestamp, self.now)

    def increase_time(self, seconds: int) -> int:
        """Move the clock; returns the total offset in seconds."""
        self._set_offset(self._clock_offset + seconds)
        return self._clock_offset

    def set_next_timestamp(self, timestamp: int) -> None:
        """The next block's timestamp, exactly; the clock goes on from there."""
        if timestamp <= self.head.timestamp:
            raise RpcError(f"timestamp {timestamp} is not after the newest block's, {self.head.timestamp}")
        self._next_timestamp = timestamp
        self._set_offset(timestamp - int(self.config.clock()))

    def set_next_base_fee(self, base_fee: int) -> None:
        """The next block's base fee, wei per gas; EIP-1559 goes on from there."""
        self._next_base_fee = base_fee

    def _set_offset(self, offset: int) -> None:
        self._clock_offset = offset
        self.store.set_meta("clock_offset", str(offset))

    # Transactions

    def send(self, raw: bytes) -> Hash32:
        """Accept a signed transaction (RpcError with geth's message if not) and, with automine, mine it."""
        pending = self._admit(raw)
        if self.store.transaction(pending.hash) is not None:
            raise RpcError("already known")
        replaced = self._pool_add(pending)
        self._arrivals += 1
        with self.store.atomic():
            self.store.remove_pooled([replaced.hash] if replaced else [])
            self.store.add_pooled(pending.hash, raw, self._arrivals)
        if self.automine:
            self.mine_pool()
        return pending.hash

    def _admit(self, raw: bytes) -> PendingTransaction:
        return admit(raw, chain_id=self.config.chain_id, gas_limit=self.head.gas_limit)

    def _pool_add(self, pending: PendingTransaction) -> PendingTransaction | None:
        state = self.state_at(self.head)
        return self.pool.add(pending, state.get_nonce(pending.sender), state.get_balance(pending.sender))

    def drop(self, tx_hash: Hash32) -> bool:
        """Take a transaction out of the pool, as a node that evicts it; False if it is not there."""
        with self.store.atomic():
            self.store.remove_pooled([tx_hash])
        return self.pool.remove(tx_hash)

    # Mining

    def mine(
        self, *, edit: StateEdit | None = None, include_pool: bool = True, extra_data: bytes = b""
    ) -> Hash32:
        """Mine one block and return its hash."""
        head = self.head
        header = next_header(
            head, timestamp=self._timestamp(head), base_fee=self._next_base_fee, extra_data=extra_data
        )
        try:
            block = draft(self._source, self.config.chain_id, header, self.pool if include_pool else Pool())
        except ExecutionFault as fault:
            self.drop(fault.tx_hash)  # left in the pool it would stop every later block too
            raise RpcError(f"{fault}, which is dropped: {fault.__cause__!r}", code=INTERNAL_ERROR) from fault
        gone = [entry.pending.hash for entry in block.executed] + block.invalid
        with self.store.atomic():
            sealed = seal(block, edit)
            self.store.add_block(sealed.header, sealed.size, sealed.transactions, sealed.logs)
            stale = self.pool.stale(block.vm.state.get_nonce)
            self.store.remove_pooled([*gone, *stale])
        self._head = None
        for tx_hash in {*gone, *stale}:
            self.pool.remove(tx_hash)
        self._next_timestamp = self._next_base_fee = None
        return Hash32(sealed.header.hash)

    def mine_pool(self) -> None:
        """Mine until no transaction of the pool can be mined: those with a gap or too low a fee stay."""
        while self._has_executable():
            self.mine()

    def _has_executable(self) -> bool:
        if not len(self.pool):
            return False
        base_fee = self._next_base_fee or next_base_fee(self.head)
        return self.pool.selection(base_fee, self.state_at(self.head).get_nonce).pop() is not None

    def mine_many(self, count: int, interval: int | None = None) -> None:
        """Mine ``count`` blocks whose timestamps are ``interval`` seconds apart, or the clock's."""
        if not 0 <= count <= MAX_BLOCKS_PER_CALL:
            raise RpcError(f"{count} blocks asked for; at most {MAX_BLOCKS_PER_CALL} at once")
        for index in range(count):
            if index and interval:
                self.set_next_timestamp(self.head.timestamp + interval)
            self.mine()

    def edit_state(self, edit: StateEdit) -> None:
        """Change accounts directly, in a block of its own, so that state roots and reads keep agreeing."""
        self.mine(edit=edit, include_pool=False)

    # Going back

    def snapshot(self) -> int:
        """Remember this moment; returns the snapshot's id."""
        head = self.head
        return self.store.add_snapshot(head.block_number, head.hash, self._clock_offset)

    def revert(self, snapshot_id: int) -> bool:
        """Return to a snapshot and forget it and all later ones; False if it does not exist any more.

        The pool is emptied: what was sent since belongs to a future that no longer happens.
        """
        found = self.store.snapshot(snapshot_id)
        if found is None:
            return False
        number, block_hash, offset = found
        block = self.store.block(number)
        if block is None or block.header.hash != block_hash:
            return False  # a re-org has replaced the block it was taken at
        with self.store.atomic():
            self.store.truncate(number)
            self.store.drop_snapshots(snapshot_id)
            self.store.remove_pooled(self.pool.clear())
        self._head = None
        self._set_offset(offset)
        self._next_timestamp = self._next_base_fee = None
        return True

    def reorg(
        self,
        depth: int,
        policy: ReorgPolicy = ReorgPolicy.REMINE,
        length: int | None = None,
        set_back: int = 0,
    ) -> Hash32:
        """Replace the newest ``depth`` blocks by ``length`` others (default: one more) and return the new
        head's hash.

        The replacing blocks' hashes differ from the replaced ones' even where their contents do not. The
        clock goes back by ``set_back`` seconds, so that they may be older than the replaced ones, and what
        comes after them, too; never older than the block that they follow.
        """
        head = self.head.block_number
        length = depth + 1 if length is None else length
        if not 1 <= depth <= head:
            raise RpcError(f"cannot replace {depth} blocks: the chain has {head} above genesis")
        if not depth <= length <= MAX_BLOCKS_PER_CALL:
            raise RpcError(f"{length} blocks cannot replace {depth}: a longer or equal chain wins")
        replaced = [
            tx.raw for number in range(head - depth + 1, head + 1) for tx in self.store.transactions(number)
        ]
        with self.store.atomic():
            self.store.truncate(head - depth)
            self._head = None
            self._reorgs += 1
            self.increase_time(-set_back)
            self.store.set_meta("reorgs", str(self._reorgs))
            if policy is not ReorgPolicy.DROP:
                self._requeue(replaced)
            for index in range(length):
                include_pool = policy is ReorgPolicy.REMINE and index == 0
                self.mine(include_pool=include_pool, extra_data=b"reorg %d" % self._reorgs)
        return Hash32(self.head.hash)

    def _requeue(self, raws: Iterable[bytes]) -> list[PendingTransaction]:
        """Put transactions back into the pool; returns those it refuses (their sender's money is gone)."""
        refused: list[PendingTransaction] = []
        for raw in raws:
            pending = self._admit(raw)
            try:
                self._pool_add(pending)
            except RpcError:
                refused.append(pending)
                continue
            self._arrivals += 1
            with self.store.atomic():
                self.store.add_pooled(pending.hash, raw, self._arrivals)
        return refused
