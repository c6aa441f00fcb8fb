// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Job, JobState} from "../../src/types/Job.sol";
import {Worker} from "../../src/types/Worker.sol";
import {MarketInvariant} from "./MarketInvariant.sol";

/// @dev After any sequence of calls every wei is accounted for. Nobody forces ether on the vault here, so what would be
/// "at least" is an equality.
contract SolvencyInvariant is MarketInvariant {
    mapping(address worker => uint256) private backing;

    /// @dev Balance = free balances + escrow + stakes; escrow = ceilings of unfinished jobs; what is in the vault is what
    /// was paid in less what was paid out.
    function invariant_every_wei_is_accounted_for() public view {
        uint256 escrow;
        for (uint256 i; i < handler.jobCount(); ++i) {
            Job memory job = market.jobOf(handler.jobs(i));
            if (unfinished(job)) escrow += job.maxPrice;
        }
        uint256 free;
        uint256 stakes;
        for (uint256 i; i < handler.actorCount(); ++i) {
            free += vault.balanceOf(handler.actors(i));
            Worker memory worker = workers.workerOf(handler.actors(i));
            stakes += uint256(worker.stake) + worker.leaving;
        }
        vm.assertEq(vault.heldBy(address(market)), escrow, "escrow");
        vm.assertEq(vault.heldBy(address(workers)), stakes, "stakes");
        vm.assertEq(address(vault).balance, free + escrow + stakes, "vault");
        vm.assertEq(address(vault).balance, paidInBefore + handler.paidIn() - handler.paidOut(), "in and out");
    }

    /// @dev One stake backs one job: what is reserved of a worker's is the sum over the jobs it leads, was awarded or has
    /// accepted, and never more than it has.
    function invariant_reserved_stake_is_that_of_the_jobs_it_backs() public {
        for (uint256 i; i < handler.jobCount(); ++i) {
            Job memory job = market.jobOf(handler.jobs(i));
            if (!unfinished(job) || job.worker == address(0)) continue;
            backing[job.worker] += job.minStake > job.collateral ? job.minStake : job.collateral;
        }
        for (uint256 i; i < handler.actorCount(); ++i) {
            address actor = handler.actors(i);
            Worker memory worker = workers.workerOf(actor);
            vm.assertEq(worker.reserved, backing[actor], "reserved");
            vm.assertLe(worker.reserved, worker.stake, "more reserved than staked");
            backing[actor] = 0;
        }
    }

    /// @dev Records count what happened, once: settled jobs, expired acceptances, and awards that lapsed; a declined award
    /// counts nowhere.
    function invariant_records_count_what_happened() public view {
        uint256[3] memory counted;
        uint256[3] memory happened;
        for (uint256 i; i < handler.jobCount(); ++i) {
            JobState state = stateOf(handler.jobs(i));
            if (state == JobState.Settled) ++happened[0];
            if (state == JobState.Expired) ++happened[2];
        }
        happened[1] = handler.lapses();
        for (uint256 i; i < handler.actorCount(); ++i) {
            Worker memory worker = workers.workerOf(handler.actors(i));
            counted[0] += worker.completed;
            counted[1] += worker.missed;
            counted[2] += worker.failed;
        }
        for (uint256 i; i < 3; ++i) {
            vm.assertEq(counted[i], happened[i], "records");
        }
    }

    function unfinished(Job memory job) private pure returns (bool) {
        return job.state == JobState.Open || job.state == JobState.Awarded || job.state == JobState.Accepted;
    }

    /// @dev The handler can reach every state, so that the invariants mean something.
    function test_the_handler_reaches_every_state() public {
        for (uint256 job; job < 5; ++job) {
            handler.submit(0, 1 ether, 0.5 ether, 50, 7);
            if (job == 0) continue; // no bid
            handler.bid(job, 1, 0.4 ether);
            if (job == 1) continue; // cancelled
            handler.bid(job, 2, 0.5 ether); // stands beside it
            handler.award(job, 2, job == 2);
            if (job == 4) handler.decline(job);
            handler.accept(job);
            if (job == 2) handler.prove(job, 4);
        }
        checkAll();
        handler.exit(0);
        handler.cancel(1);
        handler.exit(3);
        handler.unstake(1, 5);
        handler.withdrawStake(1, true);
        checkAll();
        for (uint8 s = 1; s < 8; ++s) {
            vm.assertTrue(handler.reached(JobState(s)) != 0, string.concat("never reached ", vm.toString(s)));
        }
    }

    function checkAll() private {
        this.invariant_every_wei_is_accounted_for();
        this.invariant_reserved_stake_is_that_of_the_jobs_it_backs();
        this.invariant_records_count_what_happened();
    }
}
