"""Core, contracts and an independent verifier say the same of every key, statement and proof.

A sample, once through all changes; `make differential` goes on for as long as it is given.
"""

from __future__ import annotations

from random import Random

import pytest

from .cases import CHANGES, Change, spoilt, valid
from .verdicts import Contracts, disagreement


@pytest.fixture(scope="module")
def contracts() -> Contracts:
    return Contracts()


def test_core_contracts_and_py_ecc_take_a_valid_proof(contracts: Contracts) -> None:
    for seed in range(2):
        case = valid(Random(seed), most_slices=2)  # noqa: S311 - repeatable on purpose
        assert disagreement(case, contracts) == ""


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_core_contracts_and_py_ecc_agree(contracts: Contracts, change: Change) -> None:
    case = spoilt(change, Random(1), most_slices=2)  # noqa: S311 - repeatable on purpose
    assert disagreement(case, contracts) == ""
