// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice A worker as registered. Counters are written by the market alone, from jobs that reached an end.
/// @param registered false for an address that never registered
/// @param encryptionKey X25519 public key inputs are encrypted to
/// @param stake wei staked, locked part included
/// @param locked wei of the stake that stands as collateral for accepted jobs
/// @param completed jobs settled
/// @param missed awards not accepted in time
/// @param failed accepted jobs not proven in time
/// @param endpoint URL where requesters deliver inputs
struct Worker {
    bool registered;
    bytes32 encryptionKey;
    uint128 stake;
    uint128 locked;
    uint64 completed;
    uint64 missed;
    uint64 failed;
    string endpoint;
}
