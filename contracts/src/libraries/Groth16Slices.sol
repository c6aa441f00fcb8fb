// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../interfaces/IGroth16Verifier.sol";
import {Bn254, EC_PAIRING, FIELD_PRIME, GROUP_ORDER} from "./Bn254.sol";
import {Groth16Lib} from "./Groth16Lib.sol";
import {SlicedKeyLib} from "./SlicedKeyLib.sol";
import {
    ALPHA,
    BETA,
    COMMITTED,
    DELTA,
    DELTA_1_OR_M,
    GAMMA,
    PRIVATE_WEIGHTS,
    VerifyingKeyLib
} from "./VerifyingKeyLib.sol";

/// @notice What a sliced key says of everything that goes with it.
/// @param count slices
/// @param words of the statement
/// @param proof bytes of a sliced proof
/// @param commitments bytes of the model commitments
/// @param pairs of points to be paired
struct SliceShape {
    uint256 count;
    uint256 words;
    uint256 proof;
    uint256 commitments;
    uint256 pairs;
}

/// @notice One verification of a sliced model under way.
/// @param seed of the coefficients
/// @param count slices
/// @param index the slice at hand
/// @param key address of its verifying key in memory
/// @param flags of that key
/// @param n words of its statement
/// @param proof byte of the sliced proof at which its proof begins
/// @param commitment byte of the model commitments at which the next one begins
/// @param words its statement
/// @param rho its coefficient
/// @param pairs address of the pairs in memory
/// @param cursor where the next pair goes
struct SliceRun {
    bytes32 seed;
    uint256 count;
    uint256 index;
    uint256 key;
    uint256 flags;
    uint256 n;
    uint256 proof;
    uint256 commitment;
    uint256[] words;
    uint256 rho;
    uint256 pairs;
    uint256 cursor;
}

