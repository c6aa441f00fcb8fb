// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Worker} from "../types/Worker.sol";
import {IVault} from "./IVault.sol";

/// @title Workers: where to reach them, what they stake, what became of their jobs
interface IWorkerRegistry {
    event WorkerRegistered(address indexed worker, string endpoint, bytes32 encryptionKey);
    event WorkerUpdated(address indexed worker, string endpoint, bytes32 encryptionKey);
    /// @notice Stake was added or removed; `stake` is what it is now, locked part included.
    event StakeChanged(address indexed worker, uint256 stake);
    event StakeLocked(address indexed worker, uint256 amount);
    event StakeUnlocked(address indexed worker, uint256 amount);
    event StakeSlashed(address indexed worker, uint256 amount, address indexed beneficiary);
    event AwardMissed(address indexed worker);

    error NotMarket(address caller);
    error WorkerUnknown(address worker);
    error WorkerAlreadyRegistered(address worker);
    error InsufficientStake(address worker, uint256 free, uint256 needed);
    error InsufficientLock(address worker, uint256 locked, uint256 needed);
    error EmptyEndpoint();
    error EndpointTooLong(uint256 length, uint256 maximum);
    error ZeroEncryptionKey();
    error ZeroAmount();

    /// @notice Registers the caller. Stake comes separately.
    /// @param endpoint URL where requesters deliver inputs, 1 to 256 bytes
    /// @param encryptionKey X25519 public key, not zero
    function register(string calldata endpoint, bytes32 encryptionKey) external;

    /// @notice Replaces the caller's endpoint and key. Inputs of jobs already awarded may still use the old key.
    function update(string calldata endpoint, bytes32 encryptionKey) external;

    /// @notice Adds msg.value to the caller's stake.
    function addStake() external payable;

    /// @notice Adds `amount` of the caller's free vault balance to its stake.
    function addStakeFromBalance(uint256 amount) external;

    /// @notice Moves `amount` of the caller's stake that is not locked to its free vault balance.
    function removeStake(uint256 amount) external;

    /// @notice Market only: locks collateral for an accepted job.
    function lock(address worker, uint256 amount) external;

    /// @notice Market only: frees the collateral of a settled job and counts it as completed.
    function unlock(address worker, uint256 amount) external;

    /// @notice Market only: takes the collateral of a failed job for `beneficiary` and counts it as failed.
    function slash(address worker, uint256 amount, address beneficiary) external;

    /// @notice Market only: counts an award that was not accepted.
    function recordMissed(address worker) external;

    /// @notice A worker as stored; all zero if it never registered.
    function workerOf(address worker) external view returns (Worker memory);

    /// @notice Stake that is not locked, in wei; reverts if the worker never registered.
    function freeStakeOf(address worker) external view returns (uint256);

    /// @notice Where stakes are held.
    function vault() external view returns (IVault);

    /// @notice The one market allowed to lock and slash.
    function market() external view returns (address);
}
