"""A key that one contract cannot hold: registered in one transaction, served whole, and verified under."""

from __future__ import annotations

from random import Random

import pytest

from assay_node.chain import ContractReverted, ModelRegistered, ModelSpec
from assay_node.chain.contracts.key_gas import MAX_TRANSACTION_GAS, PART_BYTES, register_gas, shapes_of
from differential.trapdoor import ORDER, Trapdoor
from market import Market

WORDS = 400


async def test_a_key_beyond_a_contracts_size_is_registered_and_verified(market: Market) -> None:
    rng = Random(3)  # noqa: S311 - repeatable on purpose
    door = Trapdoor.random(rng, 0, WORDS)
    assert len(door.key) > PART_BYTES
    statement = [rng.randrange(ORDER) for _ in range(WORDS)]
    spec = ModelSpec(bytes(32), bytes(32), bytes(32), WORDS - 2, 1, False, False)
    receipt = await market.publishing.send("large", market.chain.models.register(spec, door.key))
    assert receipt.gas_used <= register_gas(shapes_of(door.key)) <= MAX_TRANSACTION_GAS
    (event,) = (event for event in market.chain.decode(receipt.logs) if isinstance(event, ModelRegistered))

    assert await market.chain.models.verifying_key_of(event.model_id) == door.key
    proof = door.prove(rng, statement)
    await market.chain.verifier.check(event.verifying_key, statement, proof)
    statement[-1] ^= 1
    with pytest.raises(ContractReverted, match="invalid"):
        await market.chain.verifier.check(event.verifying_key, statement, proof)
