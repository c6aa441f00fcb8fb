"""The contracts, typed: views that ask the node, and transactions as `Call` values for an outbox to send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_abi.exceptions import DecodingError

from ...amounts import ether
from ..errors import ChainError, ContractReverted, RpcError
from ..node.multicall import Multicall, View
from ..node.types import Node
from .artifacts import interface, library_errors
from .identity import check_model
from .interface import Interface
from .reverts import as_revert, decode_revert
from .types import Bid, Call, Job, JobLook, JobRequest, Model, ModelSpec, WorkerRecord

CONTRACTS = (
    "Groth16Verifier",
    "ModelRegistry",
    "Vault",
    "WorkerRegistry",
    "Market",
    "DataRegistry",
    "Certificates",
)


def interfaces() -> list[Interface]:
    """The interfaces of all contracts, and what errors their libraries add, for decoding reverts."""
    return [*(interface(name) for name in CONTRACTS), library_errors()]


async def view(
    node: Node, to: str, contract: Interface, function: str, *args: Any, block: str = "latest"
) -> Any:
    """One view call, decoded.

    Raises:
        ContractReverted: the contract refused.
        ChainError: there is no contract at this address.
    """
    try:
        data = await node.call(to, contract.encode_call(function, *args), block=block)
    except RpcError as error:
        revert = as_revert(error, interfaces())
        raise (revert or error) from error
    return read_view(to, contract, function, data)


def read_view(to: str, contract: Interface, function: str, data: bytes) -> Any:
    """A view's return data, decoded. Raises `ChainError` if it is not what the contract returns."""
    if not data:
        raise ChainError(f"there is no {contract.name} at {to}", "Check the deployment file and the chain")
    try:
        return contract.decode_return(function, data)
    except (DecodingError, ValueError) as error:
        raise ChainError(
            f"what the node gives for {contract.name}.{function} is no answer of that contract ({error})",
            "Check the deployment file, or use another node",
        ) from error


class Contract:
    """A contract at an address."""

    NAME = ""

    def __init__(self, node: Node, address: str) -> None:
        self.node = node
        self.address = address
        self.interface = interface(self.NAME)
        self._many = Multicall(node)

    async def _view(self, function: str, *args: Any) -> Any:
        return await view(self.node, self.address, self.interface, function, *args)

    async def views(
        self, wanted: Sequence[tuple[str, tuple[Any, ...]]], *, block: str = "latest"
    ) -> list[Any]:
        """Views of this contract by name and arguments, together, decoded, in order.

        Raises:
            ContractReverted: the contract refused one of them.
            NodeUnavailable, ChainError: as of a single one.
        """
        views = [View(self.address, self.interface.encode_call(name, *args)) for name, args in wanted]
        decoded: list[Any] = []
        for (name, _), answer in zip(wanted, await self._many.ask(views, block=block), strict=True):
            if not answer.succeeded:
                raise decode_revert(answer.data, interfaces())
            decoded.append(read_view(self.address, self.interface, name, answer.data))
        return decoded

    def _call(self, description: str, function: str, *args: Any, value: int = 0) -> Call:
        return Call(self.address, self.interface.encode_call(function, *args), value, description)


