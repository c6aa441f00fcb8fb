// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Worker} from "../types/Worker.sol";
import {IVault} from "./IVault.sol";

/// @title Workers: where to reach them, what they stake, what became of their jobs
interface IWorkerRegistry {
    event WorkerRegistered(
        address indexed worker, string endpoint, bytes32 encryptionKey, uint32 revision, bytes signature
    );
    event WorkerUpdated(
        address indexed worker, string endpoint, bytes32 encryptionKey, uint32 revision, bytes signature
    );
    /// @notice Stake was added, or has begun to leave; `stake` is what it is now, reserved part included.
    event StakeChanged(address indexed worker, uint256 stake);
    /// @notice All that is on its way out, and when it may be withdrawn.
    event StakeLeaving(address indexed worker, uint256 leaving, uint64 leavesAt);
    event StakeWithdrawn(address indexed worker, uint256 amount);
    /// @notice `amount` of the stake backs one job more.
    event StakeReserved(address indexed worker, uint256 amount);
    /// @notice A job that `amount` of the stake backed has ended or passed to another worker.
    event StakeReleased(address indexed worker, uint256 amount);
    event StakeSlashed(address indexed worker, uint256 amount, address indexed beneficiary);
    event AwardMissed(address indexed worker);

    error NotMarket(address caller);
    error WorkerUnknown(address worker);
    error WorkerAlreadyRegistered(address worker);
    error InsufficientStake(address worker, uint256 free, uint256 needed);
    error InsufficientReserve(address worker, uint256 reserved, uint256 needed);
    /// @notice What is leaving may be withdrawn from `leavesAt` on.
    error StakeStillLeaving(address worker, uint64 leavesAt);
    error NothingLeaving(address worker);
    /// @notice The signature is not the caller's over this description; `signer` made it, or zero if it is malformed.
    error WrongSigner(address signer, address worker);
    error EmptyEndpoint();
    error EndpointTooLong(uint256 length, uint256 maximum);
    error ZeroEncryptionKey();
    error ZeroAmount();

    /// @notice Registers the caller. Stake comes separately.
    /// @dev Stored and returned, so that a requester need not believe its node where to send a private input, and under
    /// which key: it checks the signature itself.
    /// @param endpoint URL where requesters deliver inputs, 1 to 256 bytes
    /// @param encryptionKey X25519 public key, not zero
    /// @param signature the caller's, 65 bytes, over the EIP-712 struct
    /// `Registration(address worker,string endpoint,bytes32 encryptionKey,uint32 revision)` in this contract's domain
    /// (name "Assay WorkerRegistry", version "1"), with revision 1
    function register(string calldata endpoint, bytes32 encryptionKey, bytes calldata signature) external;

    /// @notice Replaces the caller's endpoint and key. Inputs of jobs already awarded may still use the old key.
    /// @param endpoint as in `register`
    /// @param encryptionKey as in `register`
    /// @param signature as in `register`, with the worker's next revision
    function update(string calldata endpoint, bytes32 encryptionKey, bytes calldata signature) external;

    /// @notice What a worker signs on registering (revision 1) or updating.
    function registrationHash(address worker, string calldata endpoint, bytes32 encryptionKey, uint32 revision)
        external
        view
        returns (bytes32);

    /// @notice Adds msg.value to the caller's stake.
    function addStake() external payable;

    /// @notice Adds `amount` of the caller's free vault balance to its stake.
    function addStakeFromBalance(uint256 amount) external;

    /// @notice Gives notice that `amount` of the caller's free stake leaves. It backs nothing from now on, and may be
    /// withdrawn after `UNSTAKE_DELAY`, together with what was leaving already, for which the delay starts anew.
    function requestUnstake(uint256 amount) external;

    /// @notice Moves all that is leaving to the caller's free vault balance, once its time has come.
    function withdrawStake() external;

    /// @notice Market only: `amount` of the worker's free stake backs one job more.
    function reserve(address worker, uint256 amount) external;

    /// @notice Market only: a job that `amount` backed is no longer the worker's.
    function release(address worker, uint256 amount) external;

    /// @notice Market only: as `release`, and counts a settled job.
    function releaseCompleted(address worker, uint256 amount) external;

    /// @notice Market only: as `release`, and counts an award on which the worker did nothing.
    function releaseMissed(address worker, uint256 amount) external;

    /// @notice Market only: as `release`, takes `collateral` of the stake for `beneficiary`, and counts a failed job.
    function slash(address worker, uint256 amount, uint256 collateral, address beneficiary) external;

    /// @notice A worker as stored; all zero if it never registered.
    function workerOf(address worker) external view returns (Worker memory);

    /// @notice Stake that backs no job and is not leaving, in wei; reverts if the worker never registered.
    function freeStakeOf(address worker) external view returns (uint256);

    /// @notice Where stakes are held.
    function vault() external view returns (IVault);

    /// @notice The one market allowed to reserve, release and slash.
    function market() external view returns (address);
}
