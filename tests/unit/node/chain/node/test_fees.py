"""Fee offers: enough, rising as pools demand, never above the cap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_node.chain import FeePolicy, Fees, FeesTooHigh

AMOUNT = st.integers(0, 10**13)


@given(base=AMOUNT, tips=st.lists(AMOUNT, max_size=10), cap=st.integers(1, 10**13))
def test_offer_covers_the_base_fee_within_the_cap(base, tips, cap):
    policy = FeePolicy(max_fee_cap=cap)
    if base > cap:
        with pytest.raises(FeesTooHigh):
            policy.offer(base, tips)
        return
    fees = policy.offer(base, tips)
    assert base <= fees.max_fee <= cap
    assert 0 <= fees.tip <= fees.max_fee


@given(max_fee=AMOUNT, tip=AMOUNT, market_fee=AMOUNT, market_tip=AMOUNT, cap=st.integers(1, 10**13))
def test_replacement_rises_by_a_tenth_or_is_none(max_fee, tip, market_fee, market_tip, cap):
    previous, market = Fees(max_fee, min(tip, max_fee)), Fees(market_fee, min(market_tip, market_fee))
    fees = FeePolicy(max_fee_cap=cap).replacement(previous, market)
    if fees is not None:
        assert fees.max_fee <= cap
        assert fees.tip <= fees.max_fee
        assert fees.max_fee * 10 >= previous.max_fee * 11
        assert fees.tip * 10 >= previous.tip * 11
        assert fees.max_fee >= market.max_fee


def test_tip_is_the_median_of_those_paid():
    assert FeePolicy().offer(100, [0, 5, 0, 9, 7]).tip == 7


def test_tip_has_a_floor_when_nobody_pays_one():
    assert FeePolicy().offer(100, [0, 0]).tip == 1
