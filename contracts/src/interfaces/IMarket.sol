// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bid, Job, JobRequest, JobState} from "../types/Job.sol";
import {IGroth16Verifier} from "./IGroth16Verifier.sol";
import {IModelRegistry} from "./IModelRegistry.sol";
import {IVault} from "./IVault.sol";
import {IWorkerRegistry} from "./IWorkerRegistry.sol";

/// @title The market: jobs from request to payment
/// @notice Open -> Awarded -> (Accepted ->) Settled, with an exit from every state that anyone can take once its
/// deadline is over. An action is allowed while block.timestamp <= deadline, an exit while block.timestamp > deadline.
/// @dev No call loops over anything users can make grow, and every payment is a credit in the vault.
interface IMarket {
    /// @notice A job was posted. `nonce` is the requester's, as hashed into the id.
    event JobSubmitted(
        bytes32 indexed jobId,
        bytes32 indexed modelId,
        address indexed requester,
        uint256 nonce,
        uint64 bidDeadline,
        JobRequest request,
        uint256[] inputWords
    );
    /// @notice A bid was placed. One that does not lead stands all the same, for the requester to award to.
    event BidPlaced(bytes32 indexed jobId, address indexed worker, uint8 round, uint128 price, bool leads);
    event JobAwarded(bytes32 indexed jobId, address indexed worker, uint8 round, uint128 price, uint64 acceptDeadline);
    /// @notice The worker binds itself to prove: `collateral` of what backs the job can be lost from now on.
    event JobAccepted(bytes32 indexed jobId, address indexed worker, uint128 collateral, uint64 proveDeadline);
    /// @notice Proven and paid, after an acceptance or straight after the award. `price` includes `royalty`; what is left of the ceiling, `refund`, went back.
    event JobSettled(
        bytes32 indexed jobId,
        address indexed worker,
        bytes32 indexed modelId,
        uint128 price,
        uint128 royalty,
        uint128 refund,
        uint256[] outputWords,
        bytes proof
    );
    /// @notice The awarded worker neither accepted nor proved nor declined in time. JobReopened or JobRefunded follows.
    event JobLapsed(bytes32 indexed jobId, address indexed worker, uint8 round);
    /// @notice The awarded worker gave the award back in time. JobReopened or JobRefunded follows.
    event JobDeclined(bytes32 indexed jobId, address indexed worker, uint8 round);
    event JobReopened(bytes32 indexed jobId, uint8 round, uint64 bidDeadline);
    /// @notice The worker did not prove in time: the requester has the escrow back and the collateral besides.
    event JobExpired(
        bytes32 indexed jobId, address indexed worker, address indexed requester, uint128 refund, uint128 collateral
    );
    event JobRefunded(bytes32 indexed jobId, address indexed requester, uint128 refund);
    event JobCancelled(bytes32 indexed jobId, address indexed requester, uint128 refund);
    /// @notice The consumer's callback reverted or ran out of its gas; the job is settled all the same.
    event CallbackFailed(bytes32 indexed jobId, address indexed callback);

    error JobUnknown(bytes32 jobId);
    error WrongState(bytes32 jobId, JobState state);
    error NotRequester(bytes32 jobId, address caller);
    error NotAwardedWorker(bytes32 jobId, address caller);
    /// @notice The deadline for this action is over.
    error TooLate(bytes32 jobId, uint64 deadline);
    /// @notice This exit opens only after the deadline.
    error TooEarly(bytes32 jobId, uint64 deadline);
    error ModelIsRetired(bytes32 modelId);
    error WindowOutOfRange(uint32 window, uint32 minimum, uint32 maximum);
    error RoundsOutOfRange(uint8 rounds, uint8 maximum);
    error CallbackMismatch(address callback, uint32 callbackGas, uint32 maximum);
    error WrongInputCount(uint256 got, uint256 expected);
    error WrongOutputCount(uint256 got, uint256 expected);
    error InputTooLarge(uint256 index, uint256 value);
    /// @notice The input words are not those the job was posted with.
    error InputMismatch(bytes32 jobId);
    error PriceAboveCeiling(bytes32 jobId, uint128 price, uint128 ceiling);
    /// @notice The worker's own bid of this round, `standing`, is as low or lower.
    error BidNotLower(bytes32 jobId, uint128 price, uint128 standing);
    error InsufficientStake(address worker, uint256 free, uint256 needed);
    /// @notice The worker declined an award of this job or let it lapse, so it may not bid on it again.
    error WorkerGaveUpJob(bytes32 jobId, address worker);
    /// @notice Only the requester awards this job, to a bidder it names.
    error RequesterAwards(bytes32 jobId);
    error NoBid(bytes32 jobId, address worker);
    /// @notice Too little gas left to hand the callback what the requester asked for.
    error CallbackGasShort(uint256 available, uint256 needed);
    /// @notice The contracts handed to the constructor do not point to each other.
    error WrongWiring(address component);

