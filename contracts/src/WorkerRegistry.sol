// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IVault} from "./interfaces/IVault.sol";
import {IWorkerRegistry} from "./interfaces/IWorkerRegistry.sol";
import {Worker} from "./types/Worker.sol";

/// @title Workers, their stake and their record
/// @dev Calls nothing but the vault, which calls nobody back on these paths. A stake is locked only by the market, and
/// the market locks only for a worker that accepts a job itself: nobody can lock another's stake.
contract WorkerRegistry is IWorkerRegistry {
    /// @notice Longest endpoint in bytes.
    uint256 public constant MAX_ENDPOINT_LENGTH = 256;

    /// @inheritdoc IWorkerRegistry
    IVault public immutable vault;
    /// @inheritdoc IWorkerRegistry
    address public immutable market;

    mapping(address worker => Worker) private _workers;

    modifier onlyMarket() {
        if (msg.sender != market) revert NotMarket(msg.sender);
        _;
    }

    constructor(IVault vault_, address market_) {
        // The vault was told the addresses of both operators before they existed.
        if (!vault_.isOperator(address(this)) || !vault_.isOperator(market_) || market_ == address(this)) {
            revert NotMarket(market_);
        }
        vault = vault_;
        market = market_;
    }

    /// @inheritdoc IWorkerRegistry
    function register(string calldata endpoint, bytes32 encryptionKey) external {
        Worker storage worker = _workers[msg.sender];
        if (worker.registered) revert WorkerAlreadyRegistered(msg.sender);
        worker.registered = true;
        _describe(worker, endpoint, encryptionKey);
        emit WorkerRegistered(msg.sender, endpoint, encryptionKey);
    }

    /// @inheritdoc IWorkerRegistry
    function update(string calldata endpoint, bytes32 encryptionKey) external {
        _describe(_known(msg.sender), endpoint, encryptionKey);
        emit WorkerUpdated(msg.sender, endpoint, encryptionKey);
    }

    /// @inheritdoc IWorkerRegistry
    function addStake() external payable {
        _addStake(msg.value);
        vault.depositAndHold{value: msg.value}(msg.sender, msg.value);
    }

    /// @inheritdoc IWorkerRegistry
    function addStakeFromBalance(uint256 amount) external {
        _addStake(amount);
        vault.hold(msg.sender, amount);
    }

    /// @inheritdoc IWorkerRegistry
    function removeStake(uint256 amount) external {
        if (amount == 0) revert ZeroAmount();
        Worker storage worker = _known(msg.sender);
        _requireFree(worker, msg.sender, amount);
        worker.stake -= SafeCast.toUint128(amount);
        emit StakeChanged(msg.sender, worker.stake);
        vault.release(msg.sender, amount);
    }

    /// @inheritdoc IWorkerRegistry
    function lock(address account, uint256 amount) external onlyMarket {
        Worker storage worker = _known(account);
        _requireFree(worker, account, amount);
        worker.locked += SafeCast.toUint128(amount);
        emit StakeLocked(account, amount);
    }

    /// @inheritdoc IWorkerRegistry
    function unlock(address account, uint256 amount) external onlyMarket {
        Worker storage worker = _known(account);
        _requireLocked(worker, account, amount);
        worker.locked -= SafeCast.toUint128(amount);
        ++worker.completed;
        emit StakeUnlocked(account, amount);
    }

    /// @inheritdoc IWorkerRegistry
    function slash(address account, uint256 amount, address beneficiary) external onlyMarket {
        Worker storage worker = _known(account);
        _requireLocked(worker, account, amount);
        worker.locked -= SafeCast.toUint128(amount);
        worker.stake -= SafeCast.toUint128(amount);
        ++worker.failed;
        emit StakeSlashed(account, amount, beneficiary);
        vault.release(beneficiary, amount);
    }

    /// @inheritdoc IWorkerRegistry
    function recordMissed(address account) external onlyMarket {
        ++_known(account).missed;
        emit AwardMissed(account);
    }

    /// @inheritdoc IWorkerRegistry
    function workerOf(address account) external view returns (Worker memory) {
        return _workers[account];
    }

    /// @inheritdoc IWorkerRegistry
    function freeStakeOf(address account) external view returns (uint256) {
        Worker storage worker = _known(account);
        return worker.stake - worker.locked;
    }

    function _addStake(uint256 amount) private {
        if (amount == 0) revert ZeroAmount();
        Worker storage worker = _known(msg.sender);
        // A sum above 2^128 reverts; no native supply reaches it.
        worker.stake = SafeCast.toUint128(worker.stake + amount);
        emit StakeChanged(msg.sender, worker.stake);
    }

    function _describe(Worker storage worker, string calldata endpoint, bytes32 encryptionKey) private {
        uint256 length = bytes(endpoint).length;
        if (length == 0) revert EmptyEndpoint();
        if (length > MAX_ENDPOINT_LENGTH) revert EndpointTooLong(length, MAX_ENDPOINT_LENGTH);
        if (encryptionKey == 0) revert ZeroEncryptionKey();
        worker.endpoint = endpoint;
        worker.encryptionKey = encryptionKey;
    }

    function _requireFree(Worker storage worker, address account, uint256 amount) private view {
        uint256 free = worker.stake - worker.locked;
        if (amount > free) revert InsufficientStake(account, free, amount);
    }

    function _requireLocked(Worker storage worker, address account, uint256 amount) private view {
        if (amount > worker.locked) revert InsufficientLock(account, worker.locked, amount);
    }

    function _known(address account) private view returns (Worker storage worker) {
        worker = _workers[account];
        if (!worker.registered) revert WorkerUnknown(account);
    }
}
