// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vault} from "../../src/Vault.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {Test} from "../utils/Test.sol";

/// @title What no call to the vault can do, for all arguments and balances
/// @notice Checked by halmos (`make halmos`), which runs `check_` functions on symbols instead of numbers; forge compiles
/// them and runs none. Balances are set up through the vault's own doors, so they are those that can come about.
contract VaultSymbolic is Test {
    Vault private vault;
    address private constant MARKET = address(0xa1);
    address private constant REGISTRY = address(0xa2);
    address private constant ALICE = address(0xb1);
    address private constant BOB = address(0xb2);

    function setUp() public {
        vault = new Vault([REGISTRY, MARKET]);
    }

    /// @dev Any balances of Alice and Bob, and any pools, that the vault can have.
    function fill(uint96 alice, uint96 bob, uint96 market, uint96 registry) private {
        vm.deal(MARKET, market);
        vm.deal(REGISTRY, registry);
        vm.deal(address(this), uint256(alice) + bob);
        vault.deposit{value: alice}(ALICE);
        vault.deposit{value: bob}(BOB);
        vm.prank(MARKET);
        vault.depositAndHold{value: market}(MARKET, market);
        vm.prank(REGISTRY);
        vault.depositAndHold{value: registry}(REGISTRY, registry);
    }

    /// @dev Whatever a stranger calls with whatever arguments, nobody else's balance and no pool gets smaller.
    function check_a_stranger_takes_nothing_of_anybody(
        uint96 alice,
        uint96 bob,
        uint96 market,
        uint96 registry,
        address caller,
        uint8 which,
        address account,
        uint256 amount
    ) public {
        fill(alice, bob, market, registry);
        vm.assume(caller != MARKET && caller != REGISTRY && caller != ALICE && caller != address(vault));
        vm.assume(account != address(vault));
        vm.prank(caller);
        (bool ok,) = address(vault).call(data(which, account, amount));
        vm.assertTrue(vault.balanceOf(ALICE) >= alice);
        vm.assertTrue(vault.heldBy(MARKET) == market);
        vm.assertTrue(vault.heldBy(REGISTRY) == registry);
        if (!ok) vm.assertTrue(vault.balanceOf(ALICE) == alice);
    }

    /// @dev An operator moves its own pool and free balances, never the other's pool, and sends nothing out but its own.
    function check_an_operator_leaves_the_others_pool_alone(
        uint96 alice,
        uint96 bob,
        uint96 market,
        uint96 registry,
        uint8 which,
        address account,
        uint256 amount
    ) public {
        fill(alice, bob, market, registry);
        vm.assume(account != address(vault));
        uint256 before = address(vault).balance;
        vm.prank(MARKET);
        (bool ok,) = address(vault).call(data(which, account, amount));
        ok;
        vm.assertTrue(vault.heldBy(REGISTRY) == registry);
        vm.assertTrue(address(vault).balance == before); // the market has no free balance to withdraw
    }

    /// @dev Holding and releasing move money, and make none.
    function check_hold_and_release_keep_the_sum(
        uint96 alice,
        uint96 bob,
        uint96 market,
        uint96 registry,
        bool holds,
        uint256 amount
    ) public {
        fill(alice, bob, market, registry);
        vm.prank(MARKET);
        if (holds) vault.hold(ALICE, amount);
        else vault.release(ALICE, amount);
        uint256 sum = vault.balanceOf(ALICE) + vault.balanceOf(BOB) + vault.heldBy(MARKET) + vault.heldBy(REGISTRY);
        vm.assertTrue(sum == uint256(alice) + bob + market + registry);
        vm.assertTrue(sum == address(vault).balance);
        vm.assertTrue(vault.balanceOf(BOB) == bob);
    }

    /// @dev A withdrawal pays what it takes off the balance, to the wei, and nothing where the balance is too small.
    function check_withdraw_pays_what_it_debits(uint96 alice, uint96 bob, uint256 amount) public {
        fill(alice, bob, 0, 0);
        vm.prank(ALICE);
        (bool ok,) = address(vault).call(abi.encodeCall(IVault.withdraw, (amount, BOB)));
        vm.assertTrue(ok == (amount <= alice));
        vm.assertTrue(vault.balanceOf(ALICE) == (ok ? alice - amount : alice));
        vm.assertTrue(BOB.balance == (ok ? amount : 0));
        vm.assertTrue(vault.balanceOf(BOB) == bob);
    }

    function data(uint8 which, address account, uint256 amount) private pure returns (bytes memory) {
        if (which == 0) return abi.encodeCall(IVault.deposit, (account));
        if (which == 1) return abi.encodeCall(IVault.withdraw, (amount, account));
        if (which == 2) return abi.encodeCall(IVault.hold, (account, amount));
        if (which == 3) return abi.encodeCall(IVault.depositAndHold, (account, amount));
        return abi.encodeCall(IVault.release, (account, amount));
    }
}
