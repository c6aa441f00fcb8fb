"""A price covers what a job costs, and there is none for a job that this worker could not see through."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_node.amounts import rounded
from assay_node.chain.contracts.worker_gas import data_fee_after_award, job_data_fee, job_gas
from assay_node.worker import PricingConfig
from assay_node.worker.pricing.capacity import Pace
from assay_node.worker.pricing.quote import (
    Offer,
    Speed,
    gas_reserve,
    initial_speed,
    quote,
)

GWEI = 10**9
ETHER = 10**18
CONFIG = PricingConfig()
SPEED = Speed(2.0, True)
OFFER = Offer(
    words=4,
    royalty_bps=1000,
    max_price=ETHER,
    collateral=ETHER // 10,
    min_stake=ETHER // 10,
    accept_window=600,
    prove_window=600,
    callback_gas=0,
    free_stake=ETHER,
    balance=ETHER,
    backlog=0.0,
    gas_price=10 * GWEI,
    time_left=60,
)


def cost(offer: Offer) -> int:
    gas = job_gas(offer.words, offer.callback_gas)
    return int(SPEED.seconds * CONFIG.wei_per_second) + gas * offer.gas_price


@given(
    royalty=st.integers(0, 5000),
    gas_price=st.integers(0, 200 * GWEI),
    callback_gas=st.integers(0, 1_000_000),
    words=st.integers(3, 375),
    max_price=st.integers(0, ETHER),
)
def test_what_is_left_of_the_lowest_price_covers_cost_and_floor_margin(
    royalty: int, gas_price: int, callback_gas: int, words: int, max_price: int
) -> None:
    offer = replace(
        OFFER,
        royalty_bps=royalty,
        gas_price=gas_price,
        callback_gas=callback_gas,
        words=words,
        max_price=max_price,
    )
    price = quote(CONFIG, SPEED, offer)
    kept = price.floor - price.floor * royalty // 10_000
    assert kept >= cost(offer) + int(cost(offer) * CONFIG.floor_percent / 100)
    if price.ask is not None:
        assert price.floor <= price.ask <= max_price
    else:
        assert price.floor > max_price


@pytest.mark.parametrize(
    ("change", "reason", "why", "passing"),
    [
        ({"time_left": 0}, "window is over", "over", False),
        ({"bid_window": 90_000}, "it takes bids for 90000 s", "window", False),
        ({"free_stake": ETHER // 10 - 1}, "free stake", "stake", True),
        ({"collateral": 2 * ETHER}, "free stake", "stake", True),
        ({"min_stake": 2 * ETHER}, "free stake", "stake", True),
        ({"balance": gas_reserve(job_gas(4, 0), 10 * GWEI) - 1}, "for gas", "funds", True),
        ({"gas_price": 201 * GWEI}, "above the cap", "gas", True),
        ({"accept_window": 59}, "the window to accept is 59 s", "window", False),
        ({"accept_window": 62}, "a mined proof may take 63.0 s, the window to accept is 62 s", "time", False),
        ({"backlog": 500.0}, "a mined proof may take 813.0 s", "time", True),
        ({"queue": 99, "pace": Pace(sending=6.0)}, "a mined proof may take 663.0 s", "time", True),
        ({"pace": Pace(inclusion=300.0)}, "a mined proof may take 603.0 s", "time", True),
        ({"max_price": 1}, "the ceiling is 1", "price", False),
        ({"max_price": 8 * 10**15}, "the lowest price that pays is", "price", True),
    ],
)
def test_a_job_that_cannot_be_seen_through_is_declined_with_the_reason(
    change: dict[str, Any], reason: str, why: str, passing: bool
) -> None:
    assert quote(CONFIG, SPEED, OFFER).ask is not None
    price = quote(CONFIG, SPEED, replace(OFFER, **change))
    assert price.ask is None
    assert reason in price.reason
    assert (price.why, price.passing) == (why, passing)


def test_a_job_that_must_be_accepted_before_its_proof_takes_what_the_operator_allows_to_be_at_risk() -> None:
    slow = replace(OFFER, accept_window=60, prove_window=200)
    assert "max_collateral" in quote(CONFIG, SPEED, slow).reason
    allowed = quote(CONFIG, SPEED, replace(slow, at_risk=ETHER // 10))
    assert allowed.ask is not None
    direct = quote(CONFIG, SPEED, OFFER)
    assert allowed.cost - direct.cost == ETHER // 1000  # 1 % of the collateral
    free = replace(slow, collateral=0)
    assert quote(CONFIG, SPEED, free).cost == direct.cost  # with nothing to lose, nothing is charged for it


def test_never_more_is_at_risk_than_can_be_settled_in_half_its_window() -> None:
    slow = replace(OFFER, accept_window=60, at_risk=ETHER)
    assert quote(CONFIG, SPEED, replace(slow, prove_window=126)).ask is not None
    assert quote(CONFIG, SPEED, replace(slow, prove_window=125)).ask is None
    assert quote(CONFIG, SPEED, replace(slow, prove_window=63, collateral=0)).ask is not None


def test_a_callbacks_gas_is_in_the_price() -> None:
    plain, called = quote(CONFIG, SPEED, OFFER), quote(CONFIG, SPEED, replace(OFFER, callback_gas=1_000_000))
    assert called.cost - plain.cost >= 1_000_000 * 64 // 63 * OFFER.gas_price


def test_a_measured_speed_replaces_the_assumed_one_and_follows_later_ones() -> None:
    assumed = initial_speed(CONFIG, 100_000)
    assert not assumed.measured
    measured = assumed.after(9.0)
    assert (measured.seconds, measured.measured) == (9.0, True)
    assert 8.0 < measured.after(8.0).seconds < 9.0


@pytest.mark.parametrize("slices", [1, 4])
def test_what_a_rollup_takes_for_bytes_is_in_price_and_reserve(slices: int) -> None:
    plain = quote(CONFIG, SPEED, replace(OFFER, slices=slices))
    price = 10**15  # wei for 1,000 bytes: on some days more than the gas
    dear = replace(OFFER, slices=slices, data_price=price)
    fee = job_data_fee(OFFER.words, slices, price)
    found = quote(CONFIG, SPEED, dear)
    assert found.cost == plain.cost + fee
    assert found.gas_cost == plain.gas_cost + fee
    assert found.floor > plain.floor
    assert f"{rounded(fee)} for its bytes" in found.reason
    reserve = gas_reserve(job_gas(OFFER.words, 0, slices), OFFER.gas_price, fee)
    assert quote(CONFIG, SPEED, replace(dear, balance=reserve)).ask is not None
    assert quote(CONFIG, SPEED, replace(dear, balance=reserve - 1)).why == "funds"
    assert quote(CONFIG, SPEED, replace(dear, max_price=plain.floor)).why == "price"


def test_most_bytes_of_a_job_are_its_proofs() -> None:
    after = data_fee_after_award(OFFER.words, 1, 10**6)
    assert job_data_fee(OFFER.words, 1, 10**6) // 3 < after < job_data_fee(OFFER.words, 1, 10**6)
    assert data_fee_after_award(OFFER.words, 4, 10**6) - after == 3 * 352 * 10**3
    assert job_data_fee(OFFER.words, 4, 0) == 0
