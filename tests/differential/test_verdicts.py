"""Core, contracts and an independent verifier say the same of every key, statement and proof.

A sample, once through all changes; `make differential` goes on for as long as it is given.
"""

from __future__ import annotations

from itertools import islice

import pytest

from .cases import CHANGES, Case, cases
from .verdicts import Contracts, disagreement

SAMPLE = list(islice(cases(seed=1, most_slices=2), 1 + len(CHANGES)))


@pytest.fixture(scope="module")
def contracts() -> Contracts:
    return Contracts()


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case.name)
def test_core_contracts_and_py_ecc_agree(contracts: Contracts, case: Case) -> None:
    assert disagreement(case, contracts) == ""
