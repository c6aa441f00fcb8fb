"""`w3.assay`: models, jobs, answers and their verification, sync and async.

What a node says is checked here as everywhere in this package: the module speaks through `Rpc` to the URL of
web3's provider, not through web3's own connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from eth_account.signers.local import LocalAccount

from ..client import ListedModel, list_models
from ..errors import AssayError
from ..front_door import Client, Verified
from ..session import connect, default_home

if TYPE_CHECKING:
    import numpy as np

    from assay_prover import Bundle

    from ..chain import Job
    from ..client import Result

T = TypeVar("T")


class AsyncAssayModule:
    """`w3.assay` of an `AsyncWeb3`.

    Args:
        w3: its provider must have a URL: HTTP, or `AssayProvider`.

    Attributes:
        home: where keys, deployments and jobs are kept; `~/.assay` by default.
        deployment: file with the contracts' addresses; by default the home's for this chain.
    """

    def __init__(self, w3: Any) -> None:
        self._w3 = w3
        self.home: Path = default_home()
        self.deployment: Path | None = None

    async def models(self) -> list[ListedModel]:
        """The models of the market, with their terms.

        Raises:
            DeploymentError, NodeUnavailable, WrongChain: there is no market to ask.
        """
        async with connect(self._urls(), self.deployment, self.home) as session:
            return await list_models(session.chain)

    async def job(self, job_id: bytes | str) -> Job:
        """A job as the market stores it; of state NONE if there is none.

        Args:
            job_id: 32 bytes, or hexadecimal.
        """
        async with connect(self._urls(), self.deployment, self.home) as session:
            return await session.chain.market.job_of(_id(job_id))

    async def ask(
        self,
        bundle: Bundle | Path | str,
        model_id: bytes | str,
        x: np.ndarray,
        *,
        max_price: int,
        key: str | Path | LocalAccount = "default",
        **options: Any,
    ) -> Result:
        """Post a job, follow it to its end, and return the answer, verified on this machine.

        Args:
            bundle: the model's bundle.
            model_id: the registered model.
            x: one sample, as the network takes it.
            max_price: the most that is paid, wei.
            key: who asks: a key's name in the home, a keystore file, or an account.
            options: of `Client.open` (password, workers, policy, allow_local) and fields of `JobTerms`.

        As `Client.ask`.
        """
        of_client = {name: options.pop(name) for name in _CLIENT_OPTIONS & options.keys()}
        async with Client.open(
            self._urls(), key=key, home=self.home, deployment=self.deployment, **of_client
        ) as client:
            return await client.ask(bundle, model_id, x, max_price=max_price, **options)

    async def verify(self, job_id: bytes | str) -> Verified:
        """Verify anybody's settled job from chain data alone.

        Raises:
            JobNotFound, JobNotReady: there is nothing to verify.
            InvalidProof, EvidenceMismatch: it does not verify.
        """
        from ..client import gather_evidence, setup_of

        async with connect(self._urls(), self.deployment, self.home) as session:
            evidence = await gather_evidence(session.chain, _id(job_id))
        evidence.check()
        return Verified(evidence, setup_of(evidence.model, evidence.submitted.request.model_id))

    def _urls(self) -> list[str]:
        provider = self._w3.provider
        node = getattr(provider, "node", None)
        urls = list(getattr(node, "urls", ())) or [str(getattr(provider, "endpoint_uri", "") or "")]
        if not urls[0].startswith("http"):
            raise AssayError(
                f"w3.assay needs a provider with an http(s) URL, not {type(provider).__name__}",
                "Use Web3.HTTPProvider, AsyncHTTPProvider or assay_node.web3.AssayProvider",
            )
        return urls


class AssayModule:
    """`w3.assay` of a `Web3`: as `AsyncAssayModule`, and each call returns when it is done.

    Args:
        w3: its provider must have a URL.
    """

    def __init__(self, w3: Any) -> None:
        self._module = AsyncAssayModule(w3)

    @property
    def home(self) -> Path:
        """Where keys, deployments and jobs are kept."""
        return self._module.home

    @home.setter
    def home(self, home: Path) -> None:
        self._module.home = home

    @property
    def deployment(self) -> Path | None:
        """File with the contracts' addresses; None for the home's."""
        return self._module.deployment

    @deployment.setter
    def deployment(self, deployment: Path | None) -> None:
        self._module.deployment = deployment

    def models(self) -> list[ListedModel]:
        """See `AsyncAssayModule.models`."""
        return _wait(self._module.models())

    def job(self, job_id: bytes | str) -> Job:
        """See `AsyncAssayModule.job`."""
        return _wait(self._module.job(job_id))

    def ask(
        self,
        bundle: Bundle | Path | str,
        model_id: bytes | str,
        x: np.ndarray,
        *,
        max_price: int,
        **options: Any,
    ) -> Result:
        """See `AsyncAssayModule.ask`: `x` is one sample, as the network takes it, `max_price` in wei."""
        return _wait(self._module.ask(bundle, model_id, x, max_price=max_price, **options))

    def verify(self, job_id: bytes | str) -> Verified:
        """See `AsyncAssayModule.verify`."""
        return _wait(self._module.verify(job_id))


_CLIENT_OPTIONS = {"password", "workers", "policy", "allow_local"}


def _wait(work: Coroutine[Any, Any, T]) -> T:
    """Runs to the end, in a thread of its own: a notebook has a loop running in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def _id(value: bytes | str) -> bytes:
    found = bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else bytes(value)
    if len(found) != 32:
        raise ValueError(f"an id has 32 bytes, this has {len(found)}")
    return found
