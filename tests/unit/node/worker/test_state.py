"""The state machine of a job: any order of events, a market that changes its mind, a dying process."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_node.chain import AWARD_GRACE, JobState
from assay_node.worker.errors import ImpossibleTransition
from assay_node.worker.lifecycle.bidding import next_bid
from assay_node.worker.lifecycle.events import (
    Confirmed,
    InputRejected,
    InputStored,
    InputVerified,
    Observed,
    ProofFailed,
    ProofStopped,
    Proved,
    Quoted,
    Refused,
)
from assay_node.worker.lifecycle.instructions import Action, CheckInput, Prove, Quote, Send, StopProving
from assay_node.worker.lifecycle.progress import (
    PROOF_ATTEMPTS,
    BiddingPolicy,
    InputState,
    JobProgress,
    Phase,
    ProofState,
    failing_with_collateral,
    is_held,
    phase,
)
from assay_node.worker.lifecycle.state import handle_event
from unit.node.worker.job_views import CEILING, ME, ME_, NOBODY, QUOTED, RIVAL, run, view


class TestTheStraightPath:
    def test_first_look_asks_for_a_price(self):
        assert run(JobProgress(), Observed(view(JobState.OPEN), 10))[1] == [Quote(0)]

    def test_price_leads_to_a_bid(self):
        _, out = run(JobProgress(), *QUOTED, Observed(view(JobState.OPEN), 11))
        assert out[-1] == Send(Action.BID, 0, 500)

    def test_declining_leads_to_nothing(self):
        progress, out = run(JobProgress(), QUOTED[0], Quoted(0, None, 300), Observed(view(JobState.OPEN), 11))
        assert out == [Quote(0)]
        assert phase(progress, ME_) is Phase.DECLINED

    def test_leader_waits_and_awards_after_the_window(self):
        progress, _ = run(JobProgress(), *QUOTED, Observed(view(JobState.OPEN), 11), Confirmed(Action.BID))
        leading = view(JobState.OPEN, ME, 500, own_bid=500)
        progress, out = run(progress, Observed(leading, 100))
        assert (out, phase(progress, ME_)) == ([], Phase.LEADING)
        assert run(progress, Observed(leading, 101))[1] == [Send(Action.AWARD, 0)]

    def test_an_award_is_proven_once_its_input_is_verified_and_settled_without_accepting(self):
        awarded = view(JobState.AWARDED, ME, 500, collateral=5)
        progress, out = run(JobProgress(), Observed(awarded, 20))
        assert (out, phase(progress, ME_)) == ([], Phase.AWAITING_INPUT)
        progress, out = run(progress, InputStored(), Observed(awarded, 21))
        assert out == [CheckInput()]
        progress, out = run(progress, InputVerified(), Observed(awarded, 22))
        assert (out, phase(progress, ME_)) == ([Prove(100)], Phase.PROVING)
        progress, out = run(progress, Observed(awarded, 23), Proved(), Observed(awarded, 24))
        assert (out, phase(progress, ME_)) == ([Send(Action.PROVE, 0)], Phase.SETTLING)

    def test_rejected_input_is_waited_for_again(self):
        awarded = view(JobState.AWARDED, ME, 500)
        progress, out = run(JobProgress(), InputStored(), InputRejected("another"), Observed(awarded, 22))
        assert out == [CheckInput()]
        assert progress.input is InputState.MISSING

    def test_accepted_job_is_proven_then_settled(self):
        accepted = view(JobState.ACCEPTED, ME, 500)
        progress, out = run(JobProgress(), InputStored(), InputVerified(), Observed(accepted, 10))
        assert out[-1] == Prove(100)
        progress, out = run(progress, Observed(accepted, 11))
        assert out == []  # one proof at a time
        progress, out = run(progress, Proved(), Observed(accepted, 12))
        assert out == [Send(Action.PROVE, 0)]
        progress, out = run(progress, Confirmed(Action.PROVE), Observed(view(JobState.SETTLED, ME, 500), 13))
        assert (out, phase(progress, ME_)) == ([], Phase.PAID)


class TestDeadlines:
    def test_no_bid_after_the_window(self):
        _, out = run(JobProgress(), QUOTED[0], Quoted(0, 500, 300), Observed(view(JobState.OPEN), 101))
        assert out == [Quote(0)]

    def test_last_second_still_counts(self):
        progress = JobProgress(proof=ProofState.READY, input=InputState.VERIFIED)
        assert run(progress, Observed(view(JobState.AWARDED, ME, 1), 100))[1] == [Send(Action.PROVE, 0)]
        assert run(progress, Observed(view(JobState.AWARDED, ME, 1), 101))[1] == []

    def test_overdue_job_is_given_up_and_its_proof_stopped(self):
        accepted = view(JobState.ACCEPTED, ME, 500)
        progress, _ = run(JobProgress(), InputStored(), InputVerified(), Observed(accepted, 10))
        progress, out = run(progress, Observed(accepted, 101))
        assert out == [StopProving(), Send(Action.EXPIRE, 0)]
        progress, _ = run(progress, ProofStopped())
        assert progress.proof is ProofState.IDLE

    def test_ready_proof_is_not_sent_too_late(self):
        progress, _ = run(JobProgress(proof=ProofState.READY, input=InputState.VERIFIED))
        assert run(progress, Observed(view(JobState.ACCEPTED, ME), 101))[1] == [Send(Action.EXPIRE, 0)]

    def test_rivals_lapse_reopens_the_job_for_a_bidder_only(self):
        late = Observed(view(JobState.AWARDED, RIVAL, 400, own_bid=500), 101)
        assert run(JobProgress(), late)[1] == [Send(Action.LAPSE, 0)]
        stranger = Observed(view(JobState.AWARDED, RIVAL, 400), 101)
        assert run(JobProgress(), stranger)[1] == []

    def test_own_lapse_is_left_to_others_unless_it_reserves_stake(self):
        missed = view(JobState.AWARDED, ME, 400, own_bid=400)
        assert run(JobProgress(), Observed(missed, 101))[1] == []
        reserving = replace(missed, backing=7)
        assert run(JobProgress(), Observed(reserving, 101))[1] == [Send(Action.LAPSE, 0)]

    def test_rivals_lapse_in_the_last_round_is_no_chance(self):
        last = view(JobState.AWARDED, RIVAL, 400, own_bid=500, round=1, rounds=2)
        assert run(JobProgress(), Observed(last, 101))[1] == []

    def test_a_job_that_only_its_requester_awards_is_ended_when_it_did_not(self):
        leading = view(JobState.OPEN, ME, 500, own_bid=500, requester_awards=True, backing=7)
        progress = JobProgress(quote_round=0, ask=500)
        assert run(progress, Observed(leading, 101))[1] == []
        assert run(progress, Observed(leading, 100 + AWARD_GRACE))[1] == []
        assert run(progress, Observed(leading, 101 + AWARD_GRACE))[1] == [Send(Action.EXPIRE, 0)]
        nothing_reserved = replace(leading, backing=0)
        assert run(progress, Observed(nothing_reserved, 101 + AWARD_GRACE))[1] == []


class TestAwardsThatCannotBeServed:
    """The window to accept is 20..100, so the last call for a proof is at 90 and for an input at 80."""

    def test_input_that_does_not_come_ends_in_a_decline(self):
        awarded = view(JobState.AWARDED, ME, 500)
        assert run(JobProgress(), Observed(awarded, 79))[1] == []
        progress, out = run(JobProgress(), Observed(awarded, 80))
        assert out == [Send(Action.DECLINE, 0)]
        reopened = view(JobState.OPEN, round=1)
        progress, out = run(progress, Confirmed(Action.DECLINE), Observed(reopened, 81))
        assert (out, phase(progress, ME_)) == ([], Phase.GIVEN_UP)

    def test_input_is_not_waited_for_longer_than_the_operator_says(self):
        awarded = view(JobState.AWARDED, ME, 500, deadline=10_000, accept_window=9_980)
        policy = replace(ME_, input_patience=100)
        assert handle_event(JobProgress(), Observed(awarded, 119), policy)[1] == ()
        assert handle_event(JobProgress(), Observed(awarded, 120), policy)[1] == (Send(Action.DECLINE, 0),)

    @pytest.mark.parametrize(
        "hopeless",
        [
            JobProgress(unservable="the words pack no input"),
            JobProgress(input=InputState.VERIFIED, proof_failures=PROOF_ATTEMPTS),
        ],
    )
    def test_what_cannot_be_proven_is_declined_at_once(self, hopeless):
        progress, out = run(hopeless, Observed(view(JobState.AWARDED, ME, 500), 21))
        assert out == [Send(Action.DECLINE, 0)]
        assert phase(progress, ME_) is Phase.FAILING

    def test_proof_that_is_late_is_declined_rather_than_accepted(self):
        awarded = view(JobState.AWARDED, ME, 500, collateral=5)
        progress, _ = run(JobProgress(input=InputState.VERIFIED), Observed(awarded, 21))
        assert run(progress, Observed(awarded, 89))[1] == []
        progress, out = run(progress, Observed(awarded, 90))
        assert out == [Send(Action.DECLINE, 0)]
        progress, out = run(progress, Confirmed(Action.DECLINE), Observed(view(JobState.OPEN, round=1), 91))
        assert out == [StopProving()]

    def test_proof_that_is_late_is_accepted_first_if_the_operator_allows_the_collateral(self):
        awarded = view(JobState.AWARDED, ME, 500, collateral=5)
        policy = replace(ME_, max_collateral=5)
        progress = JobProgress(input=InputState.VERIFIED, proof=ProofState.RUNNING)
        assert handle_event(progress, Observed(awarded, 89), policy)[1] == ()
        assert handle_event(progress, Observed(awarded, 90), policy)[1] == (Send(Action.ACCEPT, 0),)
        dearer = replace(awarded, collateral=6)
        assert handle_event(progress, Observed(dearer, 90), policy)[1] == (Send(Action.DECLINE, 0),)

    def test_acceptance_that_is_refused_becomes_a_decline(self):
        awarded = view(JobState.AWARDED, ME, 500)
        progress = JobProgress(input=InputState.VERIFIED, proof=ProofState.RUNNING)
        progress, out = run(progress, Observed(awarded, 90), Refused(Action.ACCEPT, "too much at risk", 90))
        assert out == [Send(Action.ACCEPT, 0)]
        assert run(progress, Observed(awarded, progress.pause_until))[1] == [Send(Action.DECLINE, 0)]

    def test_settlement_that_does_not_pay_is_tried_until_the_last_call_and_then_declined(self):
        awarded = view(JobState.AWARDED, ME, 500)
        progress = JobProgress(input=InputState.VERIFIED, proof=ProofState.READY)
        progress, out = run(progress, Observed(awarded, 30), Refused(Action.PROVE, "gas is dear", 30))
        assert out == [Send(Action.PROVE, 0)]
        progress, out = run(progress, Observed(awarded, 60))
        assert out == [Send(Action.PROVE, 0)]
        progress, out = run(progress, Refused(Action.PROVE, "gas is dear", 88), Observed(awarded, 95))
        assert out == [Send(Action.DECLINE, 0)]

    def test_proof_in_hand_is_sent_also_after_the_last_call(self):
        progress = JobProgress(input=InputState.VERIFIED, proof=ProofState.READY)
        assert run(progress, Observed(view(JobState.AWARDED, ME, 500), 99))[1] == [Send(Action.PROVE, 0)]

    def test_no_bid_on_a_job_that_was_given_up_but_again_where_a_reorg_undid_that(self):
        progress, _ = run(JobProgress(), Observed(view(JobState.AWARDED, ME, 500), 21))
        assert run(progress, Observed(view(JobState.OPEN, round=1), 22))[1] == []
        assert run(progress, Observed(view(JobState.OPEN, round=0), 22))[1] == [Quote(0)]

    def test_accepted_job_that_lost_its_input_waits_for_it_and_is_never_declined(self):
        accepted = view(JobState.ACCEPTED, ME, 500)
        progress, out = run(JobProgress(), Observed(accepted, 99))
        assert (out, phase(progress, ME_)) == ([], Phase.AWAITING_INPUT)
        assert run(progress, InputStored(), InputVerified(), Observed(accepted, 100))[1][-1] == Prove(100)


class TestRefusals:
    def test_refused_action_waits_longer_each_time(self):
        awarded = view(JobState.AWARDED, ME, 500, deadline=10_000)
        ready = JobProgress(input=InputState.VERIFIED, proof=ProofState.READY)
        progress, _ = run(ready, Observed(awarded, 10))
        pauses = []
        now = 10
        for _ in range(8):
            progress, _ = run(progress, Refused(Action.PROVE, "no", now))
            pauses.append(progress.pause_until - now)
            assert run(progress, Observed(awarded, progress.pause_until - 1))[1] == []
            now = progress.pause_until
            progress, out = run(progress, Observed(awarded, now))
            assert out == [Send(Action.PROVE, 0)]
        assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]

    def test_a_pause_does_not_outlast_a_reorg_that_sets_the_clock_back(self):
        opened = view(JobState.OPEN, deadline=10_000)
        progress, out = run(JobProgress(), *QUOTED, Observed(opened, 9_000), Refused(Action.BID, "no", 9_000))
        assert out[-1].action is Action.BID
        assert run(progress, Observed(opened, 9_000))[1] == []
        assert run(progress, Observed(opened, 5_000))[1] == [out[-1]]

    def test_refused_bid_is_not_counted(self):
        progress, _ = run(
            JobProgress(), *QUOTED, Observed(view(JobState.OPEN), 11), Refused(Action.BID, "no", 11)
        )
        assert progress.bids == 0

    def test_failing_proofs_end_in_waiting_for_the_deadline(self):
        accepted = view(JobState.ACCEPTED, ME, 500, deadline=10_000)
        progress, now = JobProgress(input=InputState.VERIFIED), 10
        for _ in range(PROOF_ATTEMPTS):
            progress, out = run(progress, Observed(accepted, now))
            assert out == [Prove(10_000)]
            progress, _ = run(progress, ProofFailed("out of memory", now))
            now = progress.pause_until
        assert run(progress, Observed(accepted, now))[1] == []
        assert phase(progress, ME_) is Phase.FAILING
        assert run(progress, Observed(accepted, 10_001))[1] == [Send(Action.EXPIRE, 0)]


class TestBidding:
    def quoted(
        self, ask: int | None, floor: int, bids: int = 0, *, quote_round: int = 0, gas_cost: int = 0
    ) -> JobProgress:
        return JobProgress(quote_round=quote_round, ask=ask, floor=floor, bids=bids, gas_cost=gas_cost)

    def test_opens_with_the_ask(self):
        assert next_bid(self.quoted(500, 300), view(JobState.OPEN), ME_) == 500

    def test_undercuts_the_leader(self):
        assert next_bid(self.quoted(500, 300), view(JobState.OPEN, RIVAL, 500), ME_) == 475

    def test_goes_down_to_the_floor(self):
        assert next_bid(self.quoted(500, 490), view(JobState.OPEN, RIVAL, 500), ME_) == 490

    def test_leaves_it_below_the_floor(self):
        assert next_bid(self.quoted(500, 496), view(JobState.OPEN, RIVAL, 500), ME_) is None

    def test_stands_beside_a_price_that_does_not_pay_the_gas_once(self):
        progress = self.quoted(500, 300, gas_cost=200)
        for price in (0, 1, 199):
            assert next_bid(progress, view(JobState.OPEN, RIVAL, price), ME_) == 500
            assert next_bid(progress, view(JobState.OPEN, RIVAL, price, own_bid=500), ME_) is None
        for price in (200, 299):
            assert next_bid(progress, view(JobState.OPEN, RIVAL, price), ME_) is None

    def test_stands_beside_any_leader_once_an_award_has_lapsed(self):
        progress = self.quoted(500, 300, quote_round=1, gas_cost=200)
        assert next_bid(progress, view(JobState.OPEN, RIVAL, 299, round=1), ME_) == 500
        assert next_bid(progress, view(JobState.OPEN, RIVAL, 299, round=1, own_bid=500), ME_) is None
        assert next_bid(progress, view(JobState.OPEN, RIVAL, 600, round=1), ME_) == 500  # and leads if it can

    def test_stands_beside_any_leader_where_the_requester_chooses(self):
        progress = self.quoted(500, 300, gas_cost=200)
        chosen = view(JobState.OPEN, RIVAL, 299, requester_awards=True)
        assert next_bid(progress, chosen, ME_) == 500
        assert next_bid(progress, replace(chosen, own_bid=500), ME_) is None

    def test_stops_after_so_many(self):
        assert next_bid(self.quoted(500, 300, bids=3), view(JobState.OPEN), ME_) is None

    @given(
        ask=st.integers(0, 2000),
        floor=st.integers(0, 2000),
        leading=st.none() | st.integers(0, 1000),
        undercut=st.integers(1, 50),
    )
    def test_every_bid_pays_and_is_one_the_market_takes(self, ask, floor, leading, undercut):
        if ask < floor:
            return
        current = view(JobState.OPEN) if leading is None else view(JobState.OPEN, RIVAL, leading)
        price = next_bid(self.quoted(ask, floor), current, BiddingPolicy(ME, 3, undercut))
        if price is None:
            return
        assert floor <= price <= min(ask, CEILING)
        if leading is not None:
            assert price <= leading - (leading + 99) // 100


class TestWhatIsInHand:
    @pytest.mark.parametrize("state", list(JobState))
    @pytest.mark.parametrize("worker", [ME, RIVAL, NOBODY])
    @pytest.mark.parametrize("now", [99, 100, 101])
    def test_a_job_is_held_until_its_deadline_and_no_longer(self, state, worker, now):
        expected = worker == ME and state in (JobState.AWARDED, JobState.ACCEPTED) and now <= 100
        assert is_held(view(state, worker), ME_, now) is expected

    def test_failed_job_that_holds_collateral_stops_bidding(self):
        failed = JobProgress(view=view(JobState.ACCEPTED, ME), proof_failures=1, trouble="out of memory")
        assert failing_with_collateral([JobProgress(), failed], ME_) == "out of memory"
        for harmless in (
            replace(failed, proof=ProofState.READY),
            replace(failed, view=view(JobState.EXPIRED, ME)),
            replace(failed, view=view(JobState.AWARDED, ME)),
        ):
            assert failing_with_collateral([harmless], ME_) == ""


class TestWhatCannotBe:
    @pytest.mark.parametrize(
        "event",
        [
            Quoted(0, 5, 5),
            InputVerified(),
            InputRejected("x"),
            Proved(),
            ProofFailed("x", 1),
            ProofStopped(),
            Confirmed(Action.BID),
            Refused(Action.ACCEPT, "x", 1),
        ],
    )
    def test_answer_without_a_question_tells_its_story(self, event):
        progress, _ = run(JobProgress(), Observed(view(JobState.CANCELLED), 10))
        with pytest.raises(ImpossibleTransition, match="at 10 the market said CANCELLED"):
            handle_event(progress, event, ME_)

    def test_answer_to_another_question(self):
        progress, _ = run(JobProgress(), *QUOTED, Observed(view(JobState.OPEN), 11))
        with pytest.raises(ImpossibleTransition):
            handle_event(progress, Confirmed(Action.ACCEPT), ME_)

    def test_quote_for_another_round(self):
        progress, _ = run(JobProgress(), QUOTED[0])
        with pytest.raises(ImpossibleTransition):
            handle_event(progress, Quoted(1, 5, 5), ME_)

    def test_quote_below_its_own_floor(self):
        progress, _ = run(JobProgress(), QUOTED[0])
        with pytest.raises(ImpossibleTransition):
            handle_event(progress, Quoted(0, 5, 6), ME_)

    def test_ceiling_that_changes(self):
        progress, _ = run(JobProgress(), Observed(view(JobState.OPEN), 10))
        with pytest.raises(ImpossibleTransition, match="ceiling"):
            handle_event(progress, Observed(replace(view(JobState.OPEN), max_price=1), 11), ME_)
