"""The requester's side in one class: ask, follow, read, verify.

Example::

    async with Client.open("http://127.0.0.1:8545", key="alice", workers=["0x7099.."]) as client:
        answer = await client.ask("bc_mlp", model_id, x, max_price=10**16)
        print(answer.label, answer.setup.trust(recomputed=answer.recomputed))
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from eth_account.signers.local import LocalAccount

from assay_prover import Bundle

from .chain import Job, load_account, read_password
from .client import (
    AwardPolicy,
    JobEvidence,
    JobTerms,
    PostedJob,
    Requester,
    Result,
    SetupTrust,
    gather_evidence,
    setup_of,
)
from .session import Session, Signer, connect, default_home, key_path


@dataclass(frozen=True, slots=True)
class Verified:
    """A settled job whose proof was verified on this machine.

    Attributes:
        evidence: what it was verified from.
        setup: who could have forged the proof all the same.
    """

    evidence: JobEvidence
    setup: SetupTrust


class Client:
    """One account's dealings with one market. Open it with `Client.open`.

    Attributes:
        session: node, deployment and home.
        requester: everything else that a requester can do.
    """

    def __init__(self, session: Session, requester: Requester) -> None:
        self.session = session
        self.requester = requester

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        rpc: str | Iterable[str],
        *,
        check_rpc: str | None = None,
        key: str | Path | LocalAccount = "default",
        password: str | None = None,
        home: Path | str | None = None,
        deployment: Path | str | None = None,
        workers: Sequence[str] | None = None,
        policy: AwardPolicy | None = None,
        allow_local: bool | None = None,
    ) -> AsyncIterator[Client]:
        """Connect, unlock the account, and find the jobs that an earlier run did not hear back of.

        Args:
            rpc: URL of a node, or several of the same chain.
            check_rpc: URL of another operator's node, which is asked too what money and secrets depend on.
            key: a key's name in the home, a keystore file, or an account.
            password: the keystore's; by default as `assay` finds it (ASSAY_PASSWORD_FILE, ASSAY_PASSWORD, a
                prompt).
            home: where keys, deployments and jobs are kept; `~/.assay` by default.
            deployment: the contracts' addresses; by default the home's for this chain.
            workers: addresses that may win jobs with a private input, and so see it.
            policy: who may win, in full, instead of ``workers``. Without either: the workers that `assay
                trust` lists, and on a chain of one's own whoever bids.
            allow_local: deliver inputs to this machine or a private network; by default on a chain of one's
                own.

        Raises:
            KeyFileError, DeploymentError, NodeUnavailable, WrongChain: there is nothing to work with.
            SenderBusy: another process sends with this key.
        """
        where = Path(home) if home is not None else default_home()
        signer = _signer(key, password, where)
        urls = [rpc] if isinstance(rpc, str) else list(rpc)
        file = None if deployment is None else Path(deployment)
        async with connect(urls, file, where, check_rpc=check_rpc) as session:
            named = AwardPolicy.only(workers) if workers is not None else None
            async with session.requester(
                signer, policy=policy or named or session.default_policy(), allow_local=allow_local
            ) as requester:
                yield cls(session, requester)

    async def ask(
        self,
        bundle: Bundle | Path | str,
        model_id: bytes | str,
        x: np.ndarray,
        *,
        max_price: int,
        say: Callable[[str], None] | None = None,
        **terms: Any,
    ) -> Result:
        """Post a job, follow it to its end, and return the answer, verified on this machine.

        Args:
            bundle: the model's bundle.
            model_id: the registered model, 32 bytes or hexadecimal.
            x: one sample, as the network takes it.
            max_price: the most that is paid, in wei.
            say: told of every step.
            terms: the other fields of `JobTerms`.

        Raises:
            NobodyMayWin: the input is private, and no worker is named.
            JobEnded: nobody answered; the money is back in the vault.
            InvalidProof, EvidenceMismatch, AnswerMismatch: there is an answer, and it must not be relied on.
        """
        opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        posted = await self.post(opened, model_id, x, max_price=max_price, **terms)
        async for _ in self.follow(posted.job_id, say=say):
            pass
        return await self.requester.result(posted.job_id, opened)

    async def post(
        self, bundle: Bundle, model_id: bytes | str, x: np.ndarray, *, max_price: int, **terms: Any
    ) -> PostedJob:
        """Post a job and return at once. It must be followed: see `follow`.

        Args:
            bundle, model_id: the model, as it was published.
            x: one sample, as the network takes it.
            max_price: the most that is paid, wei.
            terms: fields of `JobTerms`.
        """
        wanted = JobTerms(max_price=max_price, **terms)
        return await self.requester.submit(bundle, _id(model_id), x, wanted)

    async def follow(
        self, job_id: bytes | str, *, interval: float = 1.0, say: Callable[[str], None] | None = None
    ) -> AsyncIterator[Job]:
        """Yield a job whenever it changes, until it is final; award it and deliver its input on the way.

        Args:
            job_id: the job.
            interval: seconds between two looks.
            say: told of every step, and of what is waited for.
        """
        told = say or (lambda _: None)
        async for job in self.requester.follow(_id(job_id), interval=interval, say=told):
            yield job

    async def result(self, job_id: bytes | str, bundle: Bundle | Path | str | None = None) -> Result:
        """The answer to one's own settled job, verified, decrypted and computed again where that is possible.

        Args:
            job_id: the job.
            bundle: the model's; by default the one it was posted with.

        Raises:
            ValueError: no bundle is given, and none was noted when the job was posted.
            JobNotReady, JobEnded: it has no result yet, or will have none.
            EvidenceMismatch, InvalidProof, AnswerMismatch: it does not verify.
        """
        found = bundle or self.requester.store.by_job(_id(job_id)).bundle
        if found is None:
            raise ValueError("the model's bundle is not known: name it")
        return await self.requester.result(
            _id(job_id), found if isinstance(found, Bundle) else Bundle.open(found)
        )

    async def verify(self, job_id: bytes | str) -> Verified:
        """Verify anybody's settled job from chain data alone.

        Raises:
            JobNotFound, JobNotReady: there is nothing to verify.
            InvalidProof, EvidenceMismatch: it does not verify.
        """
        evidence = await gather_evidence(self.session.chain, _id(job_id))
        evidence.check()
        return Verified(evidence, setup_of(evidence.model, evidence.submitted.request.model_id))


def _id(value: bytes | str) -> bytes:
    found = bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else bytes(value)
    if len(found) != 32:
        raise ValueError(f"an id has 32 bytes, this has {len(found)}")
    return found


def _signer(key: str | Path | LocalAccount, password: str | None, home: Path) -> Signer:
    if isinstance(key, LocalAccount):
        return Signer(key, home / "keys")
    path = key_path(home, str(key))
    if password is None:
        password = read_password(prompt=f"Password of {key}: ")
    return Signer(load_account(path, password), path.resolve().parent)
