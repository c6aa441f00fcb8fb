// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title All money of the market, in one place
/// @notice An account's free balance is its own to withdraw. Two operators, the market (escrow) and the worker
/// registry (stakes), may move free balance into their own held pool and from it back to anyone's free balance;
/// neither can touch the other's pool nor send anything out. No owner, no pause.
/// @dev Invariant: address(this).balance >= sum of free balances + both held pools.
interface IVault {
    event Deposited(address indexed account, address indexed from, uint256 amount);
    event Withdrawn(address indexed account, address indexed to, uint256 amount);
    event Held(address indexed operator, address indexed account, uint256 amount);
    event Released(address indexed operator, address indexed account, uint256 amount);

    error NotOperator(address caller);
    error InsufficientBalance(address account, uint256 balance, uint256 needed);
    error InsufficientHeld(address operator, uint256 held, uint256 needed);
    /// @notice The recipient of a withdrawal refused the payment.
    error PaymentRefused(address to, uint256 amount);
    error ZeroAddress();

    /// @notice Credits msg.value to `account`'s free balance.
    function deposit(address account) external payable;

    /// @notice Pays `amount` wei of the caller's free balance to `to`.
    function withdraw(uint256 amount, address to) external;

    /// @notice Operators only: moves `amount` of `account`'s free balance into the caller's pool.
    function hold(address account, uint256 amount) external;

    /// @notice Operators only: credits msg.value to `account`, then does as `hold`.
    function depositAndHold(address account, uint256 amount) external payable;

    /// @notice Operators only: moves `amount` of the caller's pool to `to`'s free balance.
    function release(address to, uint256 amount) external;

    /// @notice Free balance in wei.
    function balanceOf(address account) external view returns (uint256);

    /// @notice An operator's pool in wei.
    function heldBy(address operator) external view returns (uint256);

    /// @notice Whether `account` is one of the two operators; fixed at construction.
    function isOperator(address account) external view returns (bool);
}
