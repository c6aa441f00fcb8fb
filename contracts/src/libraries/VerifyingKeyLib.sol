// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../interfaces/IGroth16Verifier.sol";
import {Bn254, G2_X_C0, G2_X_C1} from "./Bn254.sol";
import {DataCode, INDEX_PREFIX} from "./DataCode.sol";

// At file level, where inline assembly may name them.

/// @dev Flag: the proof has a commitment D, the statement is followed by a challenge.
uint256 constant COMMITTED = 1;
/// @dev Flag: weights are private and bound by M.
uint256 constant PRIVATE_WEIGHTS = 2;

/// @dev What `VerifyingKeyLib.loadAny` says of a key that is several (see SlicedKeyLib); no header has this flag.
uint256 constant SLICED = 4;
/// @dev "ASVS" and version 1, the first five bytes of a sliced key's header.
uint256 constant SLICED_PREFIX = 0x4153565301;

/// @dev Byte offsets of the key's points.
uint256 constant ALPHA = 0x20;
uint256 constant BETA = 0x60;
uint256 constant GAMMA = 0xe0;
uint256 constant DELTA = 0x160;
uint256 constant DELTA_1_OR_M = 0x1e0;

/// @title Verifying keys: layout, loading, and the checks of whoever stores one
/// @dev Words of a key: header, alpha (2), beta (4), gamma (4), delta (4), delta_1 (4, if committed), delta_m (4,
/// if private weights), then IC (2 each) of the wires 1, x_1..x_n and, if committed, the challenge.
library VerifyingKeyLib {
    /// @notice The length is not the one the header implies.
    error WrongKeyLength(uint256 got, uint256 expected);
    /// @notice Not "ASVK", not version 1, an unknown flag, or a byte that must be zero is not.
    error BadKeyHeader(uint256 header);
    /// @notice The G1 point at byte `offset` is not on the curve, or not canonical.
    error KeyPointNotOnCurve(uint256 offset);
    /// @notice The point at byte `offset` is infinity and must not be.
    error KeyPointAtInfinity(uint256 offset);
    /// @notice A G2 point is off its curve, outside the subgroup, or not canonical.
    error KeyPointNotInSubgroup();
    /// @notice Of gamma and the deltas, the points at these two offsets are equal up to sign.
    error KeyPointsNotDistinct(uint256 offset, uint256 otherOffset);
    /// @notice The delta at byte `offset` is the generator up to sign: a phase of the ceremony was skipped.
    error KeyDeltaIsGenerator(uint256 offset);

    /// @dev "ASVK" and version 1 at the top of the header word.
    uint256 private constant PREFIX = 0x4153564b01 << 216;

    /// @notice Splits a header word.
    /// @return valid whether it is a header of version 1 with known flags and zeros elsewhere
    /// @return flags COMMITTED and PRIVATE_WEIGHTS
    /// @return n words of a statement
    function parseHeader(uint256 header) internal pure returns (bool valid, uint256 flags, uint256 n) {
        flags = (header >> 208) & 0xff;
        n = (header >> 160) & 0xffffffff;
        // Rebuilding the word from what was read leaves no bit unchecked.
        valid = flags < 4 && header == PREFIX | (flags << 208) | (n << 160);
    }

    /// @notice Byte offset of IC, one G2 point later for each flag.
    function icOffset(uint256 flags) internal pure returns (uint256) {
        unchecked {
            return DELTA_1_OR_M + 0x80 * ((flags & COMMITTED) + (flags >> 1)); // flags < 4
        }
    }

    /// @notice Bytes of a key.
    function length(uint256 flags, uint256 n) internal pure returns (uint256) {
        unchecked {
            return icOffset(flags) + 0x40 * (1 + n + (flags & COMMITTED)); // flags < 4, n < 2^32
        }
    }

    /// @notice vkHash: keccak256 of a key in memory.
    function hash(uint256 key, uint256 flags, uint256 n) internal pure returns (bytes32 vkHash) {
        uint256 size = length(flags, n);
        assembly ("memory-safe") {
            vkHash := keccak256(key, size)
        }
    }

    /// @notice Copies a key from its data contract, or from those of its parts, into memory and checks STOP bytes, header
    /// and length.
    /// @return key address of the key in memory; two words behind it are free to scribble on
    /// @return flags see `parseHeader`; or SLICED, and then only the STOP byte was checked
    /// @return n words of a statement; if SLICED, the key's bytes
    function loadAny(address vk) internal view returns (uint256 key, uint256 flags, uint256 n) {
        bool valid;
        uint256 size;
        assembly ("memory-safe") {
            size := extcodesize(vk)
            // The word before the key is zero but for its last byte, where the STOP byte lands.
            let start := mload(0x40)
            mstore(start, 0)
            key := add(start, 0x20)
            extcodecopy(vk, sub(key, 1), 0, size)
            // One scalar is written two words past the last point of IC (see Groth16Verifier).
            mstore(0x40, add(add(key, and(add(size, 0x1f), not(0x1f))), 0x40))
            valid := iszero(mload(start))
        }
        bool known;
        (known, flags, n) = parseHeader(_load(key));
        unchecked {
            // Off the usual path everything else is told apart.
            if (!valid || !known || size != 1 + length(flags, n)) {
                if (!valid || size == 0) revert IGroth16Verifier.BadVerifyingKey(vk);
                if (_load(key) >> 216 == INDEX_PREFIX) {
                    (key, size) = _gather(vk, key, size);
                    (known, flags, n) = parseHeader(_load(key));
                    if (known && size == 1 + length(flags, n)) return (key, flags, n);
                }
                if (_load(key) >> 216 != SLICED_PREFIX) revert IGroth16Verifier.BadVerifyingKey(vk);
                (flags, n) = (SLICED, size - 1);
            }
        }
    }

    /// @dev Copies the parts that an index in memory names, one after the other. Each must have a STOP byte like any data
    /// contract: code that could change, as a delegation of EIP-7702 can, begins with another.
    /// @return key address in memory of the whole key
    /// @return size of the key, with one for a STOP byte like the code's of a key in one part
    function _gather(address vk, uint256 index, uint256 indexSize) private view returns (uint256 key, uint256 size) {
        (bool valid, uint256 count) = DataCode.parseHeader(_load(index));
        if (!valid || indexSize != 0x21 + (count << 5)) revert IGroth16Verifier.BadVerifyingKey(vk);
        assembly ("memory-safe") {
            key := mload(0x40)
            let cursor := key
            for { let i := 1 } iszero(gt(i, count)) { i := add(i, 1) } {
                let part := mload(add(index, shl(5, i)))
                let partSize := extcodesize(part)
                mstore(0x00, not(0)) // of an account without code nothing is copied, and this is no STOP byte
                extcodecopy(part, 0x00, 0, lt(0, partSize))
                valid := and(valid, iszero(byte(0, mload(0x00))))
                partSize := sub(partSize, lt(0, partSize))
                extcodecopy(part, cursor, 1, partSize)
                cursor := add(cursor, partSize)
            }
            mstore(cursor, 0) // a key shorter than its header says must not read on in what was here before
            size := add(1, sub(cursor, key))
            // Two words to scribble on, as behind a key in one part.
            mstore(0x40, add(and(add(cursor, 0x1f), not(0x1f)), 0x40))
        }
        if (!valid) revert IGroth16Verifier.BadVerifyingKey(vk);
    }

    /// @notice As `loadAny`, for a key that is not sliced.
    function load(address vk) internal view returns (uint256 key, uint256 flags, uint256 n) {
        (key, flags, n) = loadAny(vk);
        if (flags == SLICED) revert IGroth16Verifier.BadVerifyingKey(vk);
    }

    /// @notice Refuses a key under which a proof would not mean what it says. Done once, when a key is stored.
    /// @return flags see `parseHeader`
    /// @return n words of a statement
    function check(bytes memory vk) internal view returns (uint256 flags, uint256 n) {
        uint256 key;
        assembly ("memory-safe") {
            key := add(vk, 0x20)
        }
        (flags, n) = _checkHeader(key, vk.length);
        if (vk.length != length(flags, n)) revert WrongKeyLength(vk.length, length(flags, n));
        _checkPoints(key, flags, n);
    }

    /// @notice As `check`, for a key in memory behind which more may follow, `room` bytes in all.
    function checkPrefix(uint256 key, uint256 room) internal view returns (uint256 flags, uint256 n) {
        (flags, n) = _checkHeader(key, room);
        if (room < length(flags, n)) revert WrongKeyLength(room, length(flags, n));
        _checkPoints(key, flags, n);
    }

    function _checkHeader(uint256 key, uint256 room) private pure returns (uint256 flags, uint256 n) {
        if (room < 0x20) revert WrongKeyLength(room, 0x20);
        bool valid;
        (valid, flags, n) = parseHeader(_load(key));
        if (!valid) revert BadKeyHeader(_load(key));
    }

    function _checkPoints(uint256 key, uint256 flags, uint256 n) private view {
        _checkG1(key, flags, length(flags, n));
        _checkG2(key, icOffset(flags));
    }

    /// @dev alpha and every IC point on the curve; none is infinity but perhaps IC_0, which a circuit may make so.
    /// An input whose IC is infinity would not be part of the statement at all.
    function _checkG1(uint256 key, uint256 flags, uint256 end) private pure {
        _checkG1Point(key, ALPHA);
        uint256 ic = icOffset(flags);
        if (_load(key + ic) | _load(key + ic + 0x20) != 0) _checkG1Point(key, ic);
        for (uint256 offset = ic + 0x40; offset < end; offset += 0x40) {
            _checkG1Point(key, offset);
        }
    }

    /// @dev On the curve excludes (0, 0), told apart here for the message only.
    function _checkG1Point(uint256 key, uint256 offset) private pure {
        uint256 x = _load(key + offset);
        uint256 y = _load(key + offset + 0x20);
        if (x | y == 0) revert KeyPointAtInfinity(offset);
        if (!Bn254.isPoint(x, y)) revert KeyPointNotOnCurve(offset);
    }

    /// @dev beta, gamma and the deltas: in the subgroup, not infinity; gamma and the deltas pairwise distinct and no
    /// delta at the generator, both up to sign, for which equal x coordinates is the whole test. With gamma equal
    /// to a delta, or a known ratio between them, C can absorb any change of the statement (the Veil Cash and
    /// FoomCash keys). gamma itself may be the generator, as snarkjs has it.
    function _checkG2(uint256 key, uint256 end) private view {
        for (uint256 a = BETA; a < end; a += 0x80) {
            if (_load(key + a) | _load(key + a + 0x20) | _load(key + a + 0x40) | _load(key + a + 0x60) == 0) {
                revert KeyPointAtInfinity(a);
            }
            if (a < DELTA) continue;
            if (_load(key + a) == G2_X_C1 && _load(key + a + 0x20) == G2_X_C0) {
                revert KeyDeltaIsGenerator(a);
            }
            for (uint256 b = GAMMA; b < a; b += 0x80) {
                if (_load(key + a) == _load(key + b) && _load(key + a + 0x20) == _load(key + b + 0x20)) {
                    revert KeyPointsNotDistinct(b, a);
                }
            }
        }
        // The pairing precompile refuses any G2 point outside the subgroup, whatever it is paired with. Paired with
        // infinity each, all of them are checked in one call: 45,000 + 34,000 gas a point.
        uint256 pairs;
        uint256 size;
        assembly ("memory-safe") {
            pairs := mload(0x40) // scratch beyond the free memory pointer, not allocated
            for { let g2 := add(key, BETA) } lt(g2, add(key, end)) { g2 := add(g2, 0x80) } {
                mstore(add(pairs, size), 0) // infinity: x
                mstore(add(pairs, add(size, 0x20)), 0) // and y
                mcopy(add(pairs, add(size, 0x40)), g2, 0x80) // the point
                size := add(size, 0xc0)
            }
        }
        (, bool one) = Bn254.pairing(pairs, size);
        if (!one) revert KeyPointNotInSubgroup();
    }

    function _load(uint256 cursor) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(cursor)
        }
    }
}
