// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Job, JobState} from "../../src/types/Job.sol";
import {Worker} from "../../src/types/Worker.sol";
import {MarketTest} from "../utils/MarketTest.sol";
import {MarketHandler} from "./Handler.sol";

/// @dev After any sequence of calls every wei is accounted for. Nobody forces ether on the vault here, so what would be
/// "at least" is an equality.
contract SolvencyInvariant is MarketTest {
    MarketHandler private handler;
    uint256 private paidInBefore;

    function setUp() public override {
        super.setUp();
        address[] memory actors = new address[](5);
        (actors[0], actors[1], actors[2], actors[3], actors[4]) = (requester, alice, bob, publisher, stranger);
        handler = new MarketHandler(market, vault, workers, modelId, toy, inputWords(), outputWords(), actors);
        paidInBefore = 2 * uint256(STAKE);
    }

    /// @dev forge asks which contracts to call.
    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev Balance = free balances + escrow + stakes; escrow = ceilings of unfinished jobs; locked stake = collateral of
    /// accepted jobs; and what is in the vault is what was paid in less what was paid out.
    function invariant_every_wei_is_accounted_for() public view {
        uint256 escrow;
        uint256 collateral;
        for (uint256 i; i < handler.jobCount(); ++i) {
            Job memory job = market.jobOf(handler.jobs(i));
            bool escrowed =
                job.state == JobState.Open || job.state == JobState.Awarded || job.state == JobState.Accepted;
            if (escrowed) escrow += job.maxPrice;
            if (escrowed && job.worker != address(0)) collateral += job.collateral;
        }
        uint256 free;
        uint256 stakes;
        uint256 locked;
        for (uint256 i; i < handler.actorCount(); ++i) {
            free += vault.balanceOf(handler.actors(i));
            Worker memory worker = workers.workerOf(handler.actors(i));
            stakes += uint256(worker.stake) + worker.leaving;
            locked += worker.reserved;
            vm.assertLe(worker.reserved, worker.stake, "more reserved than staked");
        }
        vm.assertEq(vault.heldBy(address(market)), escrow, "escrow");
        vm.assertEq(vault.heldBy(address(workers)), stakes, "stakes");
        vm.assertEq(locked, collateral, "collateral");
        vm.assertEq(address(vault).balance, free + escrow + stakes, "vault");
        vm.assertEq(address(vault).balance, paidInBefore + handler.paidIn() - handler.paidOut(), "in and out");
    }

    /// @dev The handler can reach every state, so that the invariant above means something.
    function test_the_handler_reaches_every_state() public {
        for (uint256 job; job < 4; ++job) {
            handler.submit(0, 1 ether, 0.5 ether, 50);
            if (job == 0) continue; // no bid
            handler.bid(job, 1, 0.4 ether);
            if (job == 1) continue; // cancelled
            handler.bid(job, 2, 0.5 ether); // stands beside it
            handler.award(job, 2, job == 2);
            handler.accept(job);
            if (job == 2) handler.prove(job, 4);
        }
        this.invariant_every_wei_is_accounted_for();
        handler.exit(0);
        handler.exit(1);
        handler.exit(3);
        this.invariant_every_wei_is_accounted_for();
        for (uint8 s = 1; s < 8; ++s) {
            vm.assertTrue(handler.reached(JobState(s)) != 0, string.concat("never reached ", vm.toString(s)));
        }
    }
}
