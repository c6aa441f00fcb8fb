// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IVault} from "./interfaces/IVault.sol";
import {IWorkerRegistry} from "./interfaces/IWorkerRegistry.sol";
import {Worker} from "./types/Worker.sol";

/// @title Workers, their stake and their record
/// @dev Calls nothing but the vault, which calls nobody back on these paths. A stake is reserved only by the market, and
/// the market reserves only for a worker that bids itself: nobody can tie up another's stake. Held in the vault is the
/// sum of what is staked and what is leaving.
contract WorkerRegistry is IWorkerRegistry, EIP712 {
    /// @notice Longest endpoint in bytes.
    uint256 public constant MAX_ENDPOINT_LENGTH = 256;
    /// @notice Notice at which stake leaves: one stake serves one identity a day.
    uint64 public constant UNSTAKE_DELAY = 1 days;

    bytes32 private constant REGISTRATION_TYPEHASH =
        keccak256("Registration(address worker,string endpoint,bytes32 encryptionKey,uint32 revision)");

    /// @inheritdoc IWorkerRegistry
    IVault public immutable vault;
    /// @inheritdoc IWorkerRegistry
    address public immutable market;

    mapping(address worker => Worker) private _workers;

    modifier onlyMarket() {
        if (msg.sender != market) revert NotMarket(msg.sender);
        _;
    }

    constructor(IVault vault_, address market_) EIP712("Assay WorkerRegistry", "1") {
        // The vault was told the addresses of both operators before they existed.
        if (!vault_.isOperator(address(this)) || !vault_.isOperator(market_) || market_ == address(this)) {
            revert NotMarket(market_);
        }
        vault = vault_;
        market = market_;
    }

    /// @inheritdoc IWorkerRegistry
    function register(string calldata endpoint, bytes32 encryptionKey, bytes calldata signature) external {
        Worker storage worker = _workers[msg.sender];
        if (worker.registered) revert WorkerAlreadyRegistered(msg.sender);
        worker.registered = true;
        uint32 revision = _describe(worker, endpoint, encryptionKey, signature);
        emit WorkerRegistered(msg.sender, endpoint, encryptionKey, revision, signature);
    }

    /// @inheritdoc IWorkerRegistry
    function update(string calldata endpoint, bytes32 encryptionKey, bytes calldata signature) external {
        uint32 revision = _describe(_known(msg.sender), endpoint, encryptionKey, signature);
        emit WorkerUpdated(msg.sender, endpoint, encryptionKey, revision, signature);
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
    function requestUnstake(uint256 amount) external {
        if (amount == 0) revert ZeroAmount();
        Worker storage worker = _known(msg.sender);
        _requireFree(worker, msg.sender, amount);
        worker.stake -= SafeCast.toUint120(amount);
        worker.leaving += SafeCast.toUint128(amount);
        worker.leavesAt = uint64(block.timestamp) + UNSTAKE_DELAY;
        emit StakeChanged(msg.sender, worker.stake);
        emit StakeLeaving(msg.sender, worker.leaving, worker.leavesAt);
    }

    /// @inheritdoc IWorkerRegistry
    function withdrawStake() external {
        Worker storage worker = _known(msg.sender);
        uint256 amount = worker.leaving;
        if (amount == 0) revert NothingLeaving(msg.sender);
        if (block.timestamp < worker.leavesAt) revert StakeStillLeaving(msg.sender, worker.leavesAt);
        (worker.leaving, worker.leavesAt) = (0, 0);
        emit StakeWithdrawn(msg.sender, amount);
        vault.release(msg.sender, amount);
    }

    /// @inheritdoc IWorkerRegistry
    function reserve(address account, uint256 amount) external onlyMarket {
        Worker storage worker = _known(account);
        _requireFree(worker, account, amount);
        if (amount == 0) return;
        worker.reserved += SafeCast.toUint120(amount);
        emit StakeReserved(account, amount);
    }

    /// @inheritdoc IWorkerRegistry
    function release(address account, uint256 amount) external onlyMarket {
        _release(account, amount);
    }

    /// @inheritdoc IWorkerRegistry
    function releaseCompleted(address account, uint256 amount) external onlyMarket {
        ++_release(account, amount).completed;
    }

    /// @inheritdoc IWorkerRegistry
    function releaseMissed(address account, uint256 amount) external onlyMarket {
        ++_release(account, amount).missed;
        emit AwardMissed(account);
    }

    /// @inheritdoc IWorkerRegistry
    function slash(address account, uint256 amount, uint256 collateral, address beneficiary) external onlyMarket {
        Worker storage worker = _release(account, amount);
        // No more than the job had reserved: what backs other jobs is not this one's to lose.
        if (collateral > amount) revert InsufficientReserve(account, amount, collateral);
        worker.stake -= SafeCast.toUint120(collateral);
        ++worker.failed;
        emit StakeSlashed(account, collateral, beneficiary);
        vault.release(beneficiary, collateral);
    }

    /// @inheritdoc IWorkerRegistry
    function workerOf(address account) external view returns (Worker memory) {
        return _workers[account];
    }

    /// @inheritdoc IWorkerRegistry
    function freeStakeOf(address account) external view returns (uint256) {
        Worker storage worker = _known(account);
        return worker.stake - worker.reserved;
    }

    /// @inheritdoc IWorkerRegistry
    function registrationHash(address account, string calldata endpoint, bytes32 encryptionKey, uint32 revision)
        public
        view
        returns (bytes32)
    {
        bytes32 endpointHash = keccak256(bytes(endpoint));
        return
            _hashTypedDataV4(
                keccak256(abi.encode(REGISTRATION_TYPEHASH, account, endpointHash, encryptionKey, revision))
            );
    }

    function _addStake(uint256 amount) private {
        if (amount == 0) revert ZeroAmount();
        Worker storage worker = _known(msg.sender);
        // A sum above 2^120 reverts; no native supply reaches it.
        worker.stake = SafeCast.toUint120(worker.stake + amount);
        emit StakeChanged(msg.sender, worker.stake);
    }

    /// @dev The revision in what is signed tells a requester that knew a later one that its node shows it an earlier one.
    function _describe(Worker storage worker, string calldata endpoint, bytes32 encryptionKey, bytes calldata signature)
        private
        returns (uint32 revision)
    {
        uint256 length = bytes(endpoint).length;
        if (length == 0) revert EmptyEndpoint();
        if (length > MAX_ENDPOINT_LENGTH) revert EndpointTooLong(length, MAX_ENDPOINT_LENGTH);
        if (encryptionKey == 0) revert ZeroEncryptionKey();
        revision = worker.revision + 1;
        bytes32 signed = registrationHash(msg.sender, endpoint, encryptionKey, revision);
        (address signer,,) = ECDSA.tryRecoverCalldata(signed, signature);
        if (signer != msg.sender) revert WrongSigner(signer, msg.sender);
        worker.revision = revision;
        worker.endpoint = endpoint;
        worker.encryptionKey = encryptionKey;
        worker.signature = signature;
    }

    function _release(address account, uint256 amount) private returns (Worker storage worker) {
        worker = _known(account);
        uint256 reserved = worker.reserved;
        if (amount > reserved) revert InsufficientReserve(account, reserved, amount);
        if (amount == 0) return worker;
        worker.reserved = SafeCast.toUint120(reserved - amount);
        emit StakeReleased(account, amount);
    }

    function _requireFree(Worker storage worker, address account, uint256 amount) private view {
        uint256 free = worker.stake - worker.reserved;
        if (amount > free) revert InsufficientStake(account, free, amount);
    }

    function _known(address account) private view returns (Worker storage worker) {
        worker = _workers[account];
        if (!worker.registered) revert WorkerUnknown(account);
    }
}