class Market(Contract):
    """IMarket."""

    NAME = "Market"

    async def job_of(self, job_id: bytes) -> Job:
        """A job as stored; state NONE if it was never posted."""
        return Job.from_abi(await self._view("jobOf", job_id))

    async def look(
        self, job_ids: Sequence[bytes], worker: str | None = None, *, block: str = "latest"
    ) -> dict[bytes, JobLook]:
        """Many jobs as stored, and the bids of `worker` on them, all of one block, 16 jobs a request.

        Args:
            job_ids: the jobs, any number.
            worker: whose bids are wanted; None for nobody's.
            block: number in hexadecimal, or a tag.

        Raises:
            NodeUnavailable: no answer.
            ChainError: the answers are none of the market.
        """
        ids = list(dict.fromkeys(job_ids))
        wanted: list[tuple[str, tuple[Any, ...]]] = [("jobOf", (job_id,)) for job_id in ids]
        if worker is not None:
            wanted += [("bidOf", (job_id, worker)) for job_id in ids]
        found = await self.views(wanted, block=block)
        bids = found[len(ids) :] or [None] * len(ids)
        return {
            job_id: JobLook(Job.from_abi(job), None if bid is None else Bid(**bid))
            for job_id, job, bid in zip(ids, found, bids, strict=False)
        }

    async def best_bid(self, job_id: bytes) -> tuple[str, int]:
        """Leading bidder and price of an open job; zeros if there is none."""
        worker, price = await self._view("bestBid", job_id)
        return worker, price

    async def bid_of(self, job_id: bytes, worker: str) -> Bid:
        """A worker's latest bid in the job's current round."""
        return Bid(**await self._view("bidOf", job_id, worker))

    async def binding_of(self, job_id: bytes, worker: str) -> int:
        """First word of the statement a proof by `worker` has."""
        return int(await self._view("bindingOf", job_id, worker))

    async def nonce_of(self, requester: str) -> int:
        """How many jobs a requester has posted."""
        return int(await self._view("nonceOf", requester))

    async def request_hash(self, request: JobRequest, input_words: Sequence[int]) -> bytes:
        """What a job's id binds of its request."""
        return bytes(await self._view("requestHash", request.abi(), list(input_words)))

    async def job_id_of(self, requester: str, nonce: int, request_hash: bytes) -> bytes:
        """The id a job gets if `requester` posts it as its `nonce`-th, from 0."""
        return bytes(await self._view("jobIdOf", requester, nonce, request_hash))

    def submit_job(self, request: JobRequest, input_words: Sequence[int], value: int = 0) -> Call:
        """Posts a job; `value` tops up the vault balance the ceiling is held from."""
        return self._call("post a job", "submitJob", request.abi(), list(input_words), value=value)

    def place_bid(self, job_id: bytes, price: int) -> Call:
        """Bids on an open job: `price` is in wei."""
        return self._call(f"bid {ether(price)} on job 0x{job_id.hex()}", "placeBid", job_id, price)

    def award(self, job_id: bytes) -> Call:
        """Awards to the leading bid once the window is over."""
        return self._call(f"award job 0x{job_id.hex()}", "award", job_id)

    def award_to(self, job_id: bytes, worker: str) -> Call:
        """Awards to a bidder of the requester's choice."""
        return self._call(f"award job 0x{job_id.hex()} to {worker}", "awardTo", job_id, worker)

    def accept(self, job_id: bytes) -> Call:
        """Accepts an award, putting the collateral at risk."""
        return self._call(f"accept job 0x{job_id.hex()}", "accept", job_id)

    def decline(self, job_id: bytes) -> Call:
        """Gives an award back, without a mark on the worker's record."""
        return self._call(f"decline job 0x{job_id.hex()}", "decline", job_id)

    def submit_proof(
        self, job_id: bytes, input_words: Sequence[int], output_words: Sequence[int], proof: bytes
    ) -> Call:
        """Settles an accepted job, or an awarded one within its accept window."""
        return self._call(
            f"prove job 0x{job_id.hex()}", "submitProof", job_id, list(input_words), list(output_words), proof
        )

    def lapse(self, job_id: bytes) -> Call:
        """Ends an award neither accepted, proven nor declined in time."""
        return self._call(f"lapse job 0x{job_id.hex()}", "lapse", job_id)

    def expire(self, job_id: bytes) -> Call:
        """Ends a job that is overdue: open without bids, open and no longer to be awarded, or not proven."""
        return self._call(f"expire job 0x{job_id.hex()}", "expire", job_id)

    def cancel(self, job_id: bytes) -> Call:
        """Withdraws an open job."""
        return self._call(f"cancel job 0x{job_id.hex()}", "cancel", job_id)


