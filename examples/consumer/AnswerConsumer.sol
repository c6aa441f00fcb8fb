// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IJobConsumer} from "assay/interfaces/IJobConsumer.sol";
import {IMarket} from "assay/interfaces/IMarket.sol";
import {IVault} from "assay/interfaces/IVault.sol";
import {JobRequest} from "assay/types/Job.sol";

/// @title A contract that asks a model with a public output, and acts on the proven answer
/// @notice It posts jobs, takes each answer when the market calls it, decodes the packed words into the model's
/// integers, and keeps the class with the greatest score. What a job does not cost is credited to it in the vault;
/// `withdraw` takes that out.
contract AnswerConsumer is IJobConsumer {
    /// @notice How the model packs its outputs; `assay model show --json` prints them as output.lo, bits and shape.
    struct Outputs {
        int256 lo;
        uint8 bits;
        uint16 count;
    }

    error NotOwner(address caller);
    error NotMarket(address caller);
    error NotAsked(bytes32 jobId);

    event Asked(bytes32 indexed jobId);
    event Answered(bytes32 indexed jobId, uint256 class, int256 score);

    IMarket public immutable market;
    IVault public immutable vault;
    address public immutable owner;
    bytes32 public immutable modelId;
    Outputs public outputs;

    mapping(bytes32 jobId => bool) public pending;
    mapping(bytes32 jobId => uint256) public classOf;

    /// @dev The packing puts floor(253 / bits) values into a word, the first in its lowest bits.
    uint256 private constant WORD_BITS = 253;

    constructor(IMarket market_, bytes32 modelId_, Outputs memory outputs_) {
        require(outputs_.bits > 0 && outputs_.bits < 63 && outputs_.count > 0, "no such packing");
        (market, vault, owner, modelId, outputs) = (market_, market_.vault(), msg.sender, modelId_, outputs_);
    }

    /// @notice Posts a job about a public input; msg.value is the ceiling of its price.
    function ask(uint256[] calldata inputWords, uint32 callbackGas) external payable returns (bytes32 jobId) {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        JobRequest memory request;
        request.modelId = modelId;
        request.maxPrice = uint128(msg.value);
        (request.bidWindow, request.acceptWindow, request.proveWindow) = (60, 300, 3600);
        (request.callback, request.callbackGas, request.rounds) = (address(this), callbackGas, 3);
        jobId = market.submitJob{value: msg.value}(request, inputWords);
        pending[jobId] = true;
        emit Asked(jobId);
    }

    /// @inheritdoc IJobConsumer
    /// @dev Only the market may call it, and only about a job of this contract that has no answer yet.
    function onJobSettled(bytes32 jobId, uint256[] calldata outputWords) external {
        if (msg.sender != address(market)) revert NotMarket(msg.sender);
        if (!pending[jobId]) revert NotAsked(jobId);
        delete pending[jobId];
        (uint256 class, int256 score) = greatest(outputWords);
        classOf[jobId] = class;
        emit Answered(jobId, class, score);
    }

    /// @notice Takes out what the vault owes this contract: refunds, and what jobs cost less than their ceilings.
    function withdraw(address to) external returns (uint256 amount) {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        amount = vault.balanceOf(address(this));
        vault.withdraw(amount, to);
    }

    /// @notice The class with the greatest score, the first of equals, and that score as the model's integer.
    function greatest(uint256[] calldata words) public view returns (uint256 class, int256 score) {
        Outputs memory o = outputs;
        uint256 perWord = WORD_BITS / o.bits;
        uint256 mask = (1 << o.bits) - 1;
        score = type(int256).min;
        for (uint256 i; i < o.count; ++i) {
            int256 value = o.lo + int256((words[i / perWord] >> (o.bits * (i % perWord))) & mask);
            if (value > score) (class, score) = (i, value);
        }
    }
}
