"""A job's state machine after a re-org and after a restart: what was under way is taken up."""

from __future__ import annotations

import json

import pytest

from assay_node.chain import JobState
from assay_node.worker.lifecycle.events import (
    Confirmed,
    InputStored,
    InputVerified,
    JobView,
    Observed,
    Restarted,
)
from assay_node.worker.lifecycle.instructions import Action, CheckInput, Prove, Quote, Send, StopProving
from assay_node.worker.lifecycle.progress import (
    InputState,
    JobProgress,
    ProofState,
)
from unit.node.worker.job_views import ME, NOBODY, QUOTED, RIVAL, run, view


class TestReorgs:
    def test_settlement_undone_is_settled_again(self):
        progress = JobProgress(
            view=view(JobState.SETTLED, ME), proof=ProofState.READY, input=InputState.VERIFIED
        )
        assert run(progress, Observed(view(JobState.ACCEPTED, ME), 10))[1] == [Send(Action.PROVE, 0)]

    def test_acceptance_undone_needs_none_and_the_proof_goes_on(self):
        progress, _ = run(
            JobProgress(), InputStored(), InputVerified(), Observed(view(JobState.ACCEPTED, ME), 10)
        )
        progress, out = run(progress, Observed(view(JobState.AWARDED, ME), 11))
        assert out == []
        assert progress.proof is ProofState.RUNNING

    def test_award_given_to_another_stops_the_proof(self):
        progress, _ = run(
            JobProgress(), InputStored(), InputVerified(), Observed(view(JobState.ACCEPTED, ME), 10)
        )
        assert run(progress, Observed(view(JobState.AWARDED, RIVAL), 11))[1] == [StopProving()]

    def test_vanished_job_is_let_go(self):
        progress, _ = run(
            JobProgress(), InputStored(), InputVerified(), Observed(view(JobState.ACCEPTED, ME), 10)
        )
        gone = JobView(JobState.NONE, 0, NOBODY, 0, 0, 0, None)
        assert run(progress, Observed(gone, 11))[1] == [StopProving()]

    def test_new_round_gets_a_new_quote(self):
        progress, _ = run(JobProgress(), *QUOTED, Observed(view(JobState.OPEN), 11), Confirmed(Action.BID))
        progress, out = run(progress, Observed(view(JobState.OPEN, round=1), 12))
        assert out == [Quote(1)]
        assert progress.bids == 0


class TestRestart:
    @pytest.mark.parametrize(
        ("progress", "now_view", "again"),
        [
            (JobProgress(quote_asked=True, quote_round=0), view(JobState.OPEN), Quote(0)),
            (JobProgress(input=InputState.STORED, checking=True), view(JobState.AWARDED, ME), CheckInput()),
            (
                JobProgress(input=InputState.VERIFIED, sending="accept/0", awarded_round=0),
                view(JobState.AWARDED, ME),
                Prove(100),
            ),
            (
                JobProgress(sending="decline/0", unservable="no such model", awarded_round=0),
                view(JobState.AWARDED, ME, deadline=9),
                None,
            ),
            (
                JobProgress(input=InputState.VERIFIED, proof=ProofState.RUNNING),
                view(JobState.ACCEPTED, ME),
                Prove(100),
            ),
            (
                JobProgress(proof=ProofState.READY, sending="prove/0"),
                view(JobState.ACCEPTED, ME),
                Send(Action.PROVE, 0),
            ),
            (
                JobProgress(quote_round=0, ask=500, floor=300, bids=1, sending="bid/0/500"),
                view(JobState.OPEN),
                Send(Action.BID, 0, 500),
            ),
        ],
    )
    def test_what_was_under_way_is_taken_up(self, progress, now_view, again):
        stored = JobProgress.from_json(json.loads(json.dumps(progress.to_json())))
        assert stored == progress
        _, out = run(stored, Restarted(), Observed(now_view, 10))
        assert out == ([] if again is None else [again])