class ModelRegistry(Contract):
    """IModelRegistry."""

    NAME = "ModelRegistry"

    async def model_of(self, model_id: bytes) -> Model:
        """Everything stored of a model.

        Raises:
            ContractReverted: it is unknown.
            AnswerForged: the record is not the one that the id stands for.
        """
        model = Model.from_abi(await self._view("modelOf", model_id))
        check_model(model_id, model)
        return model

    async def is_registered(self, model_id: bytes) -> bool:
        """Whether the registry has this model."""
        try:
            await self._view("termsOf", model_id)
        except ContractReverted as error:
            if error.name == "ModelUnknown":
                return False
            raise
        return True

    async def verifying_key_of(self, model_id: bytes) -> bytes:
        """A model's verifying key."""
        return bytes(await self._view("verifyingKeyOf", model_id))

    def register(self, spec: ModelSpec, verifying_key: bytes, model_commitment: bytes = b"") -> Call:
        """Registers a model."""
        return self._call("register a model", "register", spec.abi(), verifying_key, model_commitment)

    def set_payout(self, model_id: bytes, payout: str) -> Call:
        """Sends future royalties elsewhere."""
        return self._call(
            f"pay royalties of model 0x{model_id.hex()} to {payout}", "setPayout", model_id, payout
        )

    def retire(self, model_id: bytes) -> Call:
        """Stops new jobs of a model for good."""
        return self._call(f"retire model 0x{model_id.hex()}", "retire", model_id)


class Vault(Contract):
    """IVault."""

    NAME = "Vault"

    async def balance_of(self, account: str) -> int:
        """Free balance in wei."""
        return int(await self._view("balanceOf", account))

    async def held_by(self, operator: str) -> int:
        """An operator's pool in wei."""
        return int(await self._view("heldBy", operator))

    def deposit(self, account: str, value: int) -> Call:
        """Credits `value` wei to `account`."""
        return self._call(f"deposit {ether(value)} for {account}", "deposit", account, value=value)

    def withdraw(self, amount: int, to: str) -> Call:
        """Pays `amount` wei of the sender's free balance to `to`."""
        return self._call(f"withdraw {ether(amount)} to {to}", "withdraw", amount, to)


class WorkerRegistry(Contract):
    """IWorkerRegistry."""

    NAME = "WorkerRegistry"

    async def worker_of(self, worker: str) -> WorkerRecord:
        """A worker as stored; `registered` is False if it never registered."""
        return WorkerRecord(**await self._view("workerOf", worker))

    def register(self, endpoint: str, encryption_key: bytes, signature: bytes) -> Call:
        """Registers the sender. `signature` is its own, for revision 1; see `sign_registration`."""
        return self._call(
            f"register as a worker at {endpoint}", "register", endpoint, encryption_key, signature
        )

    def update(self, endpoint: str, encryption_key: bytes, signature: bytes) -> Call:
        """Replaces the sender's endpoint and key. `signature` is its own, for its record's next revision."""
        return self._call(
            f"update the worker's endpoint to {endpoint}", "update", endpoint, encryption_key, signature
        )

    def add_stake(self, value: int) -> Call:
        """Adds `value` wei to the sender's stake."""
        return self._call(f"stake {ether(value)}", "addStake", value=value)

    def add_stake_from_balance(self, amount: int) -> Call:
        """Adds `amount` wei of the sender's vault balance to its stake."""
        return self._call(f"stake {ether(amount)} of the vault balance", "addStakeFromBalance", amount)

    def request_unstake(self, amount: int) -> Call:
        """Gives notice that `amount` wei of the sender's free stake leave, in `UNSTAKE_DELAY` seconds."""
        return self._call(f"give notice to unstake {ether(amount)}", "requestUnstake", amount)

    def withdraw_stake(self) -> Call:
        """Moves what was given notice of to the sender's vault balance."""
        return self._call("withdraw the stake that was given notice of", "withdrawStake")


class Verifier(Contract):
    """IGroth16Verifier."""

    NAME = "Groth16Verifier"

    def verify(self, vk: str, inputs: Sequence[int], proof: bytes, model_commitment: bytes = b"") -> Call:
        """A verification as a call, for measuring its gas."""
        return self._call("verify a proof", "verify", vk, list(inputs), proof, model_commitment)

    async def check(
        self, vk: str, inputs: Sequence[int], proof: bytes, model_commitment: bytes = b""
    ) -> None:
        """Verifies on the node. Raises `ContractReverted` unless the proof is valid."""
        call = self.verify(vk, inputs, proof, model_commitment)
        try:
            await self.node.call(self.address, call.data)
        except RpcError as error:
            raise (as_revert(error, interfaces()) or error) from error
