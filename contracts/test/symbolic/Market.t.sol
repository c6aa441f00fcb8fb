// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Market} from "../../src/Market.sol";
import {Vault} from "../../src/Vault.sol";
import {WorkerRegistry} from "../../src/WorkerRegistry.sol";
import {IGroth16Verifier} from "../../src/interfaces/IGroth16Verifier.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {JobRequest, JobState} from "../../src/types/Job.sol";
import {ModelSettlement, ModelTerms} from "../../src/types/Model.sol";
import {Test} from "../utils/Test.sol";

/// @title What registry and verifier answer the market, without curves, which a solver cannot reason about
/// @dev A proof of one byte is valid, any other is not: what the market does next is all that these checks are about.
contract AnswersOnly {
    address private immutable publisher;

    constructor(address publisher_) {
        publisher = publisher_;
    }

    function verifier() external view returns (IGroth16Verifier) {
        return IGroth16Verifier(address(this));
    }

    function termsOf(bytes32) external pure returns (ModelTerms memory) {
        return ModelTerms({nIn: 1, nOut: 1, retired: false});
    }

    function settlementOf(bytes32) external view returns (ModelSettlement memory) {
        return
            ModelSettlement({
                verifyingKey: address(1), payout: publisher, royaltyBps: 1000, nOut: 1, modelCommitment: ""
            });
    }

    function verify(address, uint256[] calldata, bytes calldata proof, bytes calldata) external pure {
        if (proof.length != 1) revert IGroth16Verifier.ProofInvalid();
    }
}

