// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SSTORE2} from "solady/src/utils/SSTORE2.sol";

/// @dev "ASVI" and version 1, the first five bytes of an index.
uint256 constant INDEX_PREFIX = 0x4153564901;

/// @title Bytes stored as contract code, in as many contracts as they need
/// @notice A data contract is one STOP byte and the bytes. More than one can hold (EIP-170) are cut into parts, and what
/// stands for them is the data contract of an index: a header word ("ASVI", version 1, number of parts, zeros), then the
/// parts' addresses in order, a word each. What is stored must not begin like an index itself.
library DataCode {
    /// @notice Bytes of one data contract: EIP-170's limit less the STOP byte.
    uint256 internal constant PART_BYTES = 24_575;

    /// @notice Stores `data` and returns the address that stands for it.
    function write(bytes calldata data) internal returns (address pointer) {
        if (data.length <= PART_BYTES) return SSTORE2.write(data);
        uint256 count = (data.length + PART_BYTES - 1) / PART_BYTES;
        uint256[] memory parts = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            uint256 end = i + 1 == count ? data.length : (i + 1) * PART_BYTES;
            parts[i] = uint160(SSTORE2.write(data[i * PART_BYTES:end]));
        }
        return SSTORE2.write(abi.encodePacked((INDEX_PREFIX << 216) | (count << 208), parts));
    }

    /// @notice What was stored under `pointer`.
    function read(address pointer) internal view returns (bytes memory data) {
        data = SSTORE2.read(pointer);
        if (!isIndex(data)) return data;
        uint256 count = data.length / 0x20 - 1;
        bytes memory index = data;
        data = new bytes(0);
        for (uint256 i = 1; i <= count; ++i) {
            data = bytes.concat(data, SSTORE2.read(address(uint160(_word(index, i)))));
        }
    }

    /// @notice Whether these bytes begin like an index; nothing else that is stored here may.
    function isIndex(bytes memory data) internal pure returns (bool) {
        return data.length >= 0x20 && _word(data, 0) >> 216 == INDEX_PREFIX;
    }

    /// @notice Splits an index's header word.
    /// @return valid whether it is one
    /// @return count parts
    function parseHeader(uint256 header) internal pure returns (bool valid, uint256 count) {
        count = (header >> 208) & 0xff;
        valid = header == (INDEX_PREFIX << 216) | (count << 208);
    }

    function _word(bytes memory data, uint256 index) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(add(data, 0x20), shl(5, index)))
        }
    }
}
