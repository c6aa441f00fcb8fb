"""Re-verification of a settled job from chain data alone.

The market has verified the proof before it paid; this repeats that without trusting the contract's code, and
as far as hashes reach without trusting the node that served the data:

1. the job id is recomputed from chain id, market, requester, nonce, request and input words, so none of them
   can be another job's;
2. the model id is recomputed from the verifying key, the model commitment and the hashes of its registration,
   so the key is the one the request names, and all that is said of the model but payout and URI is true;
3. the statement is rebuilt: binding of (chain, market, job, worker), the input words, the output words;
4. the proof is verified for that statement by the prover's own verifier, on this machine.

What stays with the caller: that this is the job it means, and, for a private input, that the commitment opens
to the input it has in mind (which only the salt's holder can tell, see `requester.Result`). Price and block
are the node's word alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_utils.crypto import keccak

from assay_prover import binding, verify

from ..chain.contracts import identity
from ..chain.contracts.events import JobSettled, JobSubmitted
from ..chain.contracts.identity import job_id_of as job_id_of
from ..chain.contracts.identity import request_hash as request_hash
from ..chain.contracts.types import Model
from .errors import EvidenceMismatch


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvidence:
    """What a chain says of one settled job.

    Attributes:
        chain_id: EIP-155 id of the chain the market is on.
        market: the market's address.
        job_id: the job's id, 32 bytes.
        submitted: the log of its posting.
        settled: the log of its settlement.
        model: the model as registered.
        verifying_key: the model's verifying key, bytes as in docs/protocol.md.
    """

    chain_id: int
    market: str
    job_id: bytes
    submitted: JobSubmitted
    settled: JobSettled
    model: Model
    verifying_key: bytes

    @property
    def statement(self) -> list[int]:
        """The public inputs the proof must hold for, the binding first."""
        return [
            binding(self.chain_id, self.market, self.job_id, self.settled.worker),
            *self.submitted.input_words,
            *self.settled.output_words,
        ]

    def check(self) -> None:
        """Return only if everything agrees and the proof is valid.

        Raises:
            EvidenceMismatch: ids or sizes do not fit the data; the node that served it is faulty or lies.
            InvalidProof, InvalidInput, InvalidKey: from the prover: the proof, statement or key is wrong.
        """
        log = self.submitted
        job_id = job_id_of(self.chain_id, self.market, log.requester, log.nonce, log.request, log.input_words)
        if not job_id == self.job_id == log.job_id == self.settled.job_id:
            raise _mismatch(f"the logs served for job 0x{self.job_id.hex()} hash to 0x{job_id.hex()}")
        check_model_id(log.request.model_id, self.model, self.verifying_key)
        spec = self.model.spec
        if len(log.input_words) != spec.n_in or len(self.settled.output_words) != spec.n_out:
            raise _mismatch(
                f"job 0x{self.job_id.hex()} has {len(log.input_words)} input and "
                f"{len(self.settled.output_words)} output words, its model {spec.n_in} and {spec.n_out}"
            )
        verify(self.verifying_key, self.statement, self.settled.proof, self.model.model_commitment or None)


def model_id_of(model: Model, verifying_key: bytes) -> bytes:
    """The id the registry gives to a model with this key."""
    vk_hash = bytes(keccak(verifying_key))
    return identity.model_id_of(model.owner, vk_hash, model.model_commitment, model.spec)


def check_model_id(model_id: bytes, model: Model, verifying_key: bytes) -> None:
    """Raise EvidenceMismatch unless the id stands for this model and this key, whoever served them."""
    found = model_id_of(model, verifying_key)
    if found != model_id or model.vk_hash != keccak(verifying_key):
        raise _mismatch(
            f"the key and hashes served for model 0x{model_id.hex()} hash to 0x{found.hex()}, "
            f"the key to 0x{keccak(verifying_key).hex()}"
        )


def _mismatch(what: str) -> EvidenceMismatch:
    return EvidenceMismatch(what, "Nothing was verified; ask another node")