    /// @notice Posts a job. msg.value is added to the caller's vault balance, from which the ceiling is then held.
    /// @param request see JobRequest
    /// @param inputWords the statement's input: the packed input, or its commitment if the model's input is private
    /// @return jobId keccak256(abi.encode(chainId, market, requester, nonce, requestHash)), see `requestHash`
    function submitJob(JobRequest calldata request, uint256[] calldata inputWords)
        external
        payable
        returns (bytes32 jobId);

    /// @notice Bids on an open job inside its window. Registered workers with enough free stake; the price must be
    /// at most the ceiling, and below the worker's own bid of the round, if any. It leads if it is the first or beats
    /// the leading bid by 1 % of it, rounded up and at least 1 wei; if not, it stands, and the requester may choose it.
    /// @dev A leading bid reserves max(minStake, collateral) of the worker's stake until it is outbid or the job ends for
    /// this worker; one that stands beside needs as much free stake and reserves none.
    function placeBid(bytes32 jobId, uint128 price) external;

    /// @notice Awards an open job to the leading bid, in the hour after the window. Anyone, unless the request says that
    /// its requester awards.
    function award(bytes32 jobId) external;

    /// @notice Awards an open job to any worker with a bid in this round, until an hour after the window. Requester only.
    /// @dev Moves the reservation to that worker; reverts if it no longer has the free stake.
    function awardTo(bytes32 jobId, address worker) external;

    /// @notice Binds the awarded worker to prove within the prove window, at the risk of the collateral. That worker only,
    /// and only needed where the accept window is too short to prove in: a proof in hand settles an award directly.
    function accept(bytes32 jobId) external;

    /// @notice Gives an award back, while it could still be accepted: the job is open again, or refunded after its last
    /// round. Awarded worker only; no mark on its record, but it may not bid on this job again.
    function decline(bytes32 jobId) external;

    /// @notice Settles an accepted job, or an awarded one within its accept window. Anyone may send the proof: it binds the
    /// worker, and the worker is paid.
    /// @param jobId the job
    /// @param inputWords as posted; checked against the stored hash
    /// @param outputWords the statement's output
    /// @param proof 256 or 320 bytes
    function submitProof(
        bytes32 jobId,
        uint256[] calldata inputWords,
        uint256[] calldata outputWords,
        bytes calldata proof
    ) external;

    /// @notice Ends an award that was neither accepted nor proven in time: the job is open again, or refunded after its
    /// last round. Anyone.
    function lapse(bytes32 jobId) external;

    /// @notice Ends an open job without bids after its window, one with bids that was not awarded within the hour after it
    /// (both refunded), or an accepted one without proof after its deadline (expired). Anyone.
    function expire(bytes32 jobId) external;

    /// @notice Withdraws an open job. Requester only.
    function cancel(bytes32 jobId) external;

    /// @notice A job as stored; state None if it was never posted.
    function jobOf(bytes32 jobId) external view returns (Job memory);

    /// @notice The leading bid of an open job, zeros if there is none; of any other job, zeros.
    function bestBid(bytes32 jobId) external view returns (address worker, uint128 price);

    /// @notice A worker's latest bid in the job's current round.
    function bidOf(bytes32 jobId, address worker) external view returns (Bid memory);

    /// @notice The statement's first word for a proof by `worker`:
    /// keccak256(abi.encode(chainId, market, jobId, worker)) mod r.
    function bindingOf(bytes32 jobId, address worker) external view returns (uint256);

    /// @notice How many jobs a requester has posted: the nonce of its next one.
    function nonceOf(address requester) external view returns (uint256);

    /// @notice keccak256(abi.encode(request, keccak256(abi.encodePacked(inputWords)))), what an id binds of a request.
    function requestHash(JobRequest calldata request, uint256[] calldata inputWords) external pure returns (bytes32);

    /// @notice The id a job gets if `requester` posts it as its `nonce`-th, from 0.
    function jobIdOf(address requester, uint256 nonce, bytes32 hash) external view returns (bytes32);

    /// @notice Checks proofs.
    function verifier() external view returns (IGroth16Verifier);

    /// @notice Knows models.
    function models() external view returns (IModelRegistry);

    /// @notice Holds escrow.
    function vault() external view returns (IVault);

    /// @notice Knows workers and holds their stakes.
    function workers() external view returns (IWorkerRegistry);
}
