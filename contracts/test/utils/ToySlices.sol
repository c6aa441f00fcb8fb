// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {PRIVATE_WEIGHTS} from "../../src/libraries/VerifyingKeyLib.sol";
import {ToyGroth16, ToyKey} from "./ToyGroth16.sol";
import {Vm} from "./Vm.sol";

/// @notice The key of a sliced model whose toxic waste is known.
struct ToySliced {
    ToyKey[] keys;
    bytes vk;
    bytes commitments;
}

/// @title Valid proofs of sliced models, slice by slice
library ToySlices {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @notice One slice for each of `flags`; inner slices have three words, the outer ones what input and output need. The
    /// keys share beta and gamma, or are `apart`.
    function make(string memory json, bool apart, uint256[] memory flags, uint256 nIn, uint256 nOut)
        internal
        view
        returns (ToySliced memory sliced)
    {
        sliced.keys = new ToyKey[](flags.length);
        for (uint256 i; i < flags.length; ++i) {
            uint256 n = i == 0 ? 2 + nIn : i + 1 == flags.length ? 2 + nOut : 3;
            string memory path = string.concat(".toySlices[", vm.toString(i % 4 + (apart ? 4 : 0)), "]");
            sliced.keys[i] = ToyGroth16.key(json, path, flags[i], n, 1000 + i);
            if (flags[i] & PRIVATE_WEIGHTS != 0) {
                sliced.commitments = bytes.concat(sliced.commitments, sliced.keys[i].modelCommitment);
            }
        }
        join(sliced);
    }

    /// @notice As many slices, all of one kind.
    function make(string memory json, bool apart, uint256 count, uint256 flag, uint256 nIn, uint256 nOut)
        internal
        view
        returns (ToySliced memory)
    {
        uint256[] memory flags = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            flags[i] = flag;
        }
        return make(json, apart, flags, nIn, nOut);
    }

    /// @notice Writes the sliced key anew from the slices' keys.
    function join(ToySliced memory sliced) internal pure {
        bytes memory vk = abi.encode((0x4153565301 << 216) | (sliced.keys.length << 208));
        for (uint256 i; i < sliced.keys.length; ++i) {
            vk = bytes.concat(vk, sliced.keys[i].vk);
        }
        sliced.vk = vk;
    }

    /// @notice A valid sliced proof of `binding || input || output` through the given cuts.
    function prove(ToySliced memory sliced, uint256[] memory statement, uint256[] memory cuts, uint256 nonce)
        internal
        view
        returns (bytes memory)
    {
        bytes[] memory proofs = new bytes[](sliced.keys.length);
        for (uint256 i; i < proofs.length; ++i) {
            proofs[i] = ToyGroth16.prove(sliced.keys[i], words(sliced, statement, cuts, i), nonce + i);
        }
        return join(cuts, proofs);
    }

    /// @notice `cuts || proofs`.
    function join(uint256[] memory cuts, bytes[] memory proofs) internal pure returns (bytes memory joined) {
        joined = abi.encodePacked(cuts);
        for (uint256 i; i < proofs.length; ++i) {
            joined = bytes.concat(joined, proofs[i]);
        }
    }

    /// @notice The statement of slice i.
    function words(ToySliced memory sliced, uint256[] memory statement, uint256[] memory cuts, uint256 i)
        internal
        pure
        returns (uint256[] memory own)
    {
        uint256 n = sliced.keys[i].n;
        own = new uint256[](n);
        own[0] = statement[0];
        for (uint256 j = 1; j < n; ++j) {
            if (i == 0 && j + 1 < n) own[j] = statement[j];
            else if (i + 1 == sliced.keys.length && j > 1) own[j] = statement[statement.length - n + j];
            else own[j] = cuts[j == 1 && i != 0 ? i - 1 : i];
        }
    }
}
