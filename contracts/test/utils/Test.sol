// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vm} from "./Vm.sol";

/// @title Base of all tests: the cheatcodes, named accounts
abstract contract Test {
    /// @dev keccak256("hevm cheat code"), the last 20 bytes: where forge answers cheatcodes.
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev forge's mark of a test contract.
    bool public constant IS_TEST = true;

    /// @dev Private keys of funded accounts.
    mapping(address account => uint256) internal keyOf;

    /// @notice An account no one else has, with a hundred ether.
    function fundedAccount(string memory name) internal returns (address account) {
        uint256 key = uint256(keccak256(bytes(name)));
        account = vm.addr(key);
        keyOf[account] = key;
        vm.deal(account, 100 ether);
    }

    /// @notice Folds a fuzzed value into [minimum, maximum].
    function bound(uint256 value, uint256 minimum, uint256 maximum) internal pure returns (uint256) {
        return minimum + value % (maximum - minimum + 1);
    }

    /// @notice A funded account's signature, r || s || v.
    function signed(address account, bytes32 digest) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf[account], digest);
        return abi.encodePacked(r, s, v);
    }

    function load(bytes memory data, uint256 offset) internal pure returns (uint256 word) {
        require(offset + 32 <= data.length, "load beyond the end");
        assembly ("memory-safe") {
            word := mload(add(add(data, 0x20), offset))
        }
    }

    /// @notice A copy of `data` with the word at byte `offset` replaced.
    function withWord(bytes memory data, uint256 offset, uint256 word) internal pure returns (bytes memory copy) {
        require(offset + 32 <= data.length, "word beyond the end");
        copy = bytes.concat(data);
        assembly ("memory-safe") {
            mstore(add(add(copy, 0x20), offset), word)
        }
    }

    function slice(bytes memory data, uint256 start, uint256 end) internal pure returns (bytes memory part) {
        part = new bytes(end - start);
        for (uint256 i = start; i < end; ++i) {
            part[i - start] = data[i];
        }
    }
}
