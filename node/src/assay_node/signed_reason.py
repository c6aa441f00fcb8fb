"""Why a worker did not take a job, signed by its account, for the job's requester to read.

The market's `decline(jobId)` carries no reason, and a worker that never bids says nothing on chain at all. So
a worker serves its reason beside its inbox, and signs it (EIP-712, in the market's domain), so that nobody
else can speak for it. Nothing depends on what it says: it is shown to a person. See "Why a worker stayed out"
in docs/protocol.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

LONGEST_REASON = 240
"""Characters of a reason."""

_TYPES = {
    "Reason": [
        {"name": "jobId", "type": "bytes32"},
        {"name": "worker", "type": "address"},
        {"name": "moment", "type": "uint64"},
        {"name": "reason", "type": "string"},
    ]
}


@dataclass(frozen=True, slots=True)
class Reason:
    """A worker's reason for staying out of a job, or for giving its award back.

    Attributes:
        worker: its address.
        moment: when it came to that, seconds since the epoch.
        reason: one line of at most `LONGEST_REASON` printable characters, without full stop.
        signature: 65 bytes `r, s, v` of the worker's account.
    """

    worker: str
    moment: int
    reason: str
    signature: bytes

    @classmethod
    def sign(
        cls, account: LocalAccount, *, chain_id: int, market: str, job_id: bytes, moment: int, reason: str
    ) -> Self:
        """A reason, cut to one printable line and signed.

        Args:
            account: the worker's.
            chain_id, market: where the job is.
            job_id: 32 bytes.
            moment: seconds since the epoch.
            reason: in words.
        """
        worker, said = str(account.address), one_line(reason)
        signed = account.sign_message(_message(chain_id, market, job_id, worker, moment, said))
        return cls(worker, moment, said, bytes(signed.signature))

    def is_signed(self, *, chain_id: int, market: str, job_id: bytes) -> bool:
        """Whether the worker's account signed these words for this job.

        Args:
            chain_id, market: where the job is.
            job_id: 32 bytes.
        """
        try:
            message = _message(chain_id, market, job_id, self.worker, self.moment, self.reason)
            signer = Account.recover_message(message, signature=self.signature)
            return bool(to_checksum_address(signer) == to_checksum_address(self.worker))
        except Exception:  # noqa: BLE001 - whatever the library makes of a stranger's bytes, it is no signature
            return False

    def to_json(self) -> dict[str, Any]:
        """As it is served."""
        return {
            "worker": self.worker,
            "moment": self.moment,
            "reason": self.reason,
            "signature": "0x" + self.signature.hex(),
        }

    @classmethod
    def from_json(cls, found: Any) -> Self:
        """What a stranger served.

        Raises:
            ValueError: it is no reason: a field is missing, of another type, too long or not printable.
        """
        match found:
            case {
                "worker": str(worker),
                "moment": int(moment),
                "reason": str(reason),
                "signature": str(signature),
            } if (
                0 <= moment < 1 << 63
                and len(reason) <= LONGEST_REASON
                and reason == one_line(reason)
                and len(signature) == 132
                and signature.startswith("0x")
            ):
                return cls(worker, moment, reason, bytes.fromhex(signature[2:]))
            case _:
                raise ValueError("this is no signed reason")


def one_line(text: str) -> str:
    """A text as one line of printable characters, cut to `LONGEST_REASON`."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return clean[:LONGEST_REASON].rstrip()


def _message(
    chain_id: int, market: str, job_id: bytes, worker: str, moment: int, reason: str
) -> SignableMessage:
    domain = {"name": "Assay Market", "version": "1", "chainId": chain_id, "verifyingContract": market}
    fields = {"jobId": job_id, "worker": worker, "moment": moment, "reason": reason}
    return encode_typed_data(domain, _TYPES, fields)
