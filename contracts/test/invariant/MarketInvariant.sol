// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MarketTest} from "../utils/MarketTest.sol";
import {MarketHandler} from "./Handler.sol";

/// @title Base of the invariants: a market with five actors, three of them workers
abstract contract MarketInvariant is MarketTest {
    MarketHandler internal handler;
    uint256 internal paidInBefore;

    function setUp() public override {
        super.setUp();
        enlist(stranger);
        address[] memory actors = new address[](5);
        (actors[0], actors[1], actors[2], actors[3], actors[4]) = (requester, alice, bob, publisher, stranger);
        handler = new MarketHandler(market, vault, workers, modelId, toy, inputWords(), outputWords(), actors);
        paidInBefore = 3 * uint256(STAKE);
    }

    /// @dev forge asks which contracts to call.
    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }
}
