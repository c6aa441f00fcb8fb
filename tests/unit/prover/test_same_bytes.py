"""What a model compiles to, and a proof of it, stay the same bytes unless a change means to change them."""

from __future__ import annotations

import json

import pytest

from unit.prover.operator_cases import CASES
from unit.prover.same_bytes import BUNDLES, FILE, of_bundle, of_case

EXPECTED = json.loads(FILE.read_text())


def test_every_case_and_every_bundle_has_digests() -> None:
    assert set(EXPECTED["operators"]) == set(CASES)
    assert set(EXPECTED["bundles"]) == set(BUNDLES)


@pytest.mark.parametrize("name", CASES)
def test_operator_compiles_to_the_same_bytes(name: str) -> None:
    assert of_case(name) == EXPECTED["operators"][name]


@pytest.mark.parametrize("name", BUNDLES)
def test_network_compiles_sets_up_and_proves_to_the_same_bytes(name: str) -> None:
    assert of_bundle(name) == EXPECTED["bundles"][name]
