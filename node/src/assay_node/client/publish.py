"""Registering a model: its verifying key becomes data on chain, under an id that is the hash of what it
means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from eth_utils.crypto import keccak

from assay_prover import Bundle, BundleError

from ..chain import ZERO_ADDRESS, Chain, Model, ModelRegistered, ModelSpec, Outbox, Receipt
from .errors import ClientError, EvidenceMismatch
from .evidence import model_id_of
from .limits import require_publishable


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A registered model; ``receipt`` is None if it was registered before."""

    model_id: bytes
    receipt: Receipt | None


def spec_of(bundle: Bundle, *, royalty_bps: int = 0, uri: str = "") -> ModelSpec:
    """What a publisher says of a bundle's model."""
    manifest = bundle.manifest
    return ModelSpec(
        circuit_hash=bundle.circuit_hash,
        quantisation_hash=bundle.quantisation_hash,
        metadata_hash=bundle.metadata_hash,
        n_in=manifest.input.words,
        n_out=manifest.output.words,
        input_private=manifest.input.visibility == "private",
        output_encrypted=manifest.output.visibility == "encrypted",
        output_committed=manifest.output.visibility == "committed",
        royalty_bps=royalty_bps,
        uri=uri,
    )


def describes(bundle: Bundle, spec: ModelSpec) -> bool:
    """Whether a registration says of its model what the bundle does.

    The key decides what a proof says, the rest what its words mean: a stranger may register somebody's key
    under a description of its own. Royalty and URI are the publisher's to choose. A ceremony is not: no
    bundle has the transcript of one that could be checked, so that a registration that claims one claims too
    much.
    """
    return spec == spec_of(bundle, royalty_bps=spec.royalty_bps, uri=spec.uri)


def require_openable(bundle: Bundle) -> None:
    """Raise ClientError for an output that no requester could open.

    Who opens a committed output needs the salt and the integers: a requester has both if the input is private
    and the weights are in its bundle. Otherwise it would depend on the good will of a worker already paid.
    """
    manifest = bundle.manifest
    if manifest.output.visibility == "committed" and (
        manifest.input.visibility == "public" or bundle.is_private
    ):
        raise ClientError(
            f"the output of {bundle.path} is committed, and its requesters could not open it",
            "Compile it with --output encrypted, or with a private input and constant weights",
        )


async def publish_model(
    chain: Chain,
    outbox: Outbox,
    bundle: Bundle,
    *,
    royalty_bps: int = 0,
    uri: str = "",
    progress: Callable[[str, float], bool | None] | None = None,
) -> PublishedModel:
    """Register a bundle's model for the outbox's account, once: a second call finds the first one's.

    Args:
        chain: the registry's deployment.
        outbox: the publisher's, who becomes owner and first payout address.
        bundle: with keys.
        royalty_bps: share of each price, in hundredths of a percent, 0 .. 5000.
        uri: where the bundle can be fetched; not part of the id.
        progress: told of the check of the proving key, which is made once on a machine.

    Raises:
        UnsafeKeys: the keys were made from a test's seed.
        InvalidKey: the proving key is damaged or doctored.
        ClientError: the bundle has no keys, private weights that nobody committed to, or an output that no
            requester could read.
        ContractReverted: the registry refuses the key.
        EvidenceMismatch: the receipt does not show the registration, or another id than its content has.
    """
    require_openable(bundle)
    if bundle.is_private and not bundle.has_weights:
        raise ClientError(
            f"the bundle {bundle.path} has no weights", "Publish from the bundle that its owner committed to"
        )
    if not bundle.has_keys:
        what = bundle.key_damage or f"the bundle {bundle.path} has no keys"
        raise ClientError(what, f"Run: assay model setup {bundle.path}")
    bundle.check_publishable()
    await asyncio.to_thread(bundle.check_keys, progress=progress)
    try:
        commitment = bundle.model_commitment or b""
    except BundleError as error:
        raise ClientError(str(error), f"Run: assay model commit {bundle.path}") from error
    spec = spec_of(bundle, royalty_bps=royalty_bps, uri=uri)
    key = bundle.verifying_key
    owner = str(outbox.account.address)
    model_id = model_id_of(Model(owner, owner, False, ZERO_ADDRESS, keccak(key), commitment, spec), key)
    if await chain.models.is_registered(model_id):
        return PublishedModel(model_id, None)
    require_publishable(key)
    receipt = await outbox.send(f"register/{model_id.hex()}", chain.models.register(spec, key, commitment))
    events = chain.decode(receipt.logs)
    registered = next((event for event in events if isinstance(event, ModelRegistered)), None)
    if registered is None:
        raise EvidenceMismatch(
            f"the receipt of 0x{receipt.tx_hash.hex()} does not show the registration",
            "Publish again, with another node: a model that is registered already is found",
        )
    if registered.model_id != model_id:
        raise EvidenceMismatch(
            f"the registry gave the id 0x{registered.model_id.hex()}, "
            f"its content hashes to 0x{model_id.hex()}",
            "The node or the deployment file is wrong",
        )
    return PublishedModel(model_id, receipt)
