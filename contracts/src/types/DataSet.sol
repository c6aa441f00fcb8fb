// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice A data set as stored. Its blocks are in the log of its registration; here is what binds them.
/// @param schemaHash keccak256 of the schema's canonical JSON: columns, ranges, categories, encoding
/// @param rowsPerBlock rows behind every block but the last, which may have fewer
/// @param rows rows in all, at least 1
/// @param blockCount commitments in all, ceil(rows / rowsPerBlock)
/// @param registeredAt timestamp of the registration, 0 if there is none
/// @param blocksHash keccak256 of the blocks' commitments, packed
struct DataSet {
    bytes32 schemaHash;
    uint32 rowsPerBlock;
    uint64 rows;
    uint32 blockCount;
    uint64 registeredAt;
    bytes32 blocksHash;
}

/// @notice What an attester says of a data set, now.
/// @param since timestamp from which it stands, 0 if it does not
/// @param withdrawnAt timestamp of the last withdrawal, 0 if there was none
/// @param revision what the attester's next signature must carry; grows with every attestation and every withdrawal
/// @param statementHash keccak256 of the statement that stands, 0 if none does
struct Attestation {
    uint64 since;
    uint64 withdrawnAt;
    uint32 revision;
    bytes32 statementHash;
}
