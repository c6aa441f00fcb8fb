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
        bytes memory signature = signature_(stranger, "https://w", KEY, 1);
        vm.expectEmit(address(workers));
        emit IWorkerRegistry.WorkerRegistered(stranger, "https://w", KEY, 1, signature);
        vm.prank(stranger);
        workers.register("https://w", KEY, signature);
        Worker memory w = workers.workerOf(stranger);
        vm.assertTrue(w.registered);
        vm.assertEq(w.endpoint, "https://w");
        vm.assertEq(w.encryptionKey, KEY);
        vm.assertEq(w.revision, 1);
        vm.assertEq(w.signature, signature);
        vm.assertEq(w.stake + w.reserved + w.leaving + w.leavesAt + w.completed + w.missed + w.failed, 0);
    }

    function test_register_twice_reverts() public {
        bytes memory signature = signature_(alice, "https://w", KEY, 2);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.WorkerAlreadyRegistered.selector, alice));
        vm.prank(alice);
        workers.register("https://w", KEY, signature);
    }

    function test_register_and_update_refuse_bad_descriptions() public {
        bytes memory long = new bytes(257);
        vm.expectRevert(IWorkerRegistry.EmptyEndpoint.selector);
        workers.register("", KEY, "");
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.EndpointTooLong.selector, 257, 256));
        workers.register(string(long), KEY, "");
        vm.expectRevert(IWorkerRegistry.ZeroEncryptionKey.selector);
        workers.register("https://w", 0, "");
        vm.startPrank(alice);
        vm.expectRevert(IWorkerRegistry.EmptyEndpoint.selector);
        workers.update("", KEY, "");
        vm.expectRevert(IWorkerRegistry.ZeroEncryptionKey.selector);
        workers.update("https://w", 0, "");
    }

    /// @dev The hash is EIP-712's, written out here once more: what wallets and the Python client sign.
    function test_registrationHash_is_the_typed_data_hash() public view {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Assay WorkerRegistry"),
                keccak256("1"),
                block.chainid,
                address(workers)
            )
        );
        bytes32 typehash =
            keccak256("Registration(address worker,string endpoint,bytes32 encryptionKey,uint32 revision)");
        bytes32 content = keccak256(abi.encode(typehash, alice, keccak256("https://w"), KEY, uint32(7)));
        bytes32 expected = keccak256(abi.encodePacked(hex"1901", domain, content));
        vm.assertEq(workers.registrationHash(alice, "https://w", KEY, 7), expected);
    }

    /// @dev From a good signature, one thing changed each: nobody's node can pass off another description for signed.
    function test_register_refuses_every_signature_but_the_callers_over_this_description() public {
        bytes memory good = signature_(stranger, "https://w", KEY, 1);
        expectWrongSigner("https://x", KEY, good);
        expectWrongSigner("https://w", bytes32(uint256(KEY) ^ 1), good);
        expectWrongSigner("https://w", KEY, signature_(stranger, "https://w", KEY, 0));
        expectWrongSigner("https://w", KEY, signature_(stranger, "https://w", KEY, 2));
        expectWrongSigner("https://w", KEY, signature_(alice, "https://w", KEY, 1));
        bytes32 ofAlice = workers.registrationHash(alice, "https://w", KEY, 1);
        expectWrongSigner("https://w", KEY, signed(stranger, ofAlice));
        expectWrongSigner("https://w", KEY, slice(good, 0, 64));
        expectWrongSigner("https://w", KEY, bytes.concat(good, hex"00"));
        expectWrongSigner("https://w", KEY, "");
        expectWrongSigner("https://w", KEY, malleated(good));
        vm.chainId(5);
        expectWrongSigner("https://w", KEY, good);
        vm.chainId(31337);
        deploy(); // another registry
        expectWrongSigner("https://w", KEY, good);
    }

    function test_update_replaces_the_callers_description_alone() public {
        bytes memory signature = signature_(alice, "https://new", KEY, 2);
        vm.expectEmit(address(workers));
        emit IWorkerRegistry.WorkerUpdated(alice, "https://new", KEY, 2, signature);
        vm.prank(alice);
        workers.update("https://new", KEY, signature);
        vm.assertEq(workers.workerOf(alice).endpoint, "https://new");
        vm.assertEq(workers.workerOf(alice).revision, 2);
        vm.assertEq(workers.workerOf(alice).signature, signature);
        vm.assertEq(workers.workerOf(alice).stake, STAKE);
        vm.assertEq(workers.workerOf(bob).endpoint, "https://worker.example");
    }

    /// @dev An update back to an earlier description needs a new signature: the old one is of an old revision.
    function test_update_refuses_a_signature_used_before() public {
        bytes memory first = signature_(alice, "https://new", KEY, 2);
        vm.startPrank(alice);
        workers.update("https://new", KEY, first);
        vm.expectRevert();
        workers.update("https://new", KEY, first);
        vm.stopPrank();
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

    function test_stake_leaves_with_a_days_notice() public {
        uint64 leavesAt = uint64(block.timestamp) + 1 days;
        vm.startPrank(alice);
        vm.expectEmit(address(workers));
        emit IWorkerRegistry.StakeChanged(alice, 3);
        vm.expectEmit(address(workers));
        emit IWorkerRegistry.StakeLeaving(alice, STAKE - 3, leavesAt);
        workers.requestUnstake(STAKE - 3);
        vm.assertEq(workers.workerOf(alice).stake, 3);
        vm.assertEq(workers.freeStakeOf(alice), 3);
        vm.assertEq(workers.workerOf(alice).leaving, STAKE - 3);
        assertSolvent(0);

        vm.warp(leavesAt - 1);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.StakeStillLeaving.selector, alice, leavesAt));
        workers.withdrawStake();
        vm.warp(leavesAt);
        vm.expectEmit(address(workers));
        emit IWorkerRegistry.StakeWithdrawn(alice, STAKE - 3);
        workers.withdrawStake();
        vm.assertEq(vault.balanceOf(alice), STAKE - 3);
        vm.assertEq(workers.workerOf(alice).leaving, 0);
        vm.assertEq(workers.workerOf(alice).leavesAt, 0);
        assertSolvent(0);

        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.NothingLeaving.selector, alice));
        workers.withdrawStake();
        vm.stopPrank();
    }

    function test_a_second_notice_delays_the_first() public {
        vm.startPrank(alice);
        workers.requestUnstake(1);
        vm.warp(block.timestamp + 1 days - 1);
        workers.requestUnstake(2);
        vm.warp(block.timestamp + 1 days - 1);
        vm.expectRevert();
        workers.withdrawStake();
        vm.warp(block.timestamp + 1);
        workers.withdrawStake();
        vm.stopPrank();
        vm.assertEq(vault.balanceOf(alice), 3);
    }

    function test_requestUnstake_leaves_what_is_reserved() public {
        bid(open(), alice, PRICE);
        uint256 free = STAKE - COLLATERAL;
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.InsufficientStake.selector, alice, free, free + 1));
        workers.requestUnstake(free + 1);
        workers.requestUnstake(free);
        vm.stopPrank();
        vm.assertEq(workers.freeStakeOf(alice), 0);
        vm.assertEq(workers.workerOf(alice).stake, COLLATERAL);
    }

    /// @dev What is leaving can back nothing, and cannot be asked out twice.
    function test_what_is_leaving_is_not_free() public {
        vm.startPrank(alice);
        workers.requestUnstake(STAKE);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.InsufficientStake.selector, alice, 0, 1));
        workers.requestUnstake(1);
        vm.stopPrank();
        bytes32 jobId = open();
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.InsufficientStake.selector, alice, 0, COLLATERAL));
        bid(jobId, alice, PRICE);
    }

    function test_stake_of_nothing_reverts() public {
        vm.startPrank(alice);
        vm.expectRevert(IWorkerRegistry.ZeroAmount.selector);
        workers.addStake();
        vm.expectRevert(IWorkerRegistry.ZeroAmount.selector);
        workers.addStakeFromBalance(0);
        vm.expectRevert(IWorkerRegistry.ZeroAmount.selector);
        workers.requestUnstake(0);
    }

    function test_everything_but_register_is_for_workers() public {
        bytes memory expected = abi.encodeWithSelector(IWorkerRegistry.WorkerUnknown.selector, stranger);
        vm.startPrank(stranger);
        vm.expectRevert(expected);
        workers.update("https://w", KEY, "");
        vm.expectRevert(expected);
        workers.addStake{value: 1}();
        vm.expectRevert(expected);
        workers.addStakeFromBalance(1);
        vm.expectRevert(expected);
        workers.requestUnstake(1);
        vm.expectRevert(expected);
        workers.withdrawStake();
        vm.expectRevert(expected);
        workers.freeStakeOf(stranger);
        vm.stopPrank();
        vm.startPrank(address(market));
        vm.expectRevert(expected);
        workers.reserve(stranger, 0);
        vm.expectRevert(expected);
        workers.releaseMissed(stranger, 0);
        vm.stopPrank();
    }

    function test_reservations_slashes_and_counters_are_the_markets_alone() public {
        bytes memory expected = abi.encodeWithSelector(IWorkerRegistry.NotMarket.selector, alice);
        vm.startPrank(alice);
        vm.expectRevert(expected);
        workers.reserve(alice, 1);
        vm.expectRevert(expected);
        workers.release(alice, 0);
        vm.expectRevert(expected);
        workers.releaseCompleted(alice, 0);
        vm.expectRevert(expected);
        workers.releaseMissed(bob, 0);
        vm.expectRevert(expected);
        workers.slash(alice, 0, 0, alice);
        vm.stopPrank();
    }

    function test_the_market_cannot_reserve_release_or_slash_more_than_there_is() public {
        vm.startPrank(address(market));
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.InsufficientStake.selector, alice, STAKE, STAKE + 1));
        workers.reserve(alice, STAKE + 1);
        workers.reserve(alice, 5);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.InsufficientReserve.selector, alice, 5, 6));
        workers.release(alice, 6);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.InsufficientReserve.selector, alice, 5, 6));
        workers.slash(alice, 6, 6, bob);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.InsufficientReserve.selector, alice, 4, 5));
        workers.slash(alice, 4, 5, bob); // more than the job reserved, though not more than is reserved
        // Amounts that are 5 in their low 120 bits.
        uint256 wide = (1 << 120) + 5;
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.InsufficientReserve.selector, alice, 5, wide));
        workers.slash(alice, wide, 5, bob);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.InsufficientReserve.selector, alice, 5, wide));
        workers.slash(alice, 5, wide, bob);
        workers.slash(alice, 5, 5, bob);
        vm.stopPrank();
        vm.assertEq(vault.balanceOf(bob), 5);
        vm.assertEq(workers.workerOf(alice).stake, STAKE - 5);
        assertSolvent(0);
    }

    function test_constructor_reverts_for_a_vault_that_does_not_know_it() public {
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.NotMarket.selector, address(market)));
        new WorkerRegistry(vault, address(market));
    }

    function signature_(address account, string memory endpoint, bytes32 key, uint32 revision)
        private
        view
        returns (bytes memory)
    {
        return signed(account, workers.registrationHash(account, endpoint, key, revision));
    }

    function expectWrongSigner(string memory endpoint, bytes32 key, bytes memory signature) private {
        vm.expectPartialRevert(IWorkerRegistry.WrongSigner.selector);
        vm.prank(stranger);
        workers.register(endpoint, key, signature);
    }

    /// @dev The same signature with -s for s, which ecrecover takes as well.
    function malleated(bytes memory signature) private pure returns (bytes memory) {
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bytes memory other = withWord(signature, 0x20, order - load(signature, 0x20));
        other[64] = bytes1(uint8(55) - uint8(other[64])); // 27 <-> 28
        return other;
    }
}
