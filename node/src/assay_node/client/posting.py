"""Puts a job on chain, and puts it there again when the chain forgets it.

What a job is, is written before its transaction exists (see `store`). A re-org may drop the transaction of a
posting, and may give the same draft another job id when it is mined again. Nothing of that ends a job: the
draft is kept, the transaction is sent again, and the job's former ids find it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence, Set
from dataclasses import dataclass

from ..chain import (
    Chain,
    ChainError,
    ContractReverted,
    CrossCheck,
    FeesTooHigh,
    InsufficientFunds,
    Intent,
    IntentStatus,
    JobRequest,
    JobSubmitted,
    Outbox,
    Receipt,
    TransactionFailed,
    TransactionPending,
    Want,
)
from ..chain.outbox.outbox_store import UNSUCCESSFUL
from ..chain.together import Together
from .errors import EvidenceMismatch, JobNotFound
from .evidence import job_id_of
from .history import submissions_by
from .store import JobRecord, JobStore

# Failures after which no transaction can be under way: the draft may be forgotten.
_NEVER_SENT = (ContractReverted, FeesTooHigh, InsufficientFunds, TransactionFailed)

PATIENCE_WITH_REPOSTING = 5.0
"""Seconds that one look waits for a dropped posting to be mined again."""


@dataclass(frozen=True, slots=True)
class _Posting:
    key: str
    request: JobRequest
    words: Sequence[int]
    again: bool = True
    """Whether another transaction is signed if the one that there is came to nothing."""


class Poster:
    """Posts the jobs of one account on one market.

    Args:
        chain: the market and its neighbours.
        outbox: sends the account's transactions.
        store: holds the drafts.
    """

    def __init__(self, chain: Chain, outbox: Outbox, store: JobStore) -> None:
        self._chain = chain
        self._outbox = outbox
        self._store = store
        self._together = Together(self._submit_many, asyncio.Lock())

    async def post(self, draft_id: bytes, request: JobRequest, words: Sequence[int]) -> tuple[bytes, Receipt]:
        """Send a stored draft's transaction and wait for it; the job's id and the receipt.

        The vault's balance pays the ceiling as far as it is not promised to postings under way; the
        transaction carries the rest. Several calls at once take turns at that sum, not at being mined.

        Raises:
            ChainError: as `Outbox.send`. After TransactionPending the draft is kept: `recover` finds its job.
        """
        key = _key(draft_id)
        try:
            await self._submit(key, request, words)
            try:
                receipt = await self._outbox.wait(key)
            except TransactionFailed as failed:
                # What the vault had when the sum was made, something else took meanwhile: once more. But
                # never beside a job that is there: it would be asked for, and paid, twice.
                await self._require_absent(draft_id, failed.what)
                await self._submit(key, request, words)
                receipt = await self._outbox.wait(key)
        except _NEVER_SENT:
            self._store.discard(draft_id)
            raise
        return self._adopt_from(draft_id, receipt), receipt

    async def _require_absent(self, draft_id: bytes, said: str) -> None:
        """Raise EvidenceMismatch if the market has a draft's job, whatever its receipt says."""
        posted = await submissions_by(self._chain, self._outbox.account.address)
        if any(event.request.input_ref == draft_id for event in posted):
            raise EvidenceMismatch(
                f"the node says that {said}, and serves the log of the job that it posted",
                "Ask another node: the job is there, and is not posted again",
            )

    async def _require_gone(self, draft_id: bytes, intent: Intent) -> None:
        """Raise EvidenceMismatch unless a job that was on chain is there no more, whatever its receipt says.

        A node that denies the job, its receipt and its nonce together would have it posted, and paid, twice.
        What it cannot deny with them is the block in which the job was: that must have left the chain. Two
        nodes have answered all of it alike.
        """
        await self._require_absent(draft_id, "the job's posting came to nothing")
        node = self._outbox.node
        if isinstance(node, CrossCheck):
            return
        number = intent.success_number
        header = None if number is None else await node.header(number)
        if header is None or header.hash == intent.success_hash:
            where = "a block that is not known" if number is None else f"block {number}"
            raise EvidenceMismatch(
                f"the node denies the job, and does not show that the chain has lost {where}, where it was",
                "The job is not posted again before that. Ask another operator's node, too: --check-rpc",
            )

    async def post_again(self, record: JobRecord) -> bytes | None:
        """Make sure that a job whose posting a re-org dropped is on its way; its id once it is mined.

        None while it is under way, and for a job of an earlier version, whose request was not kept.

        Raises:
            JobNotFound: the posting was settled so long ago that its transaction is not kept: another one
                would be a second job beside the first.
            EvidenceMismatch: its transaction is said to have come to nothing, and the block in which it was
                is not shown to be gone: as above.
            ChainError: as `Outbox.send`, except TransactionPending.
        """
        posting = record.posting
        if posting is None:
            return None
        key = _key(record.draft_id)
        if self._outbox.intent(key) is None:
            known_as = (record.job_id or b"").hex()
            raise JobNotFound(
                f"the node does not know job 0x{known_as}, whose posting was settled for good long ago",
                "Ask another node: this one lags behind, or lies. The job is not posted again",
            )
        await self._outbox.step()
        intent = self._outbox.intent(key)
        if intent is None:
            return None
        displaced = any(i.nonce == intent.nonce and i.row != intent.row for i in self._outbox.pending())
        nothing = intent.status in UNSUCCESSFUL or intent.succeeded is False
        anew = nothing or (intent.status is IntentStatus.DONE and displaced)
        if anew:
            await self._require_gone(record.draft_id, intent)
        # What comes to nothing from here on is judged at the next look.
        again = anew or intent.status is IntentStatus.DONE
        await self._submit(key, posting.request, posting.input_words, again=again)
        try:
            receipt = await self._outbox.wait(key, timeout=PATIENCE_WITH_REPOSTING)
        except TransactionPending:
            return None
        return self._adopt_from(record.draft_id, receipt)

    async def recover(self) -> list[JobRecord]:
        """Find the jobs of drafts whose posting was not heard back of; return the records that gained one.

        Postings that are not final yet are looked at, too: a re-org may have given them another id.
        """
        deployment = self._chain.deployment
        drafts = self._store.drafts(
            chain_id=deployment.chain_id, market=deployment.market, requester=self._outbox.account.address
        )
        waiting = {record.draft_id for record in drafts}
        for intent in self._outbox.pending():
            draft_id = _draft_of(intent)
            if draft_id is None or draft_id in waiting or intent.tx_hash is None:
                continue
            receipt = await self._outbox.node.receipt(intent.tx_hash)
            if receipt is not None and receipt.succeeded and self._store.by_draft(draft_id) is not None:
                self._adopt_from(draft_id, receipt)
        found = []
        if waiting:
            for event in await submissions_by(self._chain, self._outbox.account.address):
                if event.request.input_ref in waiting:
                    self._adopt(event.request.input_ref, event)
                    found.append(self._store.by_job(event.job_id))
        return found

    async def _submit(
        self, key: str, request: JobRequest, words: Sequence[int], *, again: bool = True
    ) -> None:
        outcome = await self._together(_Posting(key, request, words, again))
        if isinstance(outcome, ChainError):
            raise outcome

    async def _submit_many(self, postings: Sequence[_Posting]) -> list[Intent | ChainError]:
        """Send several postings, each with what the vault lacks for it once those before it are paid."""
        free = await self._free_balance({posting.key for posting in postings})
        wants: dict[str, Want] = {}
        for posting in postings:
            ceiling = posting.request.max_price
            call = self._chain.market.submit_job(posting.request, posting.words, value=max(0, ceiling - free))
            if posting.key not in wants:
                wants[posting.key] = Want(posting.key, call, again=posting.again)
                free = max(0, free - ceiling)
        outcomes = dict(zip(wants, await self._outbox.submit_many(list(wants.values())), strict=True))
        return [outcomes[posting.key] for posting in postings]

    async def _free_balance(self, own: Set[str]) -> int:
        """What the vault has for this account beside what transactions under way will take of it, in wei.

        The transactions are looked at first: one that is mined in between is counted twice, so that the
        posting carries too much, which is credited, and never too little, which would revert.
        """
        pending = [
            intent
            for intent in self._outbox.pending()
            if intent.status is IntentStatus.PENDING and intent.key not in own
        ]
        promised = sum(self._takes(intent) for intent in pending)
        balance = await self._chain.vault.balance_of(self._outbox.account.address)
        return max(0, balance - promised)

    def _takes(self, intent: Intent) -> int:
        """What a transaction under way takes of the vault's balance, in wei."""
        draft_id = _draft_of(intent)
        if draft_id is not None:
            record = self._store.by_draft(draft_id)
            if record is None or record.posting is None:
                return 0
            return max(0, record.posting.request.max_price - intent.call.value)
        for contract, function in (
            (self._chain.vault, "withdraw"),
            (self._chain.workers, "addStakeFromBalance"),
        ):
            if intent.call.to == contract.address:
                with contextlib.suppress(ValueError):  # another function of that contract
                    return int(contract.interface.decode_arguments(function, intent.call.data)["amount"])
        return 0

    def _adopt_from(self, draft_id: bytes, receipt: Receipt) -> bytes:
        events = self._chain.decode(receipt.logs)
        posted = next((event for event in events if isinstance(event, JobSubmitted)), None)
        if posted is None:
            raise EvidenceMismatch(
                "the transaction that posted the job was mined, and its receipt has no job",
                "The node or the deployment file is wrong",
            )
        self._adopt(draft_id, posted)
        return posted.job_id

    def _adopt(self, draft_id: bytes, event: JobSubmitted) -> None:
        deployment = self._chain.deployment
        expected = job_id_of(
            deployment.chain_id,
            deployment.market,
            event.requester,
            event.nonce,
            event.request,
            event.input_words,
        )
        if expected != event.job_id:
            raise EvidenceMismatch(
                f"the market logged job 0x{event.job_id.hex()}, its content hashes to 0x{expected.hex()}",
                "The node or the deployment file is wrong",
            )
        self._store.set_job_id(draft_id, event.job_id)


def _key(draft_id: bytes) -> str:
    return f"job/{draft_id.hex()}"


def _draft_of(intent: Intent) -> bytes | None:
    """The draft that an intent posts; None if it does something else."""
    kind, _, text = intent.key.partition("/")
    return bytes.fromhex(text) if kind == "job" else None
