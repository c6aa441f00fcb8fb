// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Where a job stands. `None` is a job that was never submitted; the last four are final.
enum JobState {
    None,
    Open,
    Awarded,
    Accepted,
    Settled,
    Expired,
    Refunded,
    Cancelled
}

/// @notice What a requester asks for. Amounts in wei, windows in seconds.
/// @param modelId the registered model to run
/// @param maxPrice ceiling of the price, held in the vault from submission until the job is final
/// @param minStake stake that backs the job: the larger of this and `collateral` is reserved of the worker's
/// @param collateral what a worker that accepted loses to the requester if it never proves; may be 0
/// @param bidWindow seconds for bids, counted anew for every round; at most a day
/// @param acceptWindow seconds from award to acceptance, or to the proof itself; at most 7 days
/// @param proveWindow seconds from acceptance to proof; at most 30 days
/// @param inputRef opaque reference to the input (a content hash of the ciphertext, say); not interpreted on chain
/// @param inputUri where the winner finds the input; may be empty
/// @param callback contract told of the result, or zero for none
/// @param callbackGas gas handed to `callback`; 0 exactly when there is no callback
/// @param requesterAwards the requester alone awards, to a bidder of its choice
/// @param rounds bidding rounds before the job is refunded, 1 to 3
struct JobRequest {
    bytes32 modelId;
    uint128 maxPrice;
    uint128 minStake;
    uint128 collateral;
    uint32 bidWindow;
    uint32 acceptWindow;
    uint32 proveWindow;
    bytes32 inputRef;
    string inputUri;
    address callback;
    uint32 callbackGas;
    bool requesterAwards;
    uint8 rounds;
}

/// @notice A job as stored: seven slots. What nobody but a node needs (input words, URIs) is in the logs only.
/// @param modelId the registered model
/// @param inputHash keccak256 of the input words, packed
/// @param requester who pays, and who is refunded
/// @param state where the job stands
/// @param round bidding round, from 0; grows each time an award lapses or is declined
/// @param callbackGas see JobRequest
/// @param bidWindow see JobRequest
/// @param requesterAwards see JobRequest
/// @param rounds see JobRequest
/// @param worker while Open the leading bidder (zero if none), afterwards the awarded worker
/// @param acceptWindow see JobRequest
/// @param proveWindow see JobRequest
/// @param callback see JobRequest
/// @param deadline last second in which the current state's action is allowed (bid, accept or prove)
/// @param maxPrice see JobRequest
/// @param price while Open the leading price, afterwards the awarded one
/// @param minStake see JobRequest
/// @param collateral see JobRequest
struct Job {
    bytes32 modelId;
    bytes32 inputHash;
    address requester;
    JobState state;
    uint8 round;
    uint32 callbackGas;
    uint32 bidWindow;
    bool requesterAwards;
    uint8 rounds;
    address worker;
    uint32 acceptWindow;
    uint32 proveWindow;
    address callback;
    uint64 deadline;
    uint128 maxPrice;
    uint128 price;
    uint128 minStake;
    uint128 collateral;
}

/// @notice A worker's standing bid in one round of one job.
/// @param price in wei
/// @param standing false if the worker has not bid in this round
struct Bid {
    uint128 price;
    bool standing;
}
