// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SSTORE2} from "solady/src/utils/SSTORE2.sol";
import {IGroth16Verifier} from "../src/interfaces/IGroth16Verifier.sol";
import {COMMITTED} from "../src/libraries/VerifyingKeyLib.sol";
import {DataCode, INDEX_PREFIX} from "../src/libraries/DataCode.sol";
import {ToyGroth16, ToyKey} from "./utils/ToyGroth16.sol";
import {ToySliced, ToySlices} from "./utils/ToySlices.sol";
import {VectorTest} from "./utils/VectorTest.sol";

/// @dev Keys in several data contracts: verified like the same key in one, and nothing else passes for one.
contract DataCodeTest is VectorTest {
    function write(bytes calldata data) external returns (address) {
        return DataCode.write(data);
    }

    function test_write_keeps_what_one_contract_holds_in_one() public {
        bytes memory data = filled(DataCode.PART_BYTES);
        address pointer = this.write(data);
        vm.assertEq(pointer.code.length, DataCode.PART_BYTES + 1);
        vm.assertEq(DataCode.read(pointer), data);
    }

    function test_write_cuts_what_is_longer_into_full_parts() public {
        uint256[3] memory lengths = [DataCode.PART_BYTES + 1, 2 * DataCode.PART_BYTES, 2 * DataCode.PART_BYTES + 1];
        for (uint256 i; i < 3; ++i) {
            bytes memory data = filled(lengths[i]);
            address pointer = this.write(data);
            vm.assertEq(pointer.code.length, 1 + 0x20 * (1 + (i < 2 ? 2 : 3)));
            vm.assertTrue(keccak256(DataCode.read(pointer)) == keccak256(data));
        }
    }

    function test_verify_takes_a_key_of_several_parts() public {
        for (uint256 flags; flags < 4; ++flags) {
            this.verifyLargeKey(flags); // in a memory of its own: keys are built in quadratic memory
        }
    }

    function verifyLargeKey(uint256 flags) external {
        ToyKey memory toy = ToyGroth16.key(json, flags, 400, 0);
        address vk = this.write(toy.vk);
        vm.assertEq(vk.code.length, 0x61);
        vm.assertEq(DataCode.read(vk), toy.vk);
        uint256[] memory inputs = statement(400, 0);
        bytes memory proof = ToyGroth16.prove(toy, inputs, 0);
        verifier.verify(vk, inputs, proof, toy.modelCommitment);
        inputs[399] ^= 1;
        expectInvalid();
        verifier.verify(vk, inputs, proof, toy.modelCommitment);
    }

    /// @dev Wherever the cuts are, even within a word.
    function testFuzz_verify_takes_a_key_cut_anywhere(uint256 first, uint256 second) public {
        Case memory c = vector(3, 0);
        first = bound(first, 0, c.key.length);
        second = bound(second, first, c.key.length);
        address[] memory parts = new address[](3);
        parts[0] = SSTORE2.write(slice(c.key, 0, first));
        parts[1] = SSTORE2.write(slice(c.key, first, second));
        parts[2] = SSTORE2.write(slice(c.key, second, c.key.length));
        c.vk = index(parts);
        verify(c);
        c.inputs[0] = addmod(c.inputs[0], 1, type(uint256).max);
        expectInvalid();
        verify(c);
    }

    function test_verify_takes_a_sliced_key_of_several_parts() public {
        ToySliced memory toy = ToySlices.make(json, true, 3, COMMITTED, 1, 1);
        address[] memory parts = new address[](2);
        parts[0] = SSTORE2.write(slice(toy.vk, 0, 1000));
        parts[1] = SSTORE2.write(slice(toy.vk, 1000, toy.vk.length));
        address vk = index(parts);
        uint256[] memory inputs = statement(3, 0);
        bytes memory proof = ToySlices.prove(toy, inputs, statement(2, 1), 0);
        verifier.verify(vk, inputs, proof, "");
        inputs[0] ^= 1;
        expectInvalid();
        verifier.verify(vk, inputs, proof, "");
    }

    function test_verifyBatch_takes_a_key_of_several_parts() public {
        ToyKey memory toy = ToyGroth16.key(json, COMMITTED, 4, 0);
        address[] memory parts = new address[](2);
        parts[0] = SSTORE2.write(slice(toy.vk, 0, 100));
        parts[1] = SSTORE2.write(slice(toy.vk, 100, toy.vk.length));
        uint256[][] memory inputs = new uint256[][](2);
        bytes[] memory proofs = new bytes[](2);
        for (uint256 i; i < 2; ++i) {
            inputs[i] = statement(4, i);
            proofs[i] = ToyGroth16.prove(toy, inputs[i], i);
        }
        address vk = index(parts);
        verifier.verifyBatch(vk, inputs, proofs, "");
        inputs[1][0] ^= 1;
        expectInvalid();
        verifier.verifyBatch(vk, inputs, proofs, "");
    }

    function test_verify_rejects_an_index_with_one_thing_wrong() public {
        Case memory c = vector(1, 0);
        address[] memory parts = new address[](2);
        parts[0] = SSTORE2.write(slice(c.key, 0, 200));
        parts[1] = SSTORE2.write(slice(c.key, 200, c.key.length));
        bytes memory good = indexBytes(parts);
        c.vk = SSTORE2.write(good);
        verify(c);

        expectBadKey(c, SSTORE2.write(bytes.concat(good, hex"00"))); // longer than it says
        expectBadKey(c, SSTORE2.write(slice(good, 0, good.length - 1))); // shorter
        expectBadKey(c, SSTORE2.write(slice(good, 0, 0x20))); // no parts behind the header
        bytes memory one = withWord(good, 0, (INDEX_PREFIX << 216) | (uint256(1) << 208));
        expectBadKey(c, SSTORE2.write(one));
        expectBadKey(c, SSTORE2.write(withWord(good, 0, load(good, 0) | 1))); // a byte that must be zero is not
        expectBadKey(c, SSTORE2.write(withWord(good, 0, load(good, 0) + (1 << 216)))); // version 2
        expectBadKey(c, SSTORE2.write(withWord(good, 0x20, load(good, 0x40)))); // a part twice
        expectBadKey(c, SSTORE2.write(withWord(good, 0x40, uint256(uint160(address(0xdead)))))); // no code
        expectBadKey(c, SSTORE2.write(withWord(good, 0x40, uint256(uint160(address(verifier)))))); // code that is no data

        (parts[0], parts[1]) = (parts[1], parts[0]);
        expectBadKey(c, index(parts)); // another order
        (parts[0], parts[1]) = (parts[1], parts[0]);
        address[] memory nested = new address[](1);
        nested[0] = c.vk;
        expectBadKey(c, index(nested)); // an index in an index
        expectBadKey(c, index(new address[](0)));
        parts[1] = SSTORE2.write(slice(c.key, 200, c.key.length - 0x40));
        expectBadKey(c, index(parts)); // shorter than its header says
        vm.etch(address(0xbeef), bytes.concat(hex"00", c.key, hex"00"));
        nested[0] = address(0xbeef);
        expectBadKey(c, index(nested)); // longer
    }

    /// @dev An account that delegates (EIP-7702) has code that its key can change: it begins with 0xef, not with STOP.
    function test_verify_rejects_a_part_that_could_change() public {
        Case memory c = vector(0, 0);
        address[] memory parts = new address[](1);
        parts[0] = address(0xbeef);
        vm.etch(parts[0], bytes.concat(hex"00", c.key));
        c.vk = index(parts);
        verify(c);
        vm.etch(parts[0], bytes.concat(hex"ef", c.key));
        expectBadKey(c, c.vk);
    }

    function index(address[] memory parts) private returns (address) {
        return SSTORE2.write(indexBytes(parts));
    }

    function indexBytes(address[] memory parts) private pure returns (bytes memory) {
        return abi.encodePacked((INDEX_PREFIX << 216) | (parts.length << 208), parts);
    }

    function filled(uint256 length) private pure returns (bytes memory data) {
        data = new bytes(length);
        for (uint256 i; i < length; i += 997) {
            data[i] = 0x5a;
        }
        data[length - 1] = 0xff;
    }
}
