// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {FIELD_PRIME} from "../src/libraries/Bn254.sol";
import {VerifyingKeyLib} from "../src/libraries/VerifyingKeyLib.sol";
import {Test} from "./utils/Test.sol";
import {ToyGroth16} from "./utils/ToyGroth16.sol";

/// @dev Gives the library's internal function an address to call.
contract KeyChecker {
    function check(bytes memory vk) external view returns (uint256 flags, uint256 n) {
        return VerifyingKeyLib.check(vk);
    }
}

/// @dev A key with both flags has every field; one change at a time.
contract VerifyingKeyLibTest is Test {
    KeyChecker private checker;
    string private json;
    bytes private key;

    uint256 private constant ALPHA = 0x20;
    uint256 private constant BETA = 0x60;
    uint256 private constant GAMMA = 0xe0;
    uint256 private constant DELTA = 0x160;
    uint256 private constant DELTA_1 = 0x1e0;
    uint256 private constant DELTA_M = 0x260;
    uint256 private constant IC = 0x2e0;
    uint256 private constant GAS = 2_000_000;

    function setUp() public {
        checker = new KeyChecker();
        json = vm.readFile("test/vectors/groth16.json");
        key = vm.parseJsonBytes(json, ".committedPrivate.vk");
    }

    function test_check_accepts_the_keys_of_all_modes() public view {
        string[4] memory modes = ["plain", "committed", "private", "committedPrivate"];
        for (uint256 i; i < 4; ++i) {
            (uint256 flags, uint256 n) = checker.check(vm.parseJsonBytes(json, string.concat(".", modes[i], ".vk")));
            vm.assertEq(flags, i);
            vm.assertEq(n, 3);
        }
    }

    function test_check_accepts_gamma_at_the_generator() public view {
        checker.check(withG2(GAMMA, ".g2Generator"));
    }

    function test_check_accepts_ic_0_at_infinity() public view {
        checker.check(withInfinity(IC, 2));
    }

    function test_check_rejects_a_wrong_length() public {
        expectLength(31, 32);
        checker.check(slice(key, 0, 31));
        expectLength(0, 32);
        checker.check("");
        expectLength(key.length - 1, key.length);
        checker.check(slice(key, 0, key.length - 1));
        expectLength(key.length + 1, key.length);
        checker.check(bytes.concat(key, hex"00"));
        expectLength(32, key.length);
        checker.check(slice(key, 0, 32));
    }

    /// @dev A header that claims four billion inputs is refused by arithmetic, not by running out of memory.
    function test_check_rejects_a_claim_of_more_inputs_than_there_are() public {
        bytes memory bad = withWord(key, 0, load(key, 0) | (uint256(type(uint32).max) << 160));
        expectLength(key.length, 0x2e0 + 0x40 * (uint256(type(uint32).max) + 2));
        checker.check(bad);
    }

    function test_check_rejects_each_header_bit_that_is_not_version_1() public {
        for (uint256 bit; bit < 256; ++bit) {
            bool isCount = bit >= 160 && bit < 192;
            bool isFlag = bit == 208 || bit == 209;
            bytes memory bad = withWord(key, 0, load(key, 0) ^ 2 ** bit);
            if (isCount || isFlag) {
                vm.expectRevert(); // another length
            } else {
                vm.expectRevert(abi.encodeWithSelector(VerifyingKeyLib.BadKeyHeader.selector, load(bad, 0)));
            }
            checker.check(bad);
        }
    }

    function test_check_rejects_infinity_everywhere_but_ic_0() public {
        expectInfinity(ALPHA);
        checker.check(withInfinity(ALPHA, 2));
        uint256[5] memory g2 = [BETA, GAMMA, DELTA, DELTA_1, DELTA_M];
        for (uint256 i; i < 5; ++i) {
            expectInfinity(g2[i]);
            checker.check(withInfinity(g2[i], 4));
        }
        for (uint256 offset = IC + 0x40; offset < key.length; offset += 0x40) {
            expectInfinity(offset);
            checker.check(withInfinity(offset, 2));
        }
    }

    function test_check_rejects_g1_points_off_the_curve_or_not_canonical() public {
        checkG1(ALPHA);
        for (uint256 offset = IC; offset < key.length; offset += 0x40) {
            checkG1(offset);
        }
    }

    function test_check_rejects_g2_points_off_the_curve_outside_the_subgroup_or_not_canonical() public {
        uint256[5] memory g2 = [BETA, GAMMA, DELTA, DELTA_1, DELTA_M];
        for (uint256 i; i < 5; ++i) {
            vm.expectRevert(VerifyingKeyLib.KeyPointNotInSubgroup.selector);
            checker.check{gas: GAS}(withG2(g2[i], ".g2OutsideSubgroup"));
            for (uint256 w; w < 4; ++w) {
                uint256 offset = g2[i] + 0x20 * w;
                vm.expectRevert(VerifyingKeyLib.KeyPointNotInSubgroup.selector);
                checker.check{gas: GAS}(withWord(key, offset, load(key, offset) ^ 1));
                vm.expectRevert(VerifyingKeyLib.KeyPointNotInSubgroup.selector);
                checker.check{gas: GAS}(withWord(key, offset, load(key, offset) + FIELD_PRIME));
            }
        }
    }

    function test_check_rejects_gamma_and_deltas_that_are_equal_or_opposite() public {
        uint256[4] memory g2 = [GAMMA, DELTA, DELTA_1, DELTA_M];
        for (uint256 i; i < 4; ++i) {
            for (uint256 j = i + 1; j < 4; ++j) {
                bytes memory same = copyG2(key, g2[i], g2[j]);
                expectNotDistinct(g2[i], g2[j]);
                checker.check(same);
                expectNotDistinct(g2[i], g2[j]);
                checker.check(negateG2(same, g2[j]));
            }
        }
    }

    /// @dev What a skipped phase of the ceremony leaves behind.
    function test_check_rejects_a_delta_at_the_generator_or_its_opposite() public {
        uint256[3] memory g2 = [DELTA, DELTA_1, DELTA_M];
        for (uint256 i; i < 3; ++i) {
            bytes memory bad = withG2(g2[i], ".g2Generator");
            vm.expectRevert(abi.encodeWithSelector(VerifyingKeyLib.KeyDeltaIsGenerator.selector, g2[i]));
            checker.check(bad);
            vm.expectRevert(abi.encodeWithSelector(VerifyingKeyLib.KeyDeltaIsGenerator.selector, g2[i]));
            checker.check(negateG2(bad, g2[i]));
        }
    }

    /// @dev Starved of gas the subgroup check must not pass for one that succeeded.
    function test_check_short_of_gas_reverts() public view {
        bytes memory data = abi.encodeCall(KeyChecker.check, (withG2(DELTA_M, ".g2OutsideSubgroup")));
        for (uint256 gasLimit = 2000; gasLimit < 400_000; gasLimit += 3989) {
            (bool ok,) = address(checker).staticcall{gas: gasLimit}(data);
            vm.assertTrue(!ok, "a bad key passed");
        }
    }

    function checkG1(uint256 offset) private {
        bytes memory other = ToyGroth16.point(3);
        uint256 x = load(key, offset);
        uint256 y = load(key, offset + 0x20);
        bytes[4] memory bad = [
            withWord(key, offset, x ^ 1),
            withWord(key, offset + 0x20, load(other, 0x20)),
            withWord(key, offset, x + FIELD_PRIME),
            withWord(key, offset + 0x20, y + FIELD_PRIME)
        ];
        for (uint256 i; i < 4; ++i) {
            vm.expectRevert(abi.encodeWithSelector(VerifyingKeyLib.KeyPointNotOnCurve.selector, offset));
            checker.check(bad[i]);
        }
    }

    function withInfinity(uint256 offset, uint256 size) private view returns (bytes memory bad) {
        bad = key;
        for (uint256 i; i < size; ++i) {
            bad = withWord(bad, offset + 0x20 * i, 0);
        }
    }

    function withG2(uint256 offset, string memory name) private view returns (bytes memory) {
        bytes memory point = vm.parseJsonBytes(json, name);
        return bytes.concat(slice(key, 0, offset), point, slice(key, offset + 0x80, key.length));
    }

    function copyG2(bytes memory from, uint256 source, uint256 target) private pure returns (bytes memory) {
        bytes memory point = slice(from, source, source + 0x80);
        return bytes.concat(slice(from, 0, target), point, slice(from, target + 0x80, from.length));
    }

    function negateG2(bytes memory from, uint256 offset) private pure returns (bytes memory bad) {
        bad = withWord(from, offset + 0x40, FIELD_PRIME - load(from, offset + 0x40));
        bad = withWord(bad, offset + 0x60, FIELD_PRIME - load(from, offset + 0x60));
    }

    function expectLength(uint256 got, uint256 expected) private {
        vm.expectRevert(abi.encodeWithSelector(VerifyingKeyLib.WrongKeyLength.selector, got, expected));
    }

    function expectInfinity(uint256 offset) private {
        vm.expectRevert(abi.encodeWithSelector(VerifyingKeyLib.KeyPointAtInfinity.selector, offset));
    }

    function expectNotDistinct(uint256 offset, uint256 other) private {
        vm.expectRevert(abi.encodeWithSelector(VerifyingKeyLib.KeyPointsNotDistinct.selector, offset, other));
    }
}
