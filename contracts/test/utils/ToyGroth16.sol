// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Bn254, GROUP_ORDER} from "../../src/libraries/Bn254.sol";
import {COMMITTED, PRIVATE_WEIGHTS} from "../../src/libraries/VerifyingKeyLib.sol";
import {Vm} from "./Vm.sol";

/// @notice A verifying key whose toxic waste is known.
struct ToyKey {
    uint256 flags;
    uint256 n;
    uint256 salt;
    bytes vk;
    bytes modelCommitment;
    uint256 alpha;
    uint256 beta;
    uint256 gamma;
    uint256 deltaInverse;
    uint256 delta1;
    uint256 deltaM;
    uint256 model;
    uint256 b;
    bytes bPoint;
}

/// @title Valid proofs of any statement, by whoever knows the toxic waste
/// @notice Solves the pairing equation for C in the exponent. Proofs are real: the verifier under test knows nothing of
/// this. G2 points, for which the EVM has no arithmetic, come with their exponents from test/vectors/groth16.json.
library ToyGroth16 {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @notice The key of the given shape; `salt` makes others of the same shape.
    function key(string memory json, uint256 flags, uint256 n, uint256 salt) internal view returns (ToyKey memory) {
        return key(json, ".toy", flags, n, salt);
    }

    /// @notice The key with the trapdoors at `path` in the vectors.
    function key(string memory json, string memory path, uint256 flags, uint256 n, uint256 salt)
        internal
        view
        returns (ToyKey memory toy)
    {
        toy.flags = flags;
        toy.n = n;
        toy.salt = salt;
        toy.alpha = vm.parseJsonUint(json, string.concat(path, ".alpha"));
        toy.beta = vm.parseJsonUint(json, string.concat(path, ".beta"));
        toy.gamma = vm.parseJsonUint(json, string.concat(path, ".gamma"));
        toy.deltaInverse = Math.invModPrime(vm.parseJsonUint(json, string.concat(path, ".delta")), GROUP_ORDER);
        toy.delta1 = vm.parseJsonUint(json, string.concat(path, ".delta1"));
        toy.deltaM = vm.parseJsonUint(json, string.concat(path, ".deltaM"));
        toy.b = vm.parseJsonUint(json, ".toy.b");
        toy.bPoint = vm.parseJsonBytes(json, ".toy.g2.b");
        toy.model = uint256(keccak256(abi.encode("model", salt))) % GROUP_ORDER;
        if (flags & PRIVATE_WEIGHTS != 0) toy.modelCommitment = point(toy.model);

        bytes memory vk = bytes.concat(
            bytes32((0x4153564b01 << 216) | (flags << 208) | (n << 160)),
            point(toy.alpha),
            vm.parseJsonBytes(json, string.concat(path, ".g2.beta")),
            vm.parseJsonBytes(json, string.concat(path, ".g2.gamma")),
            vm.parseJsonBytes(json, string.concat(path, ".g2.delta"))
        );
        if (flags & COMMITTED != 0) {
            vk = bytes.concat(vk, vm.parseJsonBytes(json, string.concat(path, ".g2.delta1")));
        }
        if (flags & PRIVATE_WEIGHTS != 0) {
            vk = bytes.concat(vk, vm.parseJsonBytes(json, string.concat(path, ".g2.deltaM")));
        }
        for (uint256 i; i < 1 + n + (flags & COMMITTED); ++i) {
            vk = bytes.concat(vk, point(icExponent(salt, i)));
        }
        toy.vk = vk;
    }

    /// @notice A valid proof of `inputs`, another one for each `nonce`.
    function prove(ToyKey memory toy, uint256[] memory inputs, uint256 nonce) internal view returns (bytes memory) {
        uint256 a = uint256(keccak256(abi.encode("a", nonce))) % GROUP_ORDER;
        uint256 d = toy.flags & COMMITTED != 0 ? uint256(keccak256(abi.encode("d", nonce))) % GROUP_ORDER : 0;
        bytes memory dPoint = toy.flags & COMMITTED != 0 ? point(d) : bytes("");

        // ab = alpha beta + ic gamma + c delta + d delta_1 + m delta_m
        uint256 rest = mulmod(a, toy.b, GROUP_ORDER);
        rest = _less(rest, mulmod(toy.alpha, toy.beta, GROUP_ORDER));
        rest = _less(rest, mulmod(_statementExponent(toy, inputs, dPoint), toy.gamma, GROUP_ORDER));
        rest = _less(rest, mulmod(d, toy.delta1, GROUP_ORDER));
        if (toy.flags & PRIVATE_WEIGHTS != 0) rest = _less(rest, mulmod(toy.model, toy.deltaM, GROUP_ORDER));
        uint256 c = mulmod(rest, toy.deltaInverse, GROUP_ORDER);
        return bytes.concat(point(a), toy.bPoint, point(c), dPoint);
    }

    /// @notice scalar * G1, as bytes.
    function point(uint256 scalar) internal view returns (bytes memory) {
        (uint256 x, uint256 y) = Bn254.mul(1, 2, scalar);
        return abi.encode(x, y);
    }

    /// @notice Exponent of the i-th IC point.
    function icExponent(uint256 salt, uint256 i) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode("ic", salt, i))) % GROUP_ORDER;
    }

    function _statementExponent(ToyKey memory toy, uint256[] memory inputs, bytes memory dPoint)
        private
        pure
        returns (uint256 sum)
    {
        uint256 salt = toy.salt;
        sum = icExponent(salt, 0);
        for (uint256 i; i < inputs.length; ++i) {
            sum = addmod(sum, mulmod(inputs[i], icExponent(salt, i + 1), GROUP_ORDER), GROUP_ORDER);
        }
        if (toy.flags & COMMITTED != 0) {
            bytes memory transcript = abi.encodePacked(
                keccak256("assay/groth16/challenge/v1"), keccak256(toy.vk), inputs, toy.modelCommitment, dPoint
            );
            uint256 challenge = uint256(keccak256(transcript)) % GROUP_ORDER;
            sum = addmod(sum, mulmod(challenge, icExponent(salt, inputs.length + 1), GROUP_ORDER), GROUP_ORDER);
        }
    }

    function _less(uint256 a, uint256 b) private pure returns (uint256) {
        return addmod(a, GROUP_ORDER - b, GROUP_ORDER);
    }
}
