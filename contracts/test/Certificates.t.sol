// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Certificates} from "../src/Certificates.sol";
import {DataRegistry} from "../src/DataRegistry.sol";
import {ICertificates} from "../src/interfaces/ICertificates.sol";
import {IDataRegistry} from "../src/interfaces/IDataRegistry.sol";
import {IMarket} from "../src/interfaces/IMarket.sol";
import {IModelRegistry} from "../src/interfaces/IModelRegistry.sol";
import {JobState} from "../src/types/Job.sol";
import {Lineage} from "../src/types/Lineage.sol";
import {ModelSpec} from "../src/types/Model.sol";
import {MarketTest} from "./utils/MarketTest.sol";

contract CertificatesTest is MarketTest {
    DataRegistry internal data;
    Certificates internal certificates;
    bytes32 internal trained;
    bytes32 internal datasetId;
    bytes32 internal jobId;

    function setUp() public override {
        super.setUp();
        data = new DataRegistry();
        certificates = new Certificates(market, data);
        datasetId = data.register(keccak256("schema"), 455, 455, inputWords());
        jobId = settled();
        ModelSpec memory other = spec();
        other.circuitHash = keccak256("the trained network");
        vm.prank(requester);
        trained = models.register(other, toy.vk, toy.modelCommitment);
    }

    function certify(bytes32 model, bytes32 job, bytes32 dataset) internal {
        vm.prank(requester);
        certificates.certify(model, job, dataset);
    }

    function test_certify_records_program_job_and_data() public {
        vm.assertEq(certificates.lineageOf(trained).certifiedAt, 0);
        vm.expectEmit(address(certificates));
        emit ICertificates.ModelCertified(trained, modelId, datasetId, jobId);
        certify(trained, jobId, datasetId);
        vm.snapshotGasLastCall("data", "certify");
        Lineage memory lineage = certificates.lineageOf(trained);
        vm.assertEq(lineage.programId, modelId);
        vm.assertEq(lineage.jobId, jobId);
        vm.assertEq(lineage.datasetId, datasetId);
        vm.assertEq(lineage.certifiedAt, block.timestamp);
    }

    function test_only_the_owner_certifies_and_only_once() public {
        vm.expectRevert(abi.encodeWithSelector(ICertificates.NotModelOwner.selector, trained, stranger));
        vm.prank(stranger);
        certificates.certify(trained, jobId, datasetId);
        certify(trained, jobId, datasetId);
        vm.expectRevert(abi.encodeWithSelector(ICertificates.AlreadyCertified.selector, trained));
        certify(trained, jobId, datasetId);
    }

    function test_a_job_that_is_not_settled_has_no_output() public {
        for (uint256 i; i <= uint256(JobState.Cancelled); ++i) {
            JobState state = JobState(i);
            if (state == JobState.Settled) continue;
            bytes32 job = inState(state);
            vm.expectRevert(abi.encodeWithSelector(ICertificates.JobNotSettled.selector, job, state));
            certify(trained, job, datasetId);
        }
    }

    function test_another_data_set_is_refused() public {
        uint256[] memory blocks = new uint256[](2);
        blocks[0] = inputWords()[0];
        blocks[1] = 1;
        bytes32 longer = data.register(keccak256("schema"), 455, 456, blocks);
        vm.expectRevert(abi.encodeWithSelector(ICertificates.OtherInput.selector, jobId, longer));
        certify(trained, jobId, longer);
        vm.expectRevert(abi.encodeWithSelector(IDataRegistry.DataSetUnknown.selector, bytes32(0)));
        certify(trained, jobId, 0);
    }

    function test_unknown_models_and_the_program_itself_are_refused() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelUnknown.selector, bytes32(uint256(1))));
        certify(bytes32(uint256(1)), jobId, datasetId);
        vm.expectRevert(abi.encodeWithSelector(ICertificates.OwnProgram.selector, modelId));
        vm.prank(publisher);
        certificates.certify(modelId, jobId, datasetId);
    }

    function test_constructor_wants_contracts() public {
        vm.expectRevert(abi.encodeWithSelector(ICertificates.WrongWiring.selector, stranger));
        new Certificates(IMarket(stranger), data);
        vm.expectRevert(abi.encodeWithSelector(ICertificates.WrongWiring.selector, stranger));
        new Certificates(market, IDataRegistry(stranger));
    }
}
