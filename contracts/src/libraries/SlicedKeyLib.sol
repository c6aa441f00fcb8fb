// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DELTA, GAMMA, SLICED_PREFIX, VerifyingKeyLib} from "./VerifyingKeyLib.sol";

/// @title Keys of sliced models: a header and the verifying keys of the slices, in order
/// @notice A slice's statement is the binding, the words that enter it and the words that leave it. Between two slices
/// that is one word, a commitment to the activations there: it leaves one and enters the next.
/// @dev Header word: "ASVS", version 1, number of slices, zeros. Each key begins on a word and says its own length.
library SlicedKeyLib {
    /// @notice The key of slice `index` is for `n` words; inner slices have three, the outer ones at least three.
    error WrongSliceStatement(uint256 index, uint256 n);

    /// @notice Most slices of a model.
    uint256 internal constant MAX_SLICES = 16;

    /// @notice Splits a header word.
    /// @return valid whether it is one of a sliced key
    /// @return count slices
    function parseHeader(uint256 header) internal pure returns (bool valid, uint256 count) {
        count = (header >> 208) & 0xff;
        valid = header == (SLICED_PREFIX << 216) | (count << 208) && count >= 2 && count <= MAX_SLICES;
    }

    /// @notice Whether these are the bytes of a sliced key, or at least begin like them.
    function isSliced(bytes calldata vk) internal pure returns (bool valid) {
        if (vk.length < 0x20) return false;
        uint256 header;
        assembly ("memory-safe") {
            header := calldataload(vk.offset)
        }
        (valid,) = parseHeader(header);
    }

    /// @notice Refuses a key under which a proof would not mean what it says. Done once, when a key is stored.
    /// @param vk a sliced key, as its header says
    /// @return commitments slices with private weights, each of which has a model commitment of its own
    /// @return nIn words of the model's input
    /// @return nOut words of the model's output
    function check(bytes memory vk) internal view returns (uint256 commitments, uint256 nIn, uint256 nOut) {
        uint256 start;
        assembly ("memory-safe") {
            start := add(vk, 0x20)
        }
        (, uint256 count) = parseHeader(_load(start));
        uint256[] memory keys = new uint256[](count);
        uint256 cursor = start + 0x20;
        for (uint256 i; i < count; ++i) {
            keys[i] = cursor;
            (uint256 flags, uint256 n) = VerifyingKeyLib.checkPrefix(cursor, start + vk.length - cursor);
            if (n < 3 || (n != 3 && i != 0 && i + 1 != count)) revert WrongSliceStatement(i, n);
            if (i == 0) nIn = n - 2;
            if (i + 1 == count) nOut = n - 2;
            commitments += flags >> 1;
            cursor += VerifyingKeyLib.length(flags, n);
        }
        if (cursor != start + vk.length) revert VerifyingKeyLib.WrongKeyLength(vk.length, cursor - start);
        _checkDistinct(keys, start);
    }

    /// @dev No delta of a slice is, up to sign, gamma or a delta of another: with both from one secret, the elements of
    /// either proving key would serve in the other's proofs. Equal gammas are common (snarkjs has the generator) and
    /// do no harm; within one key `VerifyingKeyLib` has looked already.
    function _checkDistinct(uint256[] memory keys, uint256 start) private pure {
        for (uint256 i; i < keys.length; ++i) {
            uint256 end = keys[i] + VerifyingKeyLib.icOffset(_flags(keys[i]));
            for (uint256 delta = keys[i] + DELTA; delta < end; delta += 0x80) {
                for (uint256 j; j < keys.length; ++j) {
                    if (i != j) _checkAgainst(keys[j], delta, start);
                }
            }
        }
    }

    function _checkAgainst(uint256 key, uint256 delta, uint256 start) private pure {
        uint256 end = key + VerifyingKeyLib.icOffset(_flags(key));
        for (uint256 other = key + GAMMA; other < end; other += 0x80) {
            if (_load(other) == _load(delta) && _load(other + 0x20) == _load(delta + 0x20)) {
                revert VerifyingKeyLib.KeyPointsNotDistinct(other - start, delta - start);
            }
        }
    }

    function _flags(uint256 key) private pure returns (uint256 flags) {
        (, flags,) = VerifyingKeyLib.parseHeader(_load(key));
    }

    function _load(uint256 cursor) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(cursor)
        }
    }
}
