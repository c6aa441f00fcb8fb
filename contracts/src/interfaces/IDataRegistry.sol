// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Attestation, DataSet} from "../types/DataSet.sol";

/// @title Data sets as commitments, and who vouches for them
/// @notice A data set is a schema and commitments to blocks of rows; no row is here. An id is what it contains and has
/// no owner: whoever cannot open the commitments can do nothing with it. Attesters (a hospital, an auditor) sign ids.
interface IDataRegistry {
    /// @notice A data set was registered. `blocks` are the commitments in order.
    event DataSetRegistered(
        bytes32 indexed datasetId, bytes32 indexed schemaHash, uint32 rowsPerBlock, uint64 rows, uint256[] blocks
    );
    /// @notice `attester` vouches for the data set, in these words. `revision` and `signature` let anyone check it again.
    event DataSetAttested(
        bytes32 indexed datasetId, address indexed attester, uint32 revision, string statement, bytes signature
    );
    /// @notice The attester no longer vouches for it, and no signature that it made before counts any more.
    event AttestationWithdrawn(bytes32 indexed datasetId, address indexed attester, uint32 revision);

    error DataSetUnknown(bytes32 datasetId);
    error NoRows();
    error ZeroRowsPerBlock();
    /// @notice The number of commitments is not ceil(rows / rowsPerBlock).
    error WrongBlockCount(uint256 got, uint256 expected);
    /// @notice A commitment is not below the group order.
    error BlockTooLarge(uint256 index, uint256 value);
    error StatementTooLong(uint256 length, uint256 maximum);
    /// @notice The signature is not the attester's over this data set, statement and its present revision.
    error WrongAttestation(bytes32 datasetId, address attester, uint32 revision);

    /// @notice Registers a data set; anyone may. Registering it again changes nothing.
    /// @param schemaHash see DataSet
    /// @param rowsPerBlock see DataSet
    /// @param rows see DataSet
    /// @param blocks commitments, each below the group order: of the first rowsPerBlock rows, of the next, ..
    /// @return datasetId see `datasetIdOf`
    function register(bytes32 schemaHash, uint32 rowsPerBlock, uint64 rows, uint256[] calldata blocks)
        external
        returns (bytes32 datasetId);

    /// @notice Records that `attester` vouches for a registered data set. Anyone may send what the attester signed.
    /// @param datasetId the data set
    /// @param attester an account (ECDSA) or a contract (ERC-1271)
    /// @param statement what it vouches for, at most 256 bytes
    /// @param signature over the EIP-712 struct
    /// `Attestation(bytes32 datasetId,address attester,uint32 revision,string statement)` in this contract's domain (name
    /// "Assay DataRegistry", version "1"), with the revision that `attestationOf` tells
    function attest(bytes32 datasetId, address attester, string calldata statement, bytes calldata signature) external;

    /// @notice Withdraws what the caller said of a data set, and voids what it signed and nobody has sent yet.
    function withdraw(bytes32 datasetId) external;

    /// @notice A data set as stored. Reverts if it is unknown.
    function dataSetOf(bytes32 datasetId) external view returns (DataSet memory);

    /// @notice What `attester` says of a data set: zeros if it never said anything.
    function attestationOf(bytes32 datasetId, address attester) external view returns (Attestation memory);

    /// @notice Whether `attester` vouches for the data set now.
    function isAttestedBy(bytes32 datasetId, address attester) external view returns (bool);

    /// @notice keccak256(abi.encode(schemaHash, rowsPerBlock, rows, keccak256(abi.encodePacked(blocks)))).
    function datasetIdOf(bytes32 schemaHash, uint32 rowsPerBlock, uint64 rows, bytes32 blocksHash)
        external
        pure
        returns (bytes32);

    /// @notice What an attester signs.
    function attestationHash(bytes32 datasetId, address attester, uint32 revision, string calldata statement)
        external
        view
        returns (bytes32);
}
