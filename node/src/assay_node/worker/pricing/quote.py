"""What a job is worth: proving time, gas, margin, royalty. Pure, so that every price can be explained.

A quote is made of what the worker knows before it bids: the circuit's size from the bundle's cost report, the
speed of this machine as measured on its own proofs, the gas a whole job takes, and what gas costs now. Its
`reason` says in one line how it came about, or why there is none; the worker logs and stores it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ...amounts import ether, rounded
from ...chain.contracts.worker_gas import job_data_fee, job_gas
from ..config import PricingConfig
from .capacity import Pace

GAS_HEADROOM = 2
"""How many times the gas of a job, at today's price, the account must hold: gas gets dearer while a job
lasts, and a node wants a transaction's highest fee covered, which is about twice what is paid in the end."""
MEASURED_WEIGHT = 0.3
"""Share of a new measurement in the running average of the proving speed."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast this machine proves one model.

    Attributes:
        seconds: expected time of a proof.
        measured: whether it comes from proofs made here, or from the configuration.
    """

    seconds: float
    measured: bool

    def after(self, seconds: float) -> Speed:
        """With one more proof measured."""
        if not self.measured:
            return Speed(seconds, True)
        return Speed(self.seconds + MEASURED_WEIGHT * (seconds - self.seconds), True)


@dataclass(frozen=True, slots=True)
class Offer:
    """What is known of a job when it is priced. Amounts in wei, times in seconds.

    Attributes:
        words: input and output words of the statement.
        royalty_bps: the publisher's share of the price.
        max_price: the requester's ceiling.
        collateral, min_stake: what the market demands.
        bid_window: how long the job takes bids, in all.
        accept_window: from award to acceptance, or to the proof itself.
        prove_window: from acceptance to proof.
        callback_gas: gas of the consumer's callback, which the sender of the proof pays.
        free_stake: this worker's: what backs none of its bids and jobs.
        balance: what the account has for gas, less what the jobs in hand will need of it.
        backlog: seconds of proving promised to jobs that are due before this one.
        queue: how many those are.
        pace: what transactions take here.
        at_risk: collateral that may still be locked before a proof is there.
        gas_price: base fee and tip now, wei per gas.
        data_price: wei that a rollup takes for 1,000 bytes of a transaction; 0 elsewhere.
        time_left: until the bidding window closes.
        slices: of the model, each with a proof of its own.
    """

    words: int
    royalty_bps: int
    max_price: int
    collateral: int
    min_stake: int
    accept_window: int
    prove_window: int
    callback_gas: int
    free_stake: int
    balance: int
    backlog: float
    gas_price: int
    time_left: int
    slices: int = 1
    bid_window: int = 60
    queue: int = 0
    pace: Pace = field(default_factory=Pace)
    at_risk: int = 0
    data_price: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """A decision.

    Attributes:
        ask: price to open with; None to stay out.
        floor: lowest price that pays.
        cost: what the job costs this worker.
        gas_cost: the part of it that is gas, which it costs any worker.
        reason: how it came about, one line.
        details: the figures behind it, for the log.
        why: a decline in one word, for metrics; "" for an offer.
        passing: a decline whose reason may pass while the bidding lasts (stake is freed, gas falls).
    """

    ask: int | None
    floor: int
    cost: int
    gas_cost: int
    reason: str
    details: dict[str, Any]
    why: str = ""
    passing: bool = False


def initial_speed(config: PricingConfig, constraints: int) -> Speed:
    """The speed to assume of a model that has not been proven here yet."""
    return Speed(config.seconds_fixed + constraints / config.constraints_per_second, False)


def mined_after(config: PricingConfig, seconds: float, queue: int = 0, pace: Pace | None = None) -> float:
    """Seconds to allow until a proof is mined, if so many of proving and `queue` other proofs come before."""
    pace = pace or Pace()
    inclusion = max(float(config.inclusion_seconds), 2 * pace.inclusion)
    return seconds * config.deadline_margin + inclusion + (queue + 1) * pace.sending


def gas_reserve(gas: int, gas_price: int, data: int = 0) -> int:
    """Wei to hold for this much gas, and for so much wei of data fees today."""
    return GAS_HEADROOM * (gas * gas_price + data)


def lowest_price(config: PricingConfig, speed: Speed, offer: Offer, gas_price: int) -> int:
    """The lowest price that pays a job at this gas price, in wei."""
    gas = job_gas(offer.words, offer.callback_gas, offer.slices)
    data = job_data_fee(offer.words, offer.slices, offer.data_price)
    cost = int(speed.seconds * config.wei_per_second) + gas * gas_price + data
    return _gross(cost, config.floor_percent, 10_000 - offer.royalty_bps)


