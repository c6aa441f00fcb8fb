// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vault} from "../src/Vault.sol";
import {IVault} from "../src/interfaces/IVault.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Test} from "./utils/Test.sol";

/// @dev Refuses payment, answers it with a flood of data, or takes it and asks again.
contract Recipient {
    enum Mode {
        Accept,
        Refuse,
        Bomb,
        Reenter
    }

    Vault private immutable vault;
    Mode private mode;
    bytes public innerError;

    constructor(Vault vault_) {
        vault = vault_;
    }

    function set(Mode mode_) external {
        mode = mode_;
    }

    function withdraw(uint256 amount) external {
        vault.withdraw(amount, address(this));
    }

    receive() external payable {
        if (mode == Mode.Refuse) revert("no");
        if (mode == Mode.Reenter) {
            try vault.withdraw(1, address(this)) {
                revert("re-entered");
            } catch (bytes memory reason) {
                innerError = reason;
            }
        }
        if (mode == Mode.Bomb) {
            assembly ("memory-safe") {
                return(0, 0x20000)
            }
        }
    }
}

contract VaultTest is Test {
    Vault private vault;
    address private market = address(0x1111);
    address private registry = address(0x2222);
    address private alice;
    address private bob;

    function setUp() public {
        vault = new Vault([registry, market]);
        alice = fundedAccount("alice");
        bob = fundedAccount("bob");
        vm.deal(market, 10 ether);
    }

    function test_deposit_credits_whom_it_names() public {
        vm.expectEmit(address(vault));
        emit IVault.Deposited(bob, alice, 3);
        vm.prank(alice);
        vault.deposit{value: 3}(bob);
        vm.assertEq(vault.balanceOf(bob), 3);
        vm.assertEq(vault.balanceOf(alice), 0);
        vm.expectRevert(IVault.ZeroAddress.selector);
        vault.deposit(address(0));
    }

    function test_withdraw_pays_from_the_callers_own_balance() public {
        vault.deposit{value: 5}(alice);
        address other = address(0xabcd);
        vm.expectEmit(address(vault));
        emit IVault.Withdrawn(alice, other, 4);
        vm.prank(alice);
        vault.withdraw(4, other);
        vm.assertEq(other.balance, 4);
        vm.assertEq(vault.balanceOf(alice), 1);
    }

    function test_withdraw_reverts_beyond_the_balance_and_to_nobody() public {
        vault.deposit{value: 5}(alice);
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(IVault.InsufficientBalance.selector, alice, 5, 6));
        vault.withdraw(6, alice);
        vm.expectRevert(IVault.ZeroAddress.selector);
        vault.withdraw(5, address(0));
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(IVault.InsufficientBalance.selector, bob, 0, 1));
        vm.prank(bob);
        vault.withdraw(1, bob);
    }

    /// @dev Held money is out of everyone's reach but the operator's.
    function test_withdraw_cannot_touch_what_is_held() public {
        vault.deposit{value: 5}(alice);
        vm.prank(market);
        vault.hold(alice, 4);
        vm.expectRevert(abi.encodeWithSelector(IVault.InsufficientBalance.selector, alice, 1, 5));
        vm.prank(alice);
        vault.withdraw(5, alice);
        vm.expectRevert(abi.encodeWithSelector(IVault.InsufficientBalance.selector, market, 0, 4));
        vm.prank(market);
        vault.withdraw(4, market);
    }

    function test_withdraw_refused_by_its_recipient_reverts_and_keeps_the_credit() public {
        Recipient recipient = new Recipient(vault);
        vault.deposit{value: 5}(address(recipient));
        recipient.set(Recipient.Mode.Refuse);
        vm.expectRevert(abi.encodeWithSelector(IVault.PaymentRefused.selector, address(recipient), 5));
        recipient.withdraw(5);
        vm.assertEq(vault.balanceOf(address(recipient)), 5);
    }

    function test_withdraw_copies_no_return_bomb() public {
        Recipient recipient = new Recipient(vault);
        vault.deposit{value: 5}(address(recipient));
        recipient.set(Recipient.Mode.Bomb);
        recipient.withdraw(5);
        vm.assertEq(address(recipient).balance, 5);
    }

    function test_withdraw_cannot_be_reentered() public {
        Recipient recipient = new Recipient(vault);
        vault.deposit{value: 5}(address(recipient));
        vault.deposit{value: 5}(alice);
        recipient.set(Recipient.Mode.Reenter);
        recipient.withdraw(3);
        vm.assertEq(vault.balanceOf(address(recipient)), 2);
        vm.assertEq(address(recipient).balance, 3);
        vm.assertEq(
            recipient.innerError(), abi.encodePacked(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
        );
    }

    function test_operators_functions_are_operators_alone() public {
        bytes memory expected = abi.encodeWithSelector(IVault.NotOperator.selector, alice);
        vm.startPrank(alice);
        vm.expectRevert(expected);
        vault.hold(alice, 0);
        vm.expectRevert(expected);
        vault.depositAndHold{value: 1}(alice, 1);
        vm.expectRevert(expected);
        vault.release(alice, 0);
        vm.stopPrank();
        vm.assertTrue(vault.isOperator(market) && vault.isOperator(registry) && !vault.isOperator(alice));
    }

    function test_operators_cannot_spend_each_others_pools() public {
        vault.deposit{value: 5}(alice);
        vm.prank(market);
        vault.hold(alice, 5);
        vm.expectRevert(abi.encodeWithSelector(IVault.InsufficientHeld.selector, registry, 0, 1));
        vm.prank(registry);
        vault.release(bob, 1);
        vm.prank(market);
        vault.release(bob, 5);
        vm.assertEq(vault.balanceOf(bob), 5);
        vm.assertEq(vault.heldBy(market), 0);
    }

    function test_depositAndHold_uses_value_and_balance_together() public {
        vault.deposit{value: 5}(alice);
        vm.startPrank(market);
        vault.depositAndHold{value: 2}(alice, 6);
        vm.assertEq(vault.balanceOf(alice), 1);
        vm.assertEq(vault.heldBy(market), 6);
        vm.expectRevert(abi.encodeWithSelector(IVault.InsufficientBalance.selector, alice, 3, 4));
        vault.depositAndHold{value: 2}(alice, 4);
    }

    function test_the_vault_takes_no_unnamed_payment() public {
        (bool ok,) = address(vault).call{value: 1}("");
        vm.assertTrue(!ok);
    }

    function test_constructor_reverts_for_a_missing_operator() public {
        vm.expectRevert(IVault.ZeroAddress.selector);
        new Vault([address(0), market]);
        vm.expectRevert(IVault.ZeroAddress.selector);
        new Vault([registry, address(0)]);
    }

    function testFuzz_free_and_held_always_add_up(uint96 deposited, uint96 held, uint96 released) public {
        vm.deal(address(this), deposited);
        vault.deposit{value: deposited}(alice);
        held = uint96(bound(held, 0, deposited));
        released = uint96(bound(released, 0, held));
        vm.startPrank(market);
        vault.hold(alice, held);
        vault.release(bob, released);
        vm.stopPrank();
        vm.assertEq(vault.balanceOf(alice) + vault.balanceOf(bob) + vault.heldBy(market), deposited);
        vm.assertEq(address(vault).balance, deposited);
    }
}
