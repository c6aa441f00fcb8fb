// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IVault} from "./interfaces/IVault.sol";

/// @title All money of the market, in native currency
/// @dev The one contract that receives or pays. A version for a token replaces this one alone. Credits are checked
/// arithmetic on balances that cannot exceed the native supply, so nothing overflows short of a fault elsewhere.
contract Vault is IVault, ReentrancyGuardTransient {
    /// @notice The operators, worker registry and market, fixed for good.
    address public immutable operatorA;
    address public immutable operatorB;

    /// @inheritdoc IVault
    mapping(address account => uint256) public balanceOf;
    /// @inheritdoc IVault
    mapping(address operator => uint256) public heldBy;

    modifier onlyOperator() {
        if (!isOperator(msg.sender)) revert NotOperator(msg.sender);
        _;
    }

    /// @param operators the two contracts that may hold; their addresses may be predictions of ones yet to be created
    constructor(address[2] memory operators) {
        if (operators[0] == address(0) || operators[1] == address(0)) revert ZeroAddress();
        (operatorA, operatorB) = (operators[0], operators[1]);
    }

    /// @inheritdoc IVault
    function deposit(address account) external payable {
        _credit(account);
    }

    /// @inheritdoc IVault
    function withdraw(uint256 amount, address to) external nonReentrant {
        if (to == address(0)) revert ZeroAddress();
        _debit(msg.sender, amount);
        emit Withdrawn(msg.sender, to, amount);
        // Return data is not copied: a recipient can refuse the payment, not make it dear.
        if (!LowLevelCall.callNoReturn(to, amount, "")) revert PaymentRefused(to, amount);
    }

    /// @inheritdoc IVault
    function hold(address account, uint256 amount) external onlyOperator {
        _hold(account, amount);
    }

    /// @inheritdoc IVault
    function depositAndHold(address account, uint256 amount) external payable onlyOperator {
        _credit(account);
        _hold(account, amount);
    }

    /// @inheritdoc IVault
    function release(address to, uint256 amount) external onlyOperator {
        uint256 held = heldBy[msg.sender];
        if (held < amount) revert InsufficientHeld(msg.sender, held, amount);
        heldBy[msg.sender] = held - amount;
        balanceOf[to] += amount;
        emit Released(msg.sender, to, amount);
    }

    /// @inheritdoc IVault
    function isOperator(address account) public view returns (bool) {
        return account == operatorA || account == operatorB;
    }

    function _credit(address account) private {
        if (account == address(0)) revert ZeroAddress();
        balanceOf[account] += msg.value;
        emit Deposited(account, msg.sender, msg.value);
    }

    function _hold(address account, uint256 amount) private {
        _debit(account, amount);
        heldBy[msg.sender] += amount;
        emit Held(msg.sender, account, amount);
    }

    function _debit(address account, uint256 amount) private {
        uint256 balance = balanceOf[account];
        if (balance < amount) revert InsufficientBalance(account, balance, amount);
        balanceOf[account] = balance - amount;
    }
}