def quote(config: PricingConfig, speed: Speed, offer: Offer, max_bid_window: int = 86_400) -> Price:
    """Prices a job, or declines it with the reason."""
    gas = job_gas(offer.words, offer.callback_gas, offer.slices)
    data = job_data_fee(offer.words, offer.slices, offer.data_price)
    gas_cost = gas * offer.gas_price + data
    expected = mined_after(config, offer.backlog + speed.seconds, offer.queue, offer.pace)
    # A proof within the window to accept is settled straight from the award, and locks nothing.
    direct = expected <= offer.accept_window
    risk = 0 if direct else int(offer.collateral * config.collateral_risk_percent / 100)
    cost = int(speed.seconds * config.wei_per_second) + gas_cost + risk
    # The worker keeps price * (1 - royalty); the market caps royalties at half.
    kept = 10_000 - offer.royalty_bps
    ask = _gross(cost, config.margin_percent, kept)
    floor = _gross(cost, config.floor_percent, kept)
    details = {
        **asdict(offer),
        "seconds": round(speed.seconds, 3),
        "measured": speed.measured,
        "gas": gas,
        "cost": cost,
        "ask": ask,
        "floor": floor,
    }

    def decline(why: str, reason: str, *, passing: bool = False) -> Price:
        return Price(None, floor, cost, gas_cost, f"declined: {reason}", details, why, passing)

    if offer.time_left <= 0:
        return decline("over", "the bidding window is over")
    if offer.bid_window > max_bid_window:
        return decline(
            "window", f"it takes bids for {offer.bid_window} s, at most {max_bid_window} are allowed"
        )
    # Half today's gas price is as far as gas may be hoped to fall while bids are taken.
    if lowest_price(config, speed, offer, offer.gas_price // 2) > offer.max_price:
        return decline(
            "price",
            f"the lowest price that pays is {rounded(floor)}, the ceiling is {ether(offer.max_price)}",
        )
    # A window that no block may fall into is a trap: an award to be missed, or a collateral to be lost.
    if offer.accept_window < config.inclusion_seconds:
        return decline(
            "window",
            f"a transaction may take {config.inclusion_seconds} s, the window to accept is"
            f" {offer.accept_window} s",
        )
    alone = mined_after(config, speed.seconds)
    if not direct and (reason := _accepting_objection(offer, expected)):
        hopeless = alone > offer.accept_window and _accepting_objection(offer, alone)
        return decline("time", reason, passing=not hopeless)
    needed = max(offer.collateral, offer.min_stake)
    if offer.free_stake < needed:
        reason = f"needs {ether(needed)} of free stake, {ether(offer.free_stake)} is free and not promised"
        return decline("stake", reason, passing=True)
    reserve = gas_reserve(gas, offer.gas_price, data)
    if offer.balance < reserve:
        reason = (
            f"needs {rounded(reserve)} for gas, {rounded(reserve - offer.balance)} more than the account has"
            " to spare"
        )
        return decline("funds", reason, passing=True)
    if offer.gas_price > config.gas_price_cap:
        reason = f"gas at {rounded(offer.gas_price)} is above the cap of {ether(config.gas_price_cap)}"
        return decline("gas", reason, passing=True)
    if floor > offer.max_price:
        reason = f"the lowest price that pays is {rounded(floor)}, the ceiling is {ether(offer.max_price)}"
        return decline("price", reason, passing=True)
    ask = min(ask, offer.max_price)
    source = "measured" if speed.measured else "estimated"
    reason = (
        f"ask {rounded(ask)}: {speed.seconds:.2f} s of proving ({source}), {gas:,} gas"
        f" at {rounded(offer.gas_price)}"
        f"{f' and {rounded(data)} for its bytes' if data else ''},"
        f" royalty {offer.royalty_bps / 100:g} %, margin {config.margin_percent:g} %, floor {rounded(floor)}"
    )
    return Price(ask, floor, cost, gas_cost, reason, details)


def _accepting_objection(offer: Offer, expected: float) -> str:
    """Why a job whose proof is later than the window to accept must not be accepted; "" if it may."""
    if offer.collateral > offer.at_risk:
        return (
            f"a mined proof may take {expected:.1f} s, the window to accept is {offer.accept_window} s, and"
            f" its collateral of {ether(offer.collateral)} may not be at risk before the proof is there"
            " (max_collateral)"
        )
    # Never more at risk than can be settled in half its window.
    allowed = offer.prove_window / 2 if offer.collateral else offer.prove_window
    if expected > allowed:
        return f"a mined proof may take {expected:.1f} s, the window is {offer.prove_window} s"
    return ""


def _gross(cost: int, percent: float, kept_bps: int) -> int:
    """The price of which, after royalty, `cost` and `percent` of it are left; rounded up."""
    wanted = cost + int(cost * percent / 100)
    return -(-wanted * 10_000 // kept_bps)
