// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice A worker as registered. Counters are written by the market alone, from jobs that reached an end.
/// @param registered false for an address that never registered
/// @param stake wei that back jobs or are free to; what is leaving is no longer part of it
/// @param reserved wei of the stake that back jobs the worker leads, was awarded or has accepted
/// @param leaving wei on their way out, see `leavesAt`
/// @param leavesAt when what is leaving may be withdrawn, in seconds of block time; 0 if nothing is leaving
/// @param revision 1 on registration, one more with every update; part of what `signature` signs
/// @param completed jobs settled
/// @param missed awards neither accepted, proven nor declined in time
/// @param failed accepted jobs not proven in time
/// @param encryptionKey X25519 public key inputs are encrypted to
/// @param endpoint URL where requesters deliver inputs
/// @param signature by the worker's account over worker, endpoint, encryption key and revision (EIP-712), 65 bytes
struct Worker {
    bool registered;
    uint120 stake;
    uint120 reserved;
    uint128 leaving;
    uint64 leavesAt;
    uint32 revision;
    uint64 completed;
    uint64 missed;
    uint64 failed;
    bytes32 encryptionKey;
    string endpoint;
    bytes signature;
}