/// @title The proofs of a sliced model in one pairing check
/// @notice Statement `binding || input || output`; sliced proof `cut_1 .. cut_(k-1) || proof_1 .. proof_k`. Slice i proves
///
///     binding || input || cut_1,    binding || cut_(i-1) || cut_i,    binding || cut_(k-1) || output
///
/// so each cut is one word in two statements, and the key alone says how many slices there are and in which order.
/// @dev The slices' equations, each to the power of a coefficient, are multiplied. Coefficients are full-width and come
/// from a hash over key, commitments, statement, cuts and proofs, so a sliced proof with a false slice passes with
/// probability about 1/r over the hash. The first is 1, which costs nothing: if only that equation fails the product is
/// its error, and if another fails, that one's coefficient is random. Per slice 34,000 for each of 3 to 5 pairs that are
/// its own, 68,000 more for beta and gamma unless it has the first slice's, and 6,350 for each scalar multiplication.
library Groth16Slices {
    bytes32 private constant SLICES_TAG = keccak256("assay/groth16/slices/v1");

    /// @notice Reverts unless the sliced proof is valid.
    /// @param vk where the key was read from, for error messages
    /// @param key address in memory of what may be a sliced key
    /// @param size its bytes
    function verify(
        address vk,
        uint256[] calldata inputs,
        bytes calldata proof,
        bytes calldata modelCommitments,
        uint256 key,
        uint256 size
    ) internal view {
        SliceShape memory shape = _shape(vk, key, size);
        _check(shape, inputs, proof, modelCommitments);
        SliceRun memory run;
        (run.count, run.key, run.proof) = (shape.count, key + 0x20, 0x20 * (shape.count - 1));
        run.seed = _seed(key, size, inputs, proof, modelCommitments);
        bytes memory room = new bytes(0xc0 * shape.pairs);
        uint256 pairs;
        assembly ("memory-safe") {
            pairs := add(room, 0x20)
        }
        (run.pairs, run.cursor) = (pairs, pairs);
        for (; run.index < run.count; ++run.index) {
            _slice(run, inputs, proof, modelCommitments);
        }
        (bool ok, bool one) = Bn254.pairing(run.pairs, run.cursor - run.pairs);
        if (!ok) revert IGroth16Verifier.PrecompileFailed(EC_PAIRING);
        if (!one) revert IGroth16Verifier.ProofInvalid();
    }

    /// @dev Every length is the keys' word, never the prover's; every word is canonical.
    function _check(
        SliceShape memory shape,
        uint256[] calldata inputs,
        bytes calldata proof,
        bytes calldata modelCommitments
    ) private pure {
        if (inputs.length != shape.words) {
            revert IGroth16Verifier.WrongInputCount(inputs.length, shape.words);
        }
        if (proof.length != shape.proof) revert IGroth16Verifier.WrongProofLength(proof.length, shape.proof);
        if (modelCommitments.length != shape.commitments) {
            revert IGroth16Verifier.WrongModelCommitmentLength(modelCommitments.length, shape.commitments);
        }
        Groth16Lib.requireInGroup(inputs);
        for (uint256 i; i + 1 < shape.count; ++i) {
            uint256 cut = _calldataWord(proof, 0x20 * i);
            if (cut >= GROUP_ORDER) revert IGroth16Verifier.CutTooLarge(i, cut);
        }
        Groth16Lib.requireCanonical(proof[0x20 * (shape.count - 1):]);
    }

    /// @dev Reads the keys' headers.
    function _shape(address vk, uint256 key, uint256 size) private pure returns (SliceShape memory shape) {
        bool valid;
        (valid, shape.count) = SlicedKeyLib.parseHeader(_word(key));
        if (!valid) revert IGroth16Verifier.BadVerifyingKey(vk);
        shape.proof = 0x20 * (shape.count - 1);
        uint256 cursor = key + 0x20;
        for (uint256 i; i < shape.count; ++i) {
            // A key that is cut off reads as whatever lies behind it, and is refused for its length below.
            (bool known, uint256 flags, uint256 n) = VerifyingKeyLib.parseHeader(_word(cursor));
            if (!known || n < 3 || (n != 3 && i != 0 && i + 1 != shape.count)) {
                revert IGroth16Verifier.BadVerifyingKey(vk);
            }
            // 1 + nIn + nOut: n - 1 of the first, n - 2 of the last.
            if (i == 0) shape.words = n - 1;
            if (i + 1 == shape.count) shape.words += n - 2;
            shape.commitments += 0x40 * (flags >> 1);
            shape.proof += 0x100 + 0x40 * (flags & COMMITTED);
            shape.pairs += 4 + (flags & COMMITTED) + (flags >> 1);
            cursor += VerifyingKeyLib.length(flags, n);
        }
        if (cursor - key != size) revert IGroth16Verifier.BadVerifyingKey(vk);
    }

    /// @dev keccak256(tag || keccak256(key) || commitments || statement || cuts and proofs): all a cheat could vary, and
    /// injective, since every length follows from the key.
    function _seed(
        uint256 key,
        uint256 size,
        uint256[] calldata inputs,
        bytes calldata proof,
        bytes calldata modelCommitments
    ) private pure returns (bytes32) {
        bytes32 keyHash;
        assembly ("memory-safe") {
            keyHash := keccak256(key, size)
        }
        return keccak256(abi.encodePacked(SLICES_TAG, keyHash, modelCommitments, inputs, proof));
    }

    /// @dev Adds the pairs of the slice at hand, and moves on to the next key, proof and commitment.
    function _slice(
        SliceRun memory run,
        uint256[] calldata inputs,
        bytes calldata sliced,
        bytes calldata modelCommitments
    ) private view {
        (, run.flags, run.n) = VerifyingKeyLib.parseHeader(_word(run.key));
        run.rho = run.index == 0 ? 1 : uint256(keccak256(abi.encode(run.seed, run.index))) % GROUP_ORDER;
        _statement(run, inputs, sliced);
        bytes calldata proof = sliced[run.proof:run.proof + 0x100 + 0x40 * (run.flags & COMMITTED)];
        bytes calldata commitment =
            modelCommitments[run.commitment:run.commitment + 0x20 * (run.flags & PRIVATE_WEIGHTS)];

        _pushPairs(run, proof, commitment);

        run.key += VerifyingKeyLib.length(run.flags, run.n);
        run.proof += proof.length;
        run.commitment += commitment.length;
    }

    /// @dev The pairs of one equation, each to the power of rho.
    function _pushPairs(SliceRun memory run, bytes calldata proof, bytes calldata commitment) private view {
        _pushA(run, proof);
        _gather(run, 0xc0, _word(run.key + ALPHA), _word(run.key + ALPHA + 0x20), run.key + BETA);
        (uint256 x, uint256 y) = _statementPoint(run, proof, commitment);
        _gather(run, 0x180, x, y, run.key + GAMMA);
        _pushCalldata(run, proof[0xc0:], run.key + DELTA);
        uint256 g2 = run.key + DELTA_1_OR_M;
        if (run.flags & COMMITTED != 0) {
            _pushCalldata(run, proof[0x100:], g2);
            g2 += 0x80;
        }
        if (run.flags & PRIVATE_WEIGHTS != 0) _pushCalldata(run, commitment, g2);
    }

    /// @dev binding || what enters || what leaves.
    function _statement(SliceRun memory run, uint256[] calldata inputs, bytes calldata sliced) private pure {
        uint256[] memory words = new uint256[](run.n);
        words[0] = inputs[0];
        if (run.index == 0) {
            for (uint256 j = 1; j + 1 < run.n; ++j) {
                words[j] = inputs[j];
            }
        } else {
            words[1] = _calldataWord(sliced, 0x20 * (run.index - 1));
        }
        if (run.index + 1 == run.count) {
            uint256 skipped = inputs.length - run.n;
            for (uint256 j = 2; j < run.n; ++j) {
                words[j] = inputs[j + skipped];
            }
        } else {
            words[run.n - 1] = _calldataWord(sliced, 0x20 * run.index);
        }
        run.words = words;
    }

    /// @dev IC_0 + sum x_j IC_j (+ c IC_c).
    function _statementPoint(SliceRun memory run, bytes calldata proof, bytes calldata commitment)
        private
        view
        returns (uint256 x, uint256 y)
    {
        uint256 ic = run.key + VerifyingKeyLib.icOffset(run.flags);
        (x, y) = (_word(ic), _word(ic + 0x20));
        for (uint256 j; j < run.n; ++j) {
            ic += 0x40;
            (x, y) = _addMultiple(x, y, ic, run.words[j]);
        }
        if (run.flags & COMMITTED != 0) {
            bytes32 vkHash = VerifyingKeyLib.hash(run.key, run.flags, run.n);
            bytes memory transcript =
                abi.encodePacked(Groth16Lib.CHALLENGE_TAG, vkHash, run.words, commitment, proof[0x100:]);
            (x, y) = _addMultiple(x, y, ic + 0x40, uint256(keccak256(transcript)) % GROUP_ORDER);
        }
    }

    /// @dev (x, y) + scalar * the point at `point` in memory.
    function _addMultiple(uint256 x, uint256 y, uint256 point, uint256 scalar) private view returns (uint256, uint256) {
        (uint256 px, uint256 py) = Bn254.mul(_word(point), _word(point + 0x20), scalar);
        return Bn254.add(x, y, px, py);
    }

    /// @dev Appends (-rho A, B).
    function _pushA(SliceRun memory run, bytes calldata proof) private view {
        (uint256 x, uint256 y) = _scaled(run, _calldataWord(proof, 0), _calldataWord(proof, 0x20));
        uint256 cursor = run.cursor;
        assembly ("memory-safe") {
            mstore(cursor, x)
            mstore(add(cursor, 0x20), mod(sub(FIELD_PRIME, y), FIELD_PRIME)) // canonical, so y is below p
            calldatacopy(add(cursor, 0x40), add(proof.offset, 0x40), 0x80) // B
        }
        run.cursor = cursor + 0xc0;
    }

    /// @dev Adds rho (x, y) to the first slice's pair at byte `offset`, if that has the same G2 point; else appends a pair.
    /// Keys of one ceremony share beta and gamma: then all slices have two such pairs, and not each.
    function _gather(SliceRun memory run, uint256 offset, uint256 x, uint256 y, uint256 g2) private view {
        uint256 pair = run.pairs + offset;
        bool same;
        assembly ("memory-safe") {
            same := eq(keccak256(add(pair, 0x40), 0x80), keccak256(g2, 0x80))
        }
        if (run.index == 0 || !same) return _push(run, x, y, g2);
        (x, y) = _scaled(run, x, y);
        (x, y) = Bn254.add(_word(pair), _word(pair + 0x20), x, y);
        assembly ("memory-safe") {
            mstore(pair, x)
            mstore(add(pair, 0x20), y)
        }
    }

    /// @dev Appends the pair of rho times the point `points` begins with and the G2 point at `g2` in memory.
    function _pushCalldata(SliceRun memory run, bytes calldata points, uint256 g2) private view {
        _push(run, _calldataWord(points, 0), _calldataWord(points, 0x20), g2);
    }

    /// @dev Appends the pair of rho (x, y) and the G2 point at `g2` in memory.
    function _push(SliceRun memory run, uint256 x, uint256 y, uint256 g2) private view {
        (x, y) = _scaled(run, x, y);
        uint256 cursor = run.cursor;
        assembly ("memory-safe") {
            mstore(cursor, x)
            mstore(add(cursor, 0x20), y)
            mcopy(add(cursor, 0x40), g2, 0x80)
        }
        run.cursor = cursor + 0xc0;
    }

    function _scaled(SliceRun memory run, uint256 x, uint256 y) private view returns (uint256, uint256) {
        // Unscaled points are looked at by the pairing instead.
        return run.rho == 1 ? (x, y) : Bn254.mul(x, y, run.rho);
    }

    /// @dev The word at byte `offset`; lengths were checked before.
    function _calldataWord(bytes calldata data, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(data.offset, offset))
        }
    }

    function _word(uint256 cursor) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(cursor)
        }
    }
}
