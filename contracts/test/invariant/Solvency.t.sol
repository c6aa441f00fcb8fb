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
            if (job.state == JobState.Open || job.state == JobState.Awarded || job.state == JobState.Accepted) {
                escrow += job.maxPrice;
            }
            if (job.state == JobState.Accepted) collateral += job.collateral;
        }
        uint256 free;
        uint256 stakes;
        uint256 locked;
        for (uint256 i; i < handler.actorCount(); ++i) {
            free += vault.balanceOf(handler.actors(i));
            Worker memory worker = workers.workerOf(handler.actors(i));
            stakes += worker.stake;
            locked += worker.locked;
            vm.assertLe(worker.locked, worker.stake, "more locked than staked");
        }
        vm.assertEq(vault.heldBy(address(market)), escrow, "escrow");
        vm.assertEq(vault.heldBy(address(workers)), stakes, "stakes");
        vm.assertEq(locked, collateral, "collateral");
        vm.assertEq(address(vault).balance, free + escrow + stakes, "vault");
        vm.assertEq(address(vault).balance, paidInBefore + handler.paidIn() - handler.paidOut(), "in and out");
    }

    /// @dev The handler can reach every state, so that the invariant above means something.
    function test_the_handler_reaches_every_state() public {
        for (uint256 i; i < 600; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            uint256 action = seed % 9;
            if (action == 0) handler.submit(seed >> 8, uint128(seed >> 16), uint128(seed >> 32), uint32(seed >> 64));
            if (action == 1 || action == 2) handler.bid(seed >> 8, seed >> 40, uint128(seed >> 72));
            if (action == 3) handler.award(seed >> 8, seed & 256 == 0);
            if (action == 4) handler.accept(seed >> 8);
            if (action == 5) handler.prove(seed >> 8, seed >> 40);
            if (action == 6 && seed & 0xf00 == 0) handler.leave(seed >> 16);
            if (action == 7) handler.withdraw(seed >> 8, seed >> 40);
            if (action == 8) handler.unstake(seed >> 8, seed % 1000);
            invariant_every_wei_is_accounted_for();
        }
        for (uint8 s = 1; s < 8; ++s) {
            vm.assertTrue(handler.reached(JobState(s)) != 0, string.concat("never reached ", vm.toString(s)));
        }
    }
}
