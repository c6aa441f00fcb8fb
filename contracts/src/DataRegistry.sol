// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {IDataRegistry} from "./interfaces/IDataRegistry.sol";
import {GROUP_ORDER} from "./libraries/Bn254.sol";
import {Attestation, DataSet} from "./types/DataSet.sol";

/// @title Registered data sets and their attesters
/// @dev Holds no money and calls nobody but an attester that is a contract, by a static call (ERC-1271). Nothing of a data
/// set ever changes; an attestation is its attester's alone to give and to take.
contract DataRegistry is IDataRegistry, EIP712 {
    /// @notice Longest statement of an attester in bytes.
    uint256 public constant MAX_STATEMENT_LENGTH = 256;

    bytes32 private constant ATTESTATION_TYPEHASH =
        keccak256("Attestation(bytes32 datasetId,address attester,uint32 revision,string statement)");

    mapping(bytes32 datasetId => DataSet) private _dataSets;
    mapping(bytes32 datasetId => mapping(address attester => Attestation)) private _attestations;

    constructor() EIP712("Assay DataRegistry", "1") {}

    /// @inheritdoc IDataRegistry
    function register(bytes32 schemaHash, uint32 rowsPerBlock, uint64 rows, uint256[] calldata blocks)
        external
        returns (bytes32 datasetId)
    {
        if (rows == 0) revert NoRows();
        if (rowsPerBlock == 0) revert ZeroRowsPerBlock();
        uint256 expected = (uint256(rows) + rowsPerBlock - 1) / rowsPerBlock;
        if (blocks.length != expected) revert WrongBlockCount(blocks.length, expected);
        for (uint256 i; i < blocks.length; ++i) {
            if (blocks[i] >= GROUP_ORDER) revert BlockTooLarge(i, blocks[i]);
        }
        bytes32 blocksHash = keccak256(abi.encodePacked(blocks));
        datasetId = datasetIdOf(schemaHash, rowsPerBlock, rows, blocksHash);
        // Whoever comes first gains nothing by it, and the second must not fail for it.
        if (_dataSets[datasetId].registeredAt != 0) return datasetId;
        _dataSets[datasetId] = DataSet({
            schemaHash: schemaHash,
            rowsPerBlock: rowsPerBlock,
            rows: rows,
            blockCount: SafeCast.toUint32(blocks.length),
            registeredAt: uint64(block.timestamp),
            blocksHash: blocksHash
        });
        emit DataSetRegistered(datasetId, schemaHash, rowsPerBlock, rows, blocks);
    }

    /// @inheritdoc IDataRegistry
    function attest(bytes32 datasetId, address attester, string calldata statement, bytes calldata signature) external {
        _requireKnown(datasetId);
        uint256 length = bytes(statement).length;
        if (length > MAX_STATEMENT_LENGTH) revert StatementTooLong(length, MAX_STATEMENT_LENGTH);
        Attestation storage attestation = _attestations[datasetId][attester];
        uint32 revision = attestation.revision;
        bytes32 signed = attestationHash(datasetId, attester, revision, statement);
        // The revision is used up before an attester's code is asked, whatever that code does.
        attestation.revision = revision + 1;
        attestation.since = uint64(block.timestamp);
        attestation.statementHash = keccak256(bytes(statement));
        if (!SignatureChecker.isValidSignatureNowCalldata(attester, signed, signature)) {
            revert WrongAttestation(datasetId, attester, revision);
        }
        emit DataSetAttested(datasetId, attester, revision, statement, signature);
    }

    /// @inheritdoc IDataRegistry
    function withdraw(bytes32 datasetId) external {
        _requireKnown(datasetId);
        Attestation storage attestation = _attestations[datasetId][msg.sender];
        uint32 revision = attestation.revision;
        attestation.revision = revision + 1;
        attestation.since = 0;
        attestation.withdrawnAt = uint64(block.timestamp);
        attestation.statementHash = 0;
        emit AttestationWithdrawn(datasetId, msg.sender, revision);
    }

    /// @inheritdoc IDataRegistry
    function dataSetOf(bytes32 datasetId) external view returns (DataSet memory) {
        _requireKnown(datasetId);
        return _dataSets[datasetId];
    }

    /// @inheritdoc IDataRegistry
    function attestationOf(bytes32 datasetId, address attester) external view returns (Attestation memory) {
        return _attestations[datasetId][attester];
    }

    /// @inheritdoc IDataRegistry
    function isAttestedBy(bytes32 datasetId, address attester) external view returns (bool) {
        return _attestations[datasetId][attester].since != 0;
    }

    /// @inheritdoc IDataRegistry
    function datasetIdOf(bytes32 schemaHash, uint32 rowsPerBlock, uint64 rows, bytes32 blocksHash)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(schemaHash, rowsPerBlock, rows, blocksHash));
    }

    /// @inheritdoc IDataRegistry
    function attestationHash(bytes32 datasetId, address attester, uint32 revision, string calldata statement)
        public
        view
        returns (bytes32)
    {
        bytes32 statementHash = keccak256(bytes(statement));
        return
            _hashTypedDataV4(keccak256(abi.encode(ATTESTATION_TYPEHASH, datasetId, attester, revision, statementHash)));
    }

    function _requireKnown(bytes32 datasetId) private view {
        if (_dataSets[datasetId].registeredAt == 0) revert DataSetUnknown(datasetId);
    }
}
