// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Groth16Verifier} from "../../src/Groth16Verifier.sol";
import {Market} from "../../src/Market.sol";
import {ModelRegistry} from "../../src/ModelRegistry.sol";
import {Vault} from "../../src/Vault.sol";
import {WorkerRegistry} from "../../src/WorkerRegistry.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {GROUP_ORDER} from "../../src/libraries/Bn254.sol";
import {Job, JobRequest, JobState} from "../../src/types/Job.sol";
import {ModelSpec} from "../../src/types/Model.sol";
import {Worker} from "../../src/types/Worker.sol";
import {Test} from "./Test.sol";
import {ToyGroth16, ToyKey} from "./ToyGroth16.sol";

/// @title Base of the market's tests: everything deployed for real, one model, a requester and two workers
/// @notice Helpers bring a job into each state. Proofs are valid and verified by the real verifier; only their maker is
/// special, in that it knows the key's trapdoor.
abstract contract MarketTest is Test {
    Groth16Verifier internal verifier;
    ModelRegistry internal models;
    Vault internal vault;
    WorkerRegistry internal workers;
    Market internal market;

    address internal publisher;
    address internal requester;
    address internal alice;
    address internal bob;
    address internal stranger;

    ToyKey internal toy;
    bytes32 internal modelId;
    string internal json;

    uint128 internal constant MAX_PRICE = 1 ether;
    uint128 internal constant PRICE = 0.6 ether;
    uint128 internal constant STAKE = 10 ether;
    uint128 internal constant COLLATERAL = 2 ether;
    uint16 internal constant ROYALTY_BPS = 1000;
    uint32 internal constant BID_WINDOW = 60;
    uint32 internal constant ACCEPT_WINDOW = 120;
    uint32 internal constant PROVE_WINDOW = 600;

    function setUp() public virtual {
        vm.warp(1_800_000_000);
        json = vm.readFile("test/vectors/groth16.json");
        deploy();
        publisher = fundedAccount("publisher");
        requester = fundedAccount("requester");
        alice = fundedAccount("alice");
        bob = fundedAccount("bob");
        stranger = fundedAccount("stranger");

        toy = ToyGroth16.key(json, 1, 4, 0); // committed; binding, one input, two outputs
        vm.prank(publisher);
        modelId = models.register(spec(), toy.vk, toy.modelCommitment);
        enlist(alice);
        enlist(bob);
    }

    /// @dev The order of deployment, with the addresses of what does not exist yet predicted.
    function deploy() internal {
        verifier = new Groth16Verifier();
        models = new ModelRegistry(verifier);
        uint256 nonce = vm.getNonce(address(this));
        address registryAddress = vm.computeCreateAddress(address(this), nonce + 1);
        address marketAddress = vm.computeCreateAddress(address(this), nonce + 2);
        vault = new Vault([registryAddress, marketAddress]);
        workers = new WorkerRegistry(vault, marketAddress);
        market = new Market(verifier, models, vault, workers);
    }

    function spec() internal pure returns (ModelSpec memory) {
        return ModelSpec({
            circuitHash: keccak256("circuit"),
            quantisationHash: keccak256("quantisation"),
            metadataHash: keccak256("metadata"),
            ceremonyHash: 0,
            uri: "https://models.example/m",
            royaltyBps: ROYALTY_BPS,
            nIn: 1,
            nOut: 2,
            inputPrivate: true,
            outputEncrypted: true,
            outputCommitted: false
        });
    }

    function enlist(address worker) internal {
        register(worker);
        vm.prank(worker);
        workers.addStake{value: STAKE}();
    }

    /// @notice Registers a worker without stake.
    function register(address worker) internal {
        bytes32 key = keccak256(abi.encode(worker));
        bytes memory signature = signed(worker, workers.registrationHash(worker, "https://worker.example", key, 1));
        vm.prank(worker);
        workers.register("https://worker.example", key, signature);
    }

    function request() internal view returns (JobRequest memory) {
        return JobRequest({
            modelId: modelId,
            maxPrice: MAX_PRICE,
            minStake: 1 ether,
            collateral: COLLATERAL,
            bidWindow: BID_WINDOW,
            acceptWindow: ACCEPT_WINDOW,
            proveWindow: PROVE_WINDOW,
            inputRef: keccak256("ciphertext"),
            inputUri: "",
            callback: address(0),
            callbackGas: 0,
            requesterAwards: false,
            rounds: 3
        });
    }

    function inputWords() internal pure returns (uint256[] memory words) {
        words = new uint256[](1);
        words[0] = uint256(keccak256("commitment")) % GROUP_ORDER;
    }

    function outputWords() internal pure returns (uint256[] memory words) {
        words = new uint256[](2);
        words[0] = uint256(keccak256("first output")) % GROUP_ORDER;
        words[1] = GROUP_ORDER - 1;
    }

    // ------------------------------------------------------------------------------------ jobs in each of their states

    function submit(JobRequest memory r) internal returns (bytes32) {
        vm.prank(requester);
        return market.submitJob{value: r.maxPrice}(r, inputWords());
    }

    function open() internal returns (bytes32) {
        return submit(request());
    }

    function bid(bytes32 jobId, address worker, uint128 price) internal {
        vm.prank(worker);
        market.placeBid(jobId, price);
    }

    function awarded() internal returns (bytes32) {
        return awarded(open());
    }

    function awarded(bytes32 jobId) internal returns (bytes32) {
        bid(jobId, alice, PRICE);
        afterDeadline(jobId);
        market.award(jobId);
        return jobId;
    }

    function accepted() internal returns (bytes32) {
        return accepted(awarded());
    }

    function accepted(bytes32 jobId) internal returns (bytes32) {
        vm.prank(alice);
        market.accept(jobId);
        return jobId;
    }

    function settled() internal returns (bytes32 jobId) {
        jobId = accepted();
        market.submitProof(jobId, inputWords(), outputWords(), proof(jobId, alice));
    }

    /// @notice A job in any state, for tests that go through all of them.
    function inState(JobState state) internal returns (bytes32 jobId) {
        if (state == JobState.None) return keccak256("never posted");
        if (state == JobState.Open) return open();
        if (state == JobState.Awarded) return awarded();
        if (state == JobState.Accepted) return accepted();
        if (state == JobState.Settled) return settled();
        if (state == JobState.Expired) {
            jobId = accepted();
            afterDeadline(jobId);
            market.expire(jobId);
        } else if (state == JobState.Refunded) {
            jobId = open();
            afterDeadline(jobId);
            market.expire(jobId);
        } else {
            jobId = open();
            vm.prank(requester);
            market.cancel(jobId);
        }
        vm.assertEq(uint256(stateOf(jobId)), uint256(state));
    }

    /// @notice A valid proof of `outputWords` by `worker` for this job on this market.
    function proof(bytes32 jobId, address worker) internal view returns (bytes memory) {
        return ToyGroth16.prove(toy, statement(market.bindingOf(jobId, worker)), 0);
    }

    function statement(uint256 binding) internal pure returns (uint256[] memory words) {
        words = new uint256[](4);
        words[0] = binding;
        words[1] = inputWords()[0];
        words[2] = outputWords()[0];
        words[3] = outputWords()[1];
    }

    // ------------------------------------------------------------------------------------------------------- reading

    function stateOf(bytes32 jobId) internal view returns (JobState) {
        return market.jobOf(jobId).state;
    }

    function deadlineOf(bytes32 jobId) internal view returns (uint64) {
        return market.jobOf(jobId).deadline;
    }

    function atDeadline(bytes32 jobId) internal {
        vm.warp(deadlineOf(jobId));
    }

    /// @notice The first second in which a job with bids can no longer be awarded.
    function afterGrace(bytes32 jobId) internal {
        vm.warp(uint256(deadlineOf(jobId)) + market.AWARD_GRACE() + 1);
    }

    function afterDeadline(bytes32 jobId) internal {
        vm.warp(uint256(deadlineOf(jobId)) + 1);
    }

    function assertState(bytes32 jobId, JobState state) internal view {
        vm.assertEq(uint256(stateOf(jobId)), uint256(state));
    }

    function reservedOf(address worker) internal view returns (uint256) {
        return workers.workerOf(worker).reserved;
    }

    /// @notice What a worker has in the registry's pool: its stake, and what is on its way out.
    function stakedBy(address account) internal view returns (uint256) {
        Worker memory worker = workers.workerOf(account);
        return uint256(worker.stake) + worker.leaving;
    }

    /// @notice Every wei is someone's: the vault holds exactly what it owes (nobody forces ether on it here).
    function assertSolvent(uint256 escrow) internal view {
        uint256 free = vault.balanceOf(publisher) + vault.balanceOf(requester) + vault.balanceOf(alice)
            + vault.balanceOf(bob) + vault.balanceOf(stranger);
        uint256 staked = stakedBy(alice) + stakedBy(bob);
        vm.assertEq(vault.heldBy(address(market)), escrow, "escrow");
        vm.assertEq(vault.heldBy(address(workers)), staked, "stakes");
        vm.assertEq(address(vault).balance, free + escrow + staked, "vault");
    }

    function expectWrongState(bytes32 jobId, JobState state) internal {
        if (state == JobState.None) {
            vm.expectRevert(abi.encodeWithSelector(IMarket.JobUnknown.selector, jobId));
        } else {
            vm.expectRevert(abi.encodeWithSelector(IMarket.WrongState.selector, jobId, state));
        }
    }
}
