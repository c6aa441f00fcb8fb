// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {WorkerRegistry} from "../src/WorkerRegistry.sol";
import {IVault} from "../src/interfaces/IVault.sol";
import {IWorkerRegistry} from "../src/interfaces/IWorkerRegistry.sol";
import {Worker} from "../src/types/Worker.sol";
import {MarketTest} from "./utils/MarketTest.sol";

contract WorkerRegistryTest is MarketTest {
    bytes32 private constant KEY = keccak256("key");

    function test_register_stores_and_announces_the_worker() public {
        vm.expectEmit(address(workers));
        emit IWorkerRegistry.WorkerRegistered(stranger, "https://w", KEY);
        vm.prank(stranger);
        workers.register("https://w", KEY);
        Worker memory w = workers.workerOf(stranger);
        vm.assertTrue(w.registered);
        vm.assertEq(w.endpoint, "https://w");
        vm.assertEq(w.encryptionKey, KEY);
        vm.assertEq(w.stake + w.locked + w.completed + w.missed + w.failed, 0);
    }

    function test_register_twice_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.WorkerAlreadyRegistered.selector, alice));
        vm.prank(alice);
        workers.register("https://w", KEY);
    }

    function test_register_and_update_refuse_bad_descriptions() public {
        bytes memory long = new bytes(257);
        vm.expectRevert(IWorkerRegistry.EmptyEndpoint.selector);
        workers.register("", KEY);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.EndpointTooLong.selector, 257, 256));
        workers.register(string(long), KEY);
        vm.expectRevert(IWorkerRegistry.ZeroEncryptionKey.selector);
        workers.register("https://w", 0);
        vm.startPrank(alice);
        vm.expectRevert(IWorkerRegistry.EmptyEndpoint.selector);
        workers.update("", KEY);
        vm.expectRevert(IWorkerRegistry.ZeroEncryptionKey.selector);
        workers.update("https://w", 0);
    }

    function test_update_replaces_the_callers_description_alone() public {
        vm.expectEmit(address(workers));
        emit IWorkerRegistry.WorkerUpdated(alice, "https://new", KEY);
        vm.prank(alice);
        workers.update("https://new", KEY);
        vm.assertEq(workers.workerOf(alice).endpoint, "https://new");
        vm.assertEq(workers.workerOf(alice).stake, STAKE);
        vm.assertEq(workers.workerOf(bob).endpoint, "https://worker.example");
    }

    function test_stake_comes_from_value_or_from_the_vault() public {
        vm.startPrank(alice);
        vm.expectEmit(address(workers));
        emit IWorkerRegistry.StakeChanged(alice, STAKE + 3);
        workers.addStake{value: 3}();
        vault.deposit{value: 5}(alice);
        workers.addStakeFromBalance(4);
        vm.stopPrank();
        vm.assertEq(workers.workerOf(alice).stake, STAKE + 7);
        vm.assertEq(vault.balanceOf(alice), 1);
        assertSolvent(0);
    }

    function test_addStakeFromBalance_reverts_beyond_the_balance() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.InsufficientBalance.selector, alice, 0, 1));
        vm.prank(alice);
        workers.addStakeFromBalance(1);
    }

    function test_removeStake_credits_the_vault() public {
        vm.prank(alice);
        workers.removeStake(STAKE);
        vm.assertEq(vault.balanceOf(alice), STAKE);
        vm.assertEq(workers.workerOf(alice).stake, 0);
        assertSolvent(0);
    }

    function test_removeStake_leaves_what_is_locked() public {
        accepted();
        uint256 free = STAKE - COLLATERAL;
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.InsufficientStake.selector, alice, free, free + 1));
        workers.removeStake(free + 1);
        workers.removeStake(free);
        vm.assertEq(workers.freeStakeOf(alice), 0);
        vm.assertEq(workers.workerOf(alice).stake, COLLATERAL);
    }

    function test_stake_of_nothing_reverts() public {
        vm.startPrank(alice);
        vm.expectRevert(IWorkerRegistry.ZeroAmount.selector);
        workers.addStake();
        vm.expectRevert(IWorkerRegistry.ZeroAmount.selector);
        workers.addStakeFromBalance(0);
        vm.expectRevert(IWorkerRegistry.ZeroAmount.selector);
        workers.removeStake(0);
    }

    function test_everything_but_register_is_for_workers() public {
        bytes memory expected = abi.encodeWithSelector(IWorkerRegistry.WorkerUnknown.selector, stranger);
        vm.startPrank(stranger);
        vm.expectRevert(expected);
        workers.update("https://w", KEY);
        vm.expectRevert(expected);
        workers.addStake{value: 1}();
        vm.expectRevert(expected);
        workers.addStakeFromBalance(1);
        vm.expectRevert(expected);
        workers.removeStake(1);
        vm.expectRevert(expected);
        workers.freeStakeOf(stranger);
        vm.stopPrank();
        vm.startPrank(address(market));
        vm.expectRevert(expected);
        workers.lock(stranger, 0);
        vm.expectRevert(expected);
        workers.recordMissed(stranger);
    }

    function test_locks_slashes_and_counters_are_the_markets_alone() public {
        bytes memory expected = abi.encodeWithSelector(IWorkerRegistry.NotMarket.selector, alice);
        vm.startPrank(alice);
        vm.expectRevert(expected);
        workers.lock(alice, 1);
        vm.expectRevert(expected);
        workers.unlock(alice, 0);
        vm.expectRevert(expected);
        workers.slash(alice, 0, alice);
        vm.expectRevert(expected);
        workers.recordMissed(bob);
    }

    function test_the_market_cannot_lock_unlock_or_slash_more_than_there_is() public {
        vm.startPrank(address(market));
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.InsufficientStake.selector, alice, STAKE, STAKE + 1));
        workers.lock(alice, STAKE + 1);
        workers.lock(alice, 5);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.InsufficientLock.selector, alice, 5, 6));
        workers.unlock(alice, 6);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.InsufficientLock.selector, alice, 5, 6));
        workers.slash(alice, 6, bob);
        // An amount that is 5 in its low 128 bits.
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.InsufficientLock.selector, alice, 5, (1 << 128) + 5));
        workers.slash(alice, (1 << 128) + 5, bob);
        workers.slash(alice, 5, bob);
        vm.stopPrank();
        vm.assertEq(vault.balanceOf(bob), 5);
        vm.assertEq(workers.workerOf(alice).stake, STAKE - 5);
        assertSolvent(0);
    }

    function test_constructor_reverts_for_a_vault_that_does_not_know_it() public {
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.NotMarket.selector, address(market)));
        new WorkerRegistry(vault, address(market));
    }
}
