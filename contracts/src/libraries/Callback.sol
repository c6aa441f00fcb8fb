// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IJobConsumer} from "../interfaces/IJobConsumer.sol";
import {IMarket} from "../interfaces/IMarket.sol";

/// @title A call to a stranger, bounded in gas and in return data
library Callback {
    /// @dev What is left to the caller besides the callback's gas: the call's own price (2,600 for a cold account),
    /// an event if it fails, and the way out.
    uint256 internal constant RESERVE = 15_000;

    /// @notice Calls `onJobSettled` with exactly `gasLimit` gas; no return data is copied.
    /// @dev A CALL hands over at most 63/64 of what is left (EIP-150) and silently gives less than asked for, so
    /// whoever sends the proof could starve the callback. Too little gas therefore reverts everything.
    /// @return ok false if the callback reverted or ran out of its gas
    function notify(address target, uint256 gasLimit, bytes32 jobId, uint256[] calldata outputWords)
        internal
        returns (bool ok)
    {
        bytes memory data = abi.encodeCall(IJobConsumer.onJobSettled, (jobId, outputWords));
        uint256 needed = gasLimit + gasLimit / 63 + RESERVE;
        if (gasleft() < needed) revert IMarket.CallbackGasShort(gasleft(), needed);
        assembly ("memory-safe") {
            ok := call(gasLimit, target, 0, add(data, 0x20), mload(data), 0x00, 0x00)
        }
    }
}
