// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice What a publisher says of a model. All of it is immutable, all but `uri` is hashed into the model's id.
/// @param circuitHash hash of the constraint system
/// @param quantisationHash hash of the quantisation's parameters
/// @param metadataHash hash of the manifest: shapes, labels, ranges of the packing
/// @param ceremonyHash hash of the setup's transcript; zero for a single-party development setup. Nothing here can check
/// it: it says which transcript to check, and a model whose transcript is missing or fails is a development setup, too
/// @param uri where the bundle can be fetched
/// @param royaltyBps publisher's share of each price, in hundredths of a percent, at most 5000
/// @param nIn input words of the statement; 1 if the input is private
/// @param nOut output words of the statement, at least 1
/// @param inputPrivate the input word is a commitment
/// @param outputEncrypted the output words are encrypted under the commitment's salt; only with `inputPrivate`
/// @param outputCommitted the output word is a commitment; only with `inputPrivate`, not with `outputEncrypted`
struct ModelSpec {
    bytes32 circuitHash;
    bytes32 quantisationHash;
    bytes32 metadataHash;
    bytes32 ceremonyHash;
    string uri;
    uint16 royaltyBps;
    uint32 nIn;
    uint32 nOut;
    bool inputPrivate;
    bool outputEncrypted;
    bool outputCommitted;
}

/// @notice A registered model.
/// @param owner who registered it
/// @param payout whose vault balance royalties are credited to; the owner may change it
/// @param retired no new jobs; those already posted still settle
/// @param verifyingKey data contract: one STOP byte, then the verifying key
/// @param vkHash keccak256 of the verifying key's bytes
/// @param modelCommitment M as two words, or empty if the weights are constants of the circuit; of a sliced model, one
/// for each slice with private weights
/// @param spec as registered
struct Model {
    address owner;
    address payout;
    bool retired;
    address verifyingKey;
    bytes32 vkHash;
    bytes modelCommitment;
    ModelSpec spec;
}

/// @notice What the market reads of a model when a job is posted.
struct ModelTerms {
    uint32 nIn;
    uint32 nOut;
    bool retired;
}

/// @notice What the market reads of a model when a proof arrives.
struct ModelSettlement {
    address verifyingKey;
    address payout;
    uint16 royaltyBps;
    uint32 nOut;
    bytes modelCommitment;
}
