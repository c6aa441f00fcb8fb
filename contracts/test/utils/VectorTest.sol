// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Groth16Verifier} from "../../src/Groth16Verifier.sol";
import {IGroth16Verifier} from "../../src/interfaces/IGroth16Verifier.sol";
import {GROUP_ORDER} from "../../src/libraries/Bn254.sol";
import {SSTORE2} from "solady/src/utils/SSTORE2.sol";
import {Test} from "./Test.sol";
import {ToyGroth16, ToyKey} from "./ToyGroth16.sol";

/// @title Base of the verifier's tests: the vectors, and what is done with them
abstract contract VectorTest is Test {
    IGroth16Verifier internal verifier;
    string internal json;
    /// @dev By flags: bit 0 committed, bit 1 private weights.
    string[4] internal modes = ["plain", "committed", "private", "committedPrivate"];

    /// @dev A precompile that refuses takes all gas it is given, so each call gets its own share and no more.
    uint256 internal constant GAS = 3_000_000;

    struct Case {
        address vk;
        bytes key;
        bytes m;
        uint256[] inputs;
        bytes proof;
        uint256 flags;
    }

    function setUp() public virtual {
        verifier = new Groth16Verifier();
        json = vm.readFile("test/vectors/groth16.json");
    }

    /// @notice The k-th valid proof of a mode, its key deployed. Statement 1 is (0, 1, r - 1).
    function vector(uint256 mode, uint256 k) internal returns (Case memory c) {
        string memory path = string.concat(".", modes[mode]);
        c.flags = mode;
        c.key = vm.parseJsonBytes(json, string.concat(path, ".vk"));
        c.vk = SSTORE2.write(c.key);
        c.m = vm.parseJsonBytes(json, string.concat(path, ".modelCommitment"));
        c.inputs = vm.parseJsonUintArray(json, string.concat(path, ".inputs[", vm.toString(k), "]"));
        c.proof = vm.parseJsonBytes(json, string.concat(path, ".proofs[", vm.toString(k), "]"));
    }

    function verify(Case memory c) internal view {
        verifier.verify{gas: GAS}(c.vk, c.inputs, c.proof, c.m);
    }

    function verifyToy(ToyKey memory toy, address vk, uint256[] memory inputs, uint256 nonce) internal view {
        verifier.verify(vk, inputs, ToyGroth16.prove(toy, inputs, nonce), toy.modelCommitment);
    }

    /// @notice n words below r.
    function statement(uint256 n, uint256 salt) internal pure returns (uint256[] memory inputs) {
        inputs = new uint256[](n);
        for (uint256 i; i < n; ++i) {
            inputs[i] = uint256(keccak256(abi.encode("x", salt, i))) % GROUP_ORDER;
        }
    }

    function expectInvalid() internal {
        vm.expectRevert(IGroth16Verifier.ProofInvalid.selector);
    }

    function expectBadKey(Case memory c, address vk) internal {
        c.vk = vk;
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.BadVerifyingKey.selector, vk));
        verify(c);
    }
}
