// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IGroth16Verifier} from "./interfaces/IGroth16Verifier.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IVault} from "./interfaces/IVault.sol";
import {IWorkerRegistry} from "./interfaces/IWorkerRegistry.sol";
import {GROUP_ORDER} from "./libraries/Bn254.sol";
import {Callback} from "./libraries/Callback.sol";
import {Bid, Job, JobRequest, JobState} from "./types/Job.sol";
import {ModelSettlement, ModelTerms} from "./types/Model.sol";

/// @title The market
/// @dev Holds no money itself: escrow is the market's pool in the vault, and equals the sum of `maxPrice` over jobs
/// that are Open, Awarded or Accepted. Every function changes its own state first, then calls out; the only callee
/// that is not one of Assay's own contracts is a consumer's callback, last of all. No owner, no upgrade, no pause.
///
/// Stake: while a job is Open its leading bidder, and while it is Awarded or Accepted its worker, has `_backing` of its
/// stake reserved in the worker registry. Whoever changes `worker` or ends the job moves the reservation along.
contract Market is IMarket, ReentrancyGuardTransient {
    /// @notice Bounds of every window, in seconds.
    uint32 public constant MIN_WINDOW = 1;
    uint32 public constant MAX_BID_WINDOW = 1 days;
    uint32 public constant MAX_ACCEPT_WINDOW = 7 days;
    uint32 public constant MAX_PROVE_WINDOW = 30 days;
    /// @notice Seconds after the bidding in which a job may be awarded. A bid binds its worker no longer than this.
    uint32 public constant AWARD_GRACE = 1 hours;
    /// @notice Most bidding rounds a job may have before it is refunded.
    uint8 public constant MAX_ROUNDS = 3;
    /// @notice Most gas a callback may ask for; the sender of the proof pays it.
    uint32 public constant MAX_CALLBACK_GAS = 1_000_000;
    /// @notice To take the lead a bid must be at least this share of the leading one lower: 1 %.
    uint128 public constant BID_STEP_DIVISOR = 100;

    uint256 private constant BPS = 10_000;

    /// @inheritdoc IMarket
    IGroth16Verifier public immutable verifier;
    /// @inheritdoc IMarket
    IModelRegistry public immutable models;
    /// @inheritdoc IMarket
    IVault public immutable vault;
    /// @inheritdoc IMarket
    IWorkerRegistry public immutable workers;

    /// @inheritdoc IMarket
    mapping(address requester => uint256) public nonceOf;

    mapping(bytes32 jobId => Job) private _jobs;
    mapping(bytes32 jobId => mapping(uint8 round => mapping(address worker => Bid))) private _bids;
    mapping(bytes32 jobId => mapping(address worker => bool)) private _gaveUp;

    constructor(IGroth16Verifier verifier_, IModelRegistry models_, IVault vault_, IWorkerRegistry workers_) {
        // Each was created with the others' addresses; a wrong prediction must not come alive.
        if (address(models_.verifier()) != address(verifier_)) revert WrongWiring(address(models_));
        if (workers_.market() != address(this) || address(workers_.vault()) != address(vault_)) {
            revert WrongWiring(address(workers_));
        }
        if (!vault_.isOperator(address(this)) || !vault_.isOperator(address(workers_))) {
            revert WrongWiring(address(vault_));
        }
        (verifier, models, vault, workers) = (verifier_, models_, vault_, workers_);
    }

    // ------------------------------------------------------------------------------------------ asking and bidding

    /// @inheritdoc IMarket
    function submitJob(JobRequest calldata request, uint256[] calldata inputWords)
        external
        payable
        nonReentrant
        returns (bytes32 jobId)
    {
        _checkRequest(request);
        ModelTerms memory terms = models.termsOf(request.modelId);
        if (terms.retired) revert ModelIsRetired(request.modelId);
        if (inputWords.length != terms.nIn) revert WrongInputCount(inputWords.length, terms.nIn);
        // A word no proof can contain would cost an accepting worker its collateral.
        for (uint256 i; i < inputWords.length; ++i) {
            if (inputWords[i] >= GROUP_ORDER) revert InputTooLarge(i, inputWords[i]);
        }

        uint256 nonce = nonceOf[msg.sender]++;
        bytes32 inputHash = keccak256(abi.encodePacked(inputWords));
        // The nonce alone would be replay-proof; with the request in it, an id seen before a re-org names the same
        // request after it, or nothing.
        jobId = jobIdOf(msg.sender, nonce, keccak256(abi.encode(request, inputHash)));
        uint64 bidDeadline = uint64(block.timestamp) + request.bidWindow;
        _jobs[jobId] = Job({
            modelId: request.modelId,
            inputHash: inputHash,
            requester: msg.sender,
            state: JobState.Open,
            round: 0,
            callbackGas: request.callbackGas,
            bidWindow: request.bidWindow,
            requesterAwards: request.requesterAwards,
            rounds: request.rounds,
            worker: address(0),
            acceptWindow: request.acceptWindow,
            proveWindow: request.proveWindow,
            callback: request.callback,
            deadline: bidDeadline,
            maxPrice: request.maxPrice,
            price: 0,
            minStake: request.minStake,
            collateral: request.collateral
        });
        emit JobSubmitted(jobId, request.modelId, msg.sender, nonce, bidDeadline, request, inputWords);
        vault.depositAndHold{value: msg.value}(msg.sender, request.maxPrice);
    }

    /// @inheritdoc IMarket
    function placeBid(bytes32 jobId, uint128 price) external nonReentrant {
        Job storage job = _in(jobId, JobState.Open);
        _notAfter(jobId, job.deadline);
        if (price > job.maxPrice) revert PriceAboveCeiling(jobId, price, job.maxPrice);
        if (_gaveUp[jobId][msg.sender]) revert WorkerGaveUpJob(jobId, msg.sender);

        uint8 round = job.round;
        Bid storage bid = _bids[jobId][round][msg.sender];
        // Never up: whom the requester awards to has the price that the requester saw, or a lower one.
        if (bid.standing && price >= bid.price) revert BidNotLower(jobId, price, bid.price);
        bool leads = _leads(job, price);
        (bid.price, bid.standing) = (price, true);
        address leader = job.worker;
        if (leads) (job.worker, job.price) = (msg.sender, price);
        emit BidPlaced(jobId, msg.sender, round, price, leads);

        // One who leads already has what it takes reserved.
        if (leader == msg.sender) return;
        uint256 backing = _backing(job);
        if (leads) {
            _moveReservation(leader, msg.sender, backing);
        } else {
            uint256 free = workers.freeStakeOf(msg.sender);
            if (free < backing) revert InsufficientStake(msg.sender, free, backing);
        }
    }

    /// @inheritdoc IMarket
    function award(bytes32 jobId) external nonReentrant {
        Job storage job = _in(jobId, JobState.Open);
        if (job.requesterAwards) revert RequesterAwards(jobId);
        _after(jobId, job.deadline);
        if (job.worker == address(0)) revert NoBid(jobId, address(0));
        _award(jobId, job, job.worker, job.price);
    }

    /// @inheritdoc IMarket
    function awardTo(bytes32 jobId, address worker) external nonReentrant {
        Job storage job = _in(jobId, JobState.Open);
        if (msg.sender != job.requester) revert NotRequester(jobId, msg.sender);
        Bid memory bid = _bids[jobId][job.round][worker];
        if (!bid.standing) revert NoBid(jobId, worker);
        address leader = job.worker;
        _award(jobId, job, worker, bid.price);
        // A worker that stood beside has perhaps spent its stake elsewhere since: then another is chosen.
        if (leader != worker) _moveReservation(leader, worker, _backing(job));
    }

    /// @inheritdoc IMarket
    function cancel(bytes32 jobId) external nonReentrant {
        Job storage job = _in(jobId, JobState.Open);
        if (msg.sender != job.requester) revert NotRequester(jobId, msg.sender);
        job.state = JobState.Cancelled;
        emit JobCancelled(jobId, job.requester, job.maxPrice);
        vault.release(job.requester, job.maxPrice);
        if (job.worker != address(0)) workers.release(job.worker, _backing(job));
    }

    // -------------------------------------------------------------------------------------- accepting and settling

    /// @inheritdoc IMarket
    function accept(bytes32 jobId) external nonReentrant {
        Job storage job = _in(jobId, JobState.Awarded);
        if (msg.sender != job.worker) revert NotAwardedWorker(jobId, msg.sender);
        _notAfter(jobId, job.deadline);

        // What backs the job is reserved since the bid; from here on the collateral in it can be lost.
        job.state = JobState.Accepted;
        job.deadline = uint64(block.timestamp) + job.proveWindow;
        emit JobAccepted(jobId, msg.sender, job.collateral, job.deadline);
    }

    /// @inheritdoc IMarket
    function decline(bytes32 jobId) external nonReentrant {
        Job storage job = _in(jobId, JobState.Awarded);
        if (msg.sender != job.worker) revert NotAwardedWorker(jobId, msg.sender);
        // Not later: then it is `lapse`, which tells the worker that was silent from the one that answered.
        _notAfter(jobId, job.deadline);
        emit JobDeclined(jobId, msg.sender, job.round);
        _giveUp(jobId, job, msg.sender);
        workers.release(msg.sender, _backing(job));
    }

    /// @inheritdoc IMarket
    function submitProof(
        bytes32 jobId,
        uint256[] calldata inputWords,
        uint256[] calldata outputWords,
        bytes calldata proof
    ) external nonReentrant {
        Job storage job = _jobs[jobId];
        // In time for the acceptance is in time for the proof that makes it needless.
        if (job.state != JobState.Awarded) _in(jobId, JobState.Accepted);
        _notAfter(jobId, job.deadline);
        if (keccak256(abi.encodePacked(inputWords)) != job.inputHash) revert InputMismatch(jobId);
        ModelSettlement memory model = models.settlementOf(job.modelId);
        if (outputWords.length != model.nOut) revert WrongOutputCount(outputWords.length, model.nOut);

        job.state = JobState.Settled;
        // A static call to a contract without state; it reverts unless the proof is valid.
        verifier.verify(
            model.verifyingKey,
            _statement(bindingOf(jobId, job.worker), inputWords, outputWords),
            proof,
            model.modelCommitment
        );
        _pay(jobId, job, model, outputWords, proof);

        if (job.callback != address(0)) {
            if (!Callback.notify(job.callback, job.callbackGas, jobId, outputWords)) {
                emit CallbackFailed(jobId, job.callback);
            }
        }
    }

    // --------------------------------------------------------------------------------- exits open to anyone, in time

    /// @inheritdoc IMarket
    function lapse(bytes32 jobId) external nonReentrant {
        Job storage job = _in(jobId, JobState.Awarded);
        _after(jobId, job.deadline);
        address worker = job.worker;
        emit JobLapsed(jobId, worker, job.round);
        _giveUp(jobId, job, worker);
        workers.releaseMissed(worker, _backing(job));
    }

    /// @inheritdoc IMarket
    function expire(bytes32 jobId) external nonReentrant {
        Job storage job = _jobs[jobId];
        if (job.state == JobState.Open) {
            address leader = job.worker;
            _after(jobId, leader == address(0) ? job.deadline : job.deadline + AWARD_GRACE);
            _refund(jobId, job);
            if (leader != address(0)) workers.release(leader, _backing(job));
        } else {
            _in(jobId, JobState.Accepted);
            _after(jobId, job.deadline);
            job.state = JobState.Expired;
            emit JobExpired(jobId, job.worker, job.requester, job.maxPrice, job.collateral);
            vault.release(job.requester, job.maxPrice);
            workers.slash(job.worker, _backing(job), job.collateral, job.requester);
        }
    }

    // ------------------------------------------------------------------------------------------------------- views

    /// @inheritdoc IMarket
    function jobOf(bytes32 jobId) external view returns (Job memory) {
        return _jobs[jobId];
    }

    /// @inheritdoc IMarket
    function bestBid(bytes32 jobId) external view returns (address worker, uint128 price) {
        Job storage job = _jobs[jobId];
        if (job.state == JobState.Open) (worker, price) = (job.worker, job.price);
    }

    /// @inheritdoc IMarket
    function bidOf(bytes32 jobId, address worker) external view returns (Bid memory) {
        return _bids[jobId][_jobs[jobId].round][worker];
    }

    /// @inheritdoc IMarket
    function bindingOf(bytes32 jobId, address worker) public view returns (uint256) {
        return uint256(keccak256(abi.encode(block.chainid, address(this), jobId, worker))) % GROUP_ORDER;
    }

    /// @inheritdoc IMarket
    function requestHash(JobRequest calldata request, uint256[] calldata inputWords) external pure returns (bytes32) {
        return keccak256(abi.encode(request, keccak256(abi.encodePacked(inputWords))));
    }

    /// @inheritdoc IMarket
    function jobIdOf(address requester, uint256 nonce, bytes32 hash) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), requester, nonce, hash));
    }

    // --------------------------------------------------------------------------------------------------- internals

    /// @dev Whether a price takes the lead: the first does, the leader's own lower one, and one that beats it by the
    /// step. Any other stands beside it, so that no bid, not even one of nothing, shuts out those who mean theirs.
    function _leads(Job storage job, uint128 price) private view returns (bool) {
        (address leader, uint128 leading) = (job.worker, job.price);
        if (leader == address(0) || leader == msg.sender) return true;
        return leading != 0 && price <= leading - (leading + BID_STEP_DIVISOR - 1) / BID_STEP_DIVISOR;
    }

    /// @dev The stake that one job takes of one worker, so that no stake backs two jobs.
    function _backing(Job storage job) private view returns (uint256) {
        return job.minStake > job.collateral ? job.minStake : job.collateral;
    }

    /// @dev Reverts if `to` is no worker or has too little free stake; `from` may be nobody.
    function _moveReservation(address from, address to, uint256 amount) private {
        if (from != address(0)) workers.release(from, amount);
        workers.reserve(to, amount);
    }

    /// @dev Awarding ends `AWARD_GRACE` after the bidding: no bid is an option that its requester holds for free.
    function _award(bytes32 jobId, Job storage job, address worker, uint128 price) private {
        _notAfter(jobId, job.deadline + AWARD_GRACE);
        job.state = JobState.Awarded;
        job.worker = worker;
        job.price = price;
        job.deadline = uint64(block.timestamp) + job.acceptWindow;
        emit JobAwarded(jobId, worker, job.round, price, job.deadline);
    }

    /// @dev Splits the ceiling, all of it: royalty rounded down, the worker's share, and what goes back.
    function _pay(
        bytes32 jobId,
        Job storage job,
        ModelSettlement memory model,
        uint256[] calldata outputWords,
        bytes calldata proof
    ) private {
        (address worker, uint128 price) = (job.worker, job.price);
        uint128 royalty = SafeCast.toUint128(uint256(price) * model.royaltyBps / BPS);
        uint128 refund = job.maxPrice - price;
        emit JobSettled(jobId, worker, job.modelId, price, royalty, refund, outputWords, proof);
        vault.release(worker, price - royalty);
        if (royalty != 0) vault.release(model.payout, royalty);
        if (refund != 0) vault.release(job.requester, refund);
        workers.releaseCompleted(worker, _backing(job));
    }

    /// @dev An award that came to nothing: a new round without this worker, or after the last one the money back.
    function _giveUp(bytes32 jobId, Job storage job, address worker) private {
        _gaveUp[jobId][worker] = true;
        if (job.round + 1 < job.rounds) {
            job.state = JobState.Open;
            ++job.round;
            job.worker = address(0);
            job.price = 0;
            job.deadline = uint64(block.timestamp) + job.bidWindow;
            emit JobReopened(jobId, job.round, job.deadline);
        } else {
            _refund(jobId, job);
        }
    }

    function _refund(bytes32 jobId, Job storage job) private {
        job.state = JobState.Refunded;
        emit JobRefunded(jobId, job.requester, job.maxPrice);
        vault.release(job.requester, job.maxPrice);
    }

    /// @dev binding || inputs || outputs: none of it the sender's choice but the outputs, which the proof decides.
    function _statement(uint256 binding, uint256[] calldata inputWords, uint256[] calldata outputWords)
        private
        pure
        returns (uint256[] memory words)
    {
        words = new uint256[](1 + inputWords.length + outputWords.length);
        words[0] = binding;
        assembly ("memory-safe") {
            let inputs := add(words, 0x40)
            calldatacopy(inputs, inputWords.offset, shl(5, inputWords.length))
            calldatacopy(add(inputs, shl(5, inputWords.length)), outputWords.offset, shl(5, outputWords.length))
        }
    }

    function _checkRequest(JobRequest calldata request) private pure {
        _checkWindow(request.bidWindow, MAX_BID_WINDOW);
        _checkWindow(request.acceptWindow, MAX_ACCEPT_WINDOW);
        _checkWindow(request.proveWindow, MAX_PROVE_WINDOW);
        if (request.rounds == 0 || request.rounds > MAX_ROUNDS) revert RoundsOutOfRange(request.rounds, MAX_ROUNDS);
        if ((request.callback == address(0)) != (request.callbackGas == 0) || request.callbackGas > MAX_CALLBACK_GAS) {
            revert CallbackMismatch(request.callback, request.callbackGas, MAX_CALLBACK_GAS);
        }
    }

    function _checkWindow(uint32 window, uint32 maximum) private pure {
        if (window < MIN_WINDOW || window > maximum) revert WindowOutOfRange(window, MIN_WINDOW, maximum);
    }

    function _in(bytes32 jobId, JobState state) private view returns (Job storage job) {
        job = _jobs[jobId];
        if (job.state == JobState.None) revert JobUnknown(jobId);
        if (job.state != state) revert WrongState(jobId, job.state);
    }

    function _notAfter(bytes32 jobId, uint64 deadline) private view {
        if (block.timestamp > deadline) revert TooLate(jobId, deadline);
    }

    function _after(bytes32 jobId, uint64 deadline) private view {
        if (block.timestamp <= deadline) revert TooEarly(jobId, deadline);
    }
}