/// @title A job's windows, stake and money, for all times and amounts
/// @notice Checked by halmos (`make halmos`); see VaultSymbolic. Market, vault and worker registry are the real ones.
contract MarketSymbolic is Test {
    Vault private vault;
    WorkerRegistry private workers;
    Market private market;

    address private constant REQUESTER = address(0xc1);
    address private constant PUBLISHER = address(0xc2);
    address private constant ALICE = address(0xb1);
    address private constant BOB = address(0xb2);
    /// @dev Of the registry's mapping; EIP712 has the two before it.
    uint256 private constant WORKERS_SLOT = 2;

    uint256 private constant START = 1_800_000_000;
    uint256 private constant BID = START + 60;
    uint256 private constant GRACE = BID + 1 hours;
    uint120 private constant STAKE = 10 ether;

    function setUp() public {
        vm.warp(START);
        AnswersOnly answers = new AnswersOnly(PUBLISHER);
        // halmos numbers new contracts in order; the constructors refuse a wrong guess.
        uint160 last = uint160(address(answers));
        vault = new Vault([address(last + 2), address(last + 3)]);
        workers = new WorkerRegistry(vault, address(last + 3));
        market = new Market(IGroth16Verifier(address(answers)), IModelRegistry(address(answers)), vault, workers);
        enlist(ALICE);
        enlist(BOB);
        vm.deal(REQUESTER, 1000 ether);
    }

    /// @dev Written past the signature, which is nothing for a solver: a registered worker without a description.
    function enlist(address worker) private {
        vm.store(address(workers), keccak256(abi.encode(worker, WORKERS_SLOT)), bytes32(uint256(1)));
        vm.deal(worker, STAKE);
        vm.prank(worker);
        workers.addStake{value: STAKE}();
    }

    function post(uint128 ceiling, uint128 minStake, uint128 collateral, bool requesterAwards)
        private
        returns (bytes32)
    {
        JobRequest memory request = JobRequest({
            modelId: 0,
            maxPrice: ceiling,
            minStake: minStake,
            collateral: collateral,
            bidWindow: 60,
            acceptWindow: 120,
            proveWindow: 600,
            inputRef: 0,
            inputUri: "",
            callback: address(0),
            callbackGas: 0,
            requesterAwards: requesterAwards,
            rounds: 1
        });
        vm.prank(REQUESTER);
        return market.submitJob{value: ceiling}(request, words());
    }

    function words() private pure returns (uint256[] memory one) {
        one = new uint256[](1);
    }

    function led(bool requesterAwards) private returns (bytes32 jobId) {
        jobId = post(1 ether, 1 ether, 2 ether, requesterAwards);
        vm.prank(ALICE);
        market.placeBid(jobId, 0.5 ether);
    }

    function awarded() private returns (bytes32 jobId) {
        jobId = led(false);
        vm.prank(REQUESTER);
        market.awardTo(jobId, ALICE);
    }

    function accepted() private returns (bytes32 jobId) {
        jobId = awarded();
        vm.prank(ALICE);
        market.accept(jobId);
    }

    function attempt(address caller, bytes memory call) private returns (bool ok) {
        vm.prank(caller);
        (ok,) = address(market).call(call);
    }

    // --------------------------------------------------------------------------------------- windows, for every second

    function check_award_is_for_the_hour_after_the_bidding(uint64 t, bool requesterAwards, address caller) public {
        vm.assume(t >= START && caller != address(market) && caller != address(vault));
        bytes32 jobId = led(requesterAwards);
        vm.warp(t);
        bool ok = attempt(caller, abi.encodeCall(market.award, (jobId)));
        vm.assertTrue(ok == (!requesterAwards && t > BID && t <= GRACE));
    }

    function check_awardTo_is_the_requesters_until_that_hour_is_over(uint64 t, bool requesterAwards, address caller)
        public
    {
        vm.assume(t >= START && caller != address(market) && caller != address(vault));
        bytes32 jobId = led(requesterAwards);
        vm.warp(t);
        bool ok = attempt(caller, abi.encodeCall(market.awardTo, (jobId, ALICE)));
        vm.assertTrue(ok == (caller == REQUESTER && t <= GRACE));
    }

    function check_an_open_job_expires_exactly_when_it_cannot_be_awarded(uint64 t, bool hasBid, address caller) public {
        vm.assume(t >= START && caller != address(market) && caller != address(vault));
        bytes32 jobId = hasBid ? led(false) : post(1 ether, 0, 0, false);
        vm.warp(t);
        bool ok = attempt(caller, abi.encodeCall(market.expire, (jobId)));
        vm.assertTrue(ok == (t > (hasBid ? GRACE : BID)));
    }

    function check_an_award_is_the_workers_or_lapses_and_never_both(uint64 t, uint8 which, address caller) public {
        vm.assume(t >= START && caller != address(market) && caller != address(vault));
        bytes32 jobId = awarded();
        uint256 deadline = START + 120;
        vm.warp(t);
        if (which == 0) {
            bool ok = attempt(caller, abi.encodeCall(market.accept, (jobId)));
            vm.assertTrue(ok == (caller == ALICE && t <= deadline));
        } else if (which == 1) {
            bool ok = attempt(caller, abi.encodeCall(market.decline, (jobId)));
            vm.assertTrue(ok == (caller == ALICE && t <= deadline));
        } else if (which == 2) {
            bool ok = attempt(caller, abi.encodeCall(market.submitProof, (jobId, words(), words(), hex"01")));
            vm.assertTrue(ok == (t <= deadline));
        } else {
            bool ok = attempt(caller, abi.encodeCall(market.lapse, (jobId)));
            vm.assertTrue(ok == (t > deadline));
        }
    }

    function check_an_accepted_job_is_proven_or_expires_and_never_both(uint64 t, bool proves, address caller) public {
        vm.assume(t >= START && caller != address(market) && caller != address(vault));
        bytes32 jobId = accepted();
        vm.warp(t);
        bool ok = attempt(
            caller,
            proves
                ? abi.encodeCall(market.submitProof, (jobId, words(), words(), hex"01"))
                : abi.encodeCall(market.expire, (jobId))
        );
        vm.assertTrue(ok == (proves ? t <= START + 600 : t > START + 600));
    }

    // ------------------------------------------------------------------------------------------- stake, for all amounts

    function check_a_leading_bid_reserves_the_larger_of_both_or_is_refused(uint128 minStake, uint128 collateral)
        public
    {
        bytes32 jobId = post(1 ether, minStake, collateral, false);
        uint256 backing = minStake > collateral ? minStake : collateral;
        bool ok = attempt(ALICE, abi.encodeCall(market.placeBid, (jobId, 1)));
        vm.assertTrue(ok == (backing <= STAKE));
        vm.assertTrue(workers.freeStakeOf(ALICE) == (ok ? STAKE - backing : STAKE));
    }

    function check_every_end_lets_go_of_what_it_reserved(uint128 minStake, uint128 collateral, uint8 way) public {
        vm.assume(minStake <= STAKE && collateral <= STAKE);
        bytes32 jobId = post(1 ether, minStake, collateral, false);
        vm.prank(ALICE);
        market.placeBid(jobId, 1);
        if (way == 0) {
            vm.prank(REQUESTER);
            market.cancel(jobId);
        } else if (way == 1) {
            vm.warp(GRACE + 1);
            market.expire(jobId);
        } else if (way == 2) {
            vm.prank(BOB);
            market.placeBid(jobId, 0);
        } else {
            vm.warp(BID + 1);
            market.award(jobId);
            if (way == 3) {
                vm.prank(ALICE);
                market.decline(jobId);
            } else if (way == 4) {
                vm.warp(BID + 1 + 121);
                market.lapse(jobId);
            } else if (way == 5) {
                market.submitProof(jobId, words(), words(), hex"01");
            } else {
                vm.prank(ALICE);
                market.accept(jobId);
                if (way == 6) {
                    market.submitProof(jobId, words(), words(), hex"01");
                } else {
                    vm.warp(BID + 1 + 601);
                    market.expire(jobId);
                }
            }
        }
        vm.assertTrue(workers.freeStakeOf(ALICE) == (way > 6 ? STAKE - collateral : STAKE));
    }

    // ------------------------------------------------------------------------------------------- money, for all amounts

    function check_a_settlement_splits_the_ceiling_to_the_wei(uint64 ceiling, uint64 price) public {
        vm.assume(price <= ceiling);
        bytes32 jobId = post(ceiling, 0, 0, false);
        vm.prank(ALICE);
        market.placeBid(jobId, price);
        vm.prank(REQUESTER);
        market.awardTo(jobId, ALICE);
        market.submitProof(jobId, words(), words(), hex"01");
        vm.assertTrue(vault.balanceOf(REQUESTER) == ceiling - price);
        vm.assertTrue(vault.balanceOf(ALICE) + vault.balanceOf(PUBLISHER) == price);
        vm.assertTrue(vault.balanceOf(ALICE) >= vault.balanceOf(PUBLISHER));
        vm.assertTrue(vault.heldBy(address(market)) == 0);
    }

    function check_a_false_proof_settles_nothing(bytes calldata proof, address caller) public {
        vm.assume(proof.length != 1 && caller != address(market) && caller != address(vault));
        bytes32 jobId = awarded();
        bool ok = attempt(caller, abi.encodeCall(market.submitProof, (jobId, words(), words(), proof)));
        vm.assertTrue(!ok);
        vm.assertTrue(market.jobOf(jobId).state == JobState.Awarded);
        vm.assertTrue(vault.balanceOf(ALICE) == 0);
    }
}
