// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SSTORE2} from "solady/src/utils/SSTORE2.sol";
import {ToyGroth16, ToyKey} from "./utils/ToyGroth16.sol";
import {ToySlices, ToySliced} from "./utils/ToySlices.sol";
import {VectorTest} from "./utils/VectorTest.sol";

/// @dev Gas of execution alone, without a transaction's 21,000 and its calldata; the key's account is cold. Written to
/// snapshots/, or compared with it where FORGE_SNAPSHOT_CHECK is set.
contract Groth16VerifierGasTest is VectorTest {
    string[4] private names = ["plain", "committed", "private", "committedPrivate"];

    function test_gas_of_verify() public {
        uint256[3] memory sizes = [uint256(1), 4, 16];
        for (uint256 flags; flags < 4; ++flags) {
            for (uint256 i; i < 3; ++i) {
                ToyKey memory toy = ToyGroth16.key(json, flags, sizes[i], 0);
                address vk = SSTORE2.write(toy.vk);
                uint256[] memory inputs = statement(sizes[i], 0);
                bytes memory proof = ToyGroth16.prove(toy, inputs, 0);
                vm.cool(vk);
                verifier.verify(vk, inputs, proof, toy.modelCommitment);
                vm.snapshotGasLastCall("verify", string.concat(names[flags], "_inputs_", vm.toString(sizes[i])));
            }
        }
    }

    /// @dev Committed slices, one word of input and of output; with keys of setups of their own, and of one ceremony.
    function test_gas_of_verify_slices() public {
        uint256[6] memory counts = [uint256(2), 3, 2, 3, 8, 16];
        for (uint256 i; i < 6; ++i) {
            (uint256 count, bool apart) = (counts[i], i < 2);
            ToySliced memory toy = ToySlices.make(json, apart, count, 1, 1, 1);
            address vk = SSTORE2.write(toy.vk);
            uint256[] memory inputs = statement(3, 0);
            bytes memory proof = ToySlices.prove(toy, inputs, statement(count - 1, 1), 0);
            vm.cool(vk);
            verifier.verify(vk, inputs, proof, "");
            string memory name = string.concat(apart ? "committed_slices_" : "one_ceremony_slices_", vm.toString(count));
            vm.snapshotGasLastCall("verify", name);
        }
    }

    function test_gas_of_verifyBatch() public {
        uint256[3] memory counts = [uint256(1), 2, 10];
        for (uint256 flags; flags < 2; ++flags) {
            ToyKey memory toy = ToyGroth16.key(json, flags, 4, 0);
            address vk = SSTORE2.write(toy.vk);
            for (uint256 i; i < 3; ++i) {
                uint256[][] memory inputs = new uint256[][](counts[i]);
                bytes[] memory proofs = new bytes[](counts[i]);
                for (uint256 k; k < counts[i]; ++k) {
                    inputs[k] = statement(4, k);
                    proofs[k] = ToyGroth16.prove(toy, inputs[k], k);
                }
                vm.cool(vk);
                verifier.verifyBatch(vk, inputs, proofs, "");
                vm.snapshotGasLastCall("verifyBatch", string.concat(names[flags], "_proofs_", vm.toString(counts[i])));
            }
        }
    }
}
