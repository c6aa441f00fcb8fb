// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DataRegistry} from "../src/DataRegistry.sol";
import {IDataRegistry} from "../src/interfaces/IDataRegistry.sol";
import {GROUP_ORDER} from "../src/libraries/Bn254.sol";
import {Attestation, DataSet} from "../src/types/DataSet.sol";
import {MarketTest} from "./utils/MarketTest.sol";

/// @dev An attester that is a contract: it vouches for what it was told to, as ERC-1271 says it.
contract ContractAttester {
    bytes32 private _approved;

    function approve(bytes32 hash) external {
        _approved = hash;
    }

    function withdraw(IDataRegistry registry, bytes32 datasetId) external {
        registry.withdraw(datasetId);
    }

    function isValidSignature(bytes32 hash, bytes calldata) external view returns (bytes4) {
        return hash == _approved ? this.isValidSignature.selector : bytes4(0);
    }
}

contract DataRegistryTest is MarketTest {
    DataRegistry internal data;
    bytes32 internal datasetId;
    bytes32 internal constant SCHEMA = keccak256("schema");
    string internal constant STATEMENT = "all patients of 2025, consented";

    function setUp() public override {
        super.setUp();
        data = new DataRegistry();
        datasetId = data.register(SCHEMA, 100, 250, blocks());
    }

    function blocks() internal pure returns (uint256[] memory words) {
        words = new uint256[](3);
        for (uint256 i; i < 3; ++i) {
            words[i] = uint256(keccak256(abi.encode(i))) % GROUP_ORDER;
        }
    }

    function signature(address attester, uint32 revision, string memory statement)
        internal
        view
        returns (bytes memory)
    {
        return signed(attester, data.attestationHash(datasetId, attester, revision, statement));
    }

    function attest(address attester, uint32 revision) internal {
        data.attest(datasetId, attester, STATEMENT, signature(attester, revision, STATEMENT));
    }

    function test_register_stores_what_the_id_binds() public {
        bytes32 blocksHash = keccak256(abi.encodePacked(blocks()));
        vm.assertEq(datasetId, keccak256(abi.encode(SCHEMA, uint32(100), uint64(250), blocksHash)));
        DataSet memory set = data.dataSetOf(datasetId);
        vm.assertEq(set.schemaHash, SCHEMA);
        vm.assertEq(set.rowsPerBlock, 100);
        vm.assertEq(set.rows, 250);
        vm.assertEq(set.blockCount, 3);
        vm.assertEq(set.registeredAt, block.timestamp);
        vm.assertEq(set.blocksHash, blocksHash);
        uint256[] memory one = new uint256[](1);
        one[0] = 7;
        bytes32 expected = data.datasetIdOf(SCHEMA, 10, 10, keccak256(abi.encodePacked(one)));
        vm.expectEmit(address(data));
        emit IDataRegistry.DataSetRegistered(expected, SCHEMA, 10, 10, one);
        vm.assertEq(data.register(SCHEMA, 10, 10, one), expected);
    }

    /// @dev A stranger that registers it first makes nobody fail and changes nothing, its date included.
    function test_registering_again_changes_nothing() public {
        attest(alice, 0);
        vm.warp(block.timestamp + 1 days);
        vm.prank(stranger);
        vm.assertEq(data.register(SCHEMA, 100, 250, blocks()), datasetId);
        vm.assertEq(data.dataSetOf(datasetId).registeredAt, block.timestamp - 1 days);
        vm.assertTrue(data.isAttestedBy(datasetId, alice));
    }

    function test_register_refuses_what_is_no_data_set() public {
        vm.expectRevert(IDataRegistry.NoRows.selector);
        data.register(SCHEMA, 100, 0, new uint256[](0));
        vm.expectRevert(IDataRegistry.ZeroRowsPerBlock.selector);
        data.register(SCHEMA, 0, 250, blocks());
        vm.expectRevert(abi.encodeWithSelector(IDataRegistry.WrongBlockCount.selector, 3, 4));
        data.register(SCHEMA, 100, 301, blocks());
        vm.expectRevert(abi.encodeWithSelector(IDataRegistry.WrongBlockCount.selector, 3, 2));
        data.register(SCHEMA, 100, 200, blocks());
        uint256[] memory large = blocks();
        large[1] = GROUP_ORDER;
        vm.expectRevert(abi.encodeWithSelector(IDataRegistry.BlockTooLarge.selector, 1, GROUP_ORDER));
        data.register(SCHEMA, 100, 250, large);
        // The largest row count there is does not wrap the number of blocks.
        vm.expectRevert(abi.encodeWithSelector(IDataRegistry.WrongBlockCount.selector, 3, type(uint64).max));
        data.register(SCHEMA, 1, type(uint64).max, blocks());
    }

    function test_attest_records_and_announces() public {
        bytes memory good = signature(alice, 0, STATEMENT);
        vm.expectEmit(address(data));
        emit IDataRegistry.DataSetAttested(datasetId, alice, 0, STATEMENT, good);
        vm.prank(stranger);
        data.attest(datasetId, alice, STATEMENT, good);
        Attestation memory attestation = data.attestationOf(datasetId, alice);
        vm.assertEq(attestation.since, block.timestamp);
        vm.assertEq(attestation.withdrawnAt, 0);
        vm.assertEq(attestation.revision, 1);
        vm.assertEq(attestation.statementHash, keccak256(bytes(STATEMENT)));
        vm.assertTrue(!data.isAttestedBy(datasetId, bob));
    }

    /// @dev The hash is EIP-712's, written out here once more: what wallets and the Python client sign.
    function test_attestationHash_is_the_typed_data_hash() public view {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Assay DataRegistry"),
                keccak256("1"),
                block.chainid,
                address(data)
            )
        );
        bytes32 typehash = keccak256("Attestation(bytes32 datasetId,address attester,uint32 revision,string statement)");
        bytes32 content = keccak256(abi.encode(typehash, datasetId, alice, uint32(3), keccak256(bytes(STATEMENT))));
        vm.assertEq(
            data.attestationHash(datasetId, alice, 3, STATEMENT),
            keccak256(abi.encodePacked(hex"1901", domain, content))
        );
    }

    /// @dev From a good signature, one thing changed each.
    function test_attest_refuses_every_signature_but_the_attesters_over_this() public {
        bytes memory good = signature(alice, 0, STATEMENT);
        expectRefused(bob, STATEMENT, good);
        expectRefused(address(0), STATEMENT, good);
        expectRefused(alice, "all patients of 2026, consented", good);
        expectRefused(alice, STATEMENT, signature(alice, 1, STATEMENT));
        expectRefused(alice, STATEMENT, signature(bob, 0, STATEMENT));
        expectRefused(alice, STATEMENT, "");
        expectRefused(alice, STATEMENT, slice(good, 0, 64));
        expectRefused(alice, STATEMENT, bytes.concat(good, hex"00"));
        bytes32 other = data.register(SCHEMA, 50, 150, blocks());
        expectRefused(alice, STATEMENT, signed(alice, data.attestationHash(other, alice, 0, STATEMENT)));
        DataRegistry elsewhere = new DataRegistry();
        expectRefused(alice, STATEMENT, signed(alice, elsewhere.attestationHash(datasetId, alice, 0, STATEMENT)));
        vm.chainId(4242);
        expectRefused(alice, STATEMENT, good);
    }

    function expectRefused(address attester, string memory statement, bytes memory bad) private {
        vm.expectRevert(abi.encodeWithSelector(IDataRegistry.WrongAttestation.selector, datasetId, attester, 0));
        data.attest(datasetId, attester, statement, bad);
        vm.assertEq(data.attestationOf(datasetId, attester).revision, 0);
    }

    /// @dev Attested, withdrawn, attested again: no signature counts twice, by whomever it is sent.
    function test_a_withdrawn_attestation_cannot_be_sent_again() public {
        bytes memory first = signature(alice, 0, STATEMENT);
        bytes memory ahead = signature(alice, 1, STATEMENT);
        data.attest(datasetId, alice, STATEMENT, first);
        vm.warp(block.timestamp + 10);
        vm.expectEmit(address(data));
        emit IDataRegistry.AttestationWithdrawn(datasetId, alice, 1);
        vm.prank(alice);
        data.withdraw(datasetId);
        vm.assertTrue(!data.isAttestedBy(datasetId, alice));
        vm.assertEq(data.attestationOf(datasetId, alice).withdrawnAt, block.timestamp);
        // Neither the one that stood, nor the one that was signed for the revision the withdrawal used up.
        vm.expectRevert(abi.encodeWithSelector(IDataRegistry.WrongAttestation.selector, datasetId, alice, 2));
        data.attest(datasetId, alice, STATEMENT, first);
        vm.expectRevert(abi.encodeWithSelector(IDataRegistry.WrongAttestation.selector, datasetId, alice, 2));
        data.attest(datasetId, alice, STATEMENT, ahead);
        attest(alice, 2);
        vm.assertTrue(data.isAttestedBy(datasetId, alice));
        vm.assertEq(data.attestationOf(datasetId, alice).since, block.timestamp);
    }

    /// @dev A signature that was given away and not yet sent is void once its maker withdraws.
    function test_withdrawing_first_voids_what_was_signed() public {
        bytes memory early = signature(alice, 0, STATEMENT);
        vm.prank(alice);
        data.withdraw(datasetId);
        vm.expectRevert(abi.encodeWithSelector(IDataRegistry.WrongAttestation.selector, datasetId, alice, 1));
        data.attest(datasetId, alice, STATEMENT, early);
    }

    function test_nobody_withdraws_for_another() public {
        attest(alice, 0);
        vm.prank(stranger);
        data.withdraw(datasetId);
        vm.assertTrue(data.isAttestedBy(datasetId, alice));
    }

    function test_a_contract_attests_by_ERC1271() public {
        ContractAttester attester = new ContractAttester();
        vm.expectRevert(
            abi.encodeWithSelector(IDataRegistry.WrongAttestation.selector, datasetId, address(attester), 0)
        );
        data.attest(datasetId, address(attester), STATEMENT, "");
        attester.approve(data.attestationHash(datasetId, address(attester), 0, STATEMENT));
        data.attest(datasetId, address(attester), STATEMENT, "");
        vm.assertTrue(data.isAttestedBy(datasetId, address(attester)));
        attester.withdraw(data, datasetId);
        // It still approves of the hash that it once approved of: the revision makes that worth nothing.
        vm.expectRevert(
            abi.encodeWithSelector(IDataRegistry.WrongAttestation.selector, datasetId, address(attester), 2)
        );
        data.attest(datasetId, address(attester), STATEMENT, "");
    }

    function test_unknown_data_sets_and_long_statements_are_refused() public {
        bytes32 unknown = keccak256("unknown");
        bytes memory revert_ = abi.encodeWithSelector(IDataRegistry.DataSetUnknown.selector, unknown);
        vm.expectRevert(revert_);
        data.attest(unknown, alice, STATEMENT, "");
        vm.expectRevert(revert_);
        data.withdraw(unknown);
        vm.expectRevert(revert_);
        data.dataSetOf(unknown);
        vm.expectRevert(abi.encodeWithSelector(IDataRegistry.StatementTooLong.selector, 257, 256));
        data.attest(datasetId, alice, string(new bytes(257)), "");
    }

    function test_gas_of_registering_and_attesting() public {
        uint256[] memory one = new uint256[](1);
        one[0] = 7;
        data.register(SCHEMA, 455, 455, one);
        vm.snapshotGasLastCall("data", "register, one block");
        attest(alice, 0);
        vm.snapshotGasLastCall("data", "attest");
        vm.prank(alice);
        data.withdraw(datasetId);
        vm.snapshotGasLastCall("data", "withdraw");
    }
}
