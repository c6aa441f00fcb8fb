"""What counts as settled for good, whatever a node calls final."""

from __future__ import annotations

from typing import Any

import pytest

from assay_node.chain import FinalityPolicy, Header, RpcError
from assay_node.chain.node.finality import final_number

POLICY = FinalityPolicy(confirmations=1, final_after=10, tag="finalized")
BY_DEPTH = 90


def header(number: int) -> Header:
    return Header(number, bytes(32), bytes(32), 0, 0)


class Tagged:
    """A node that calls one block final."""

    def __init__(self, says: int | Exception | None) -> None:
        self.says = says

    async def header(self, block: object) -> Header | None:
        assert block == "finalized"
        if isinstance(self.says, Exception):
            raise self.says
        return None if self.says is None else header(self.says)


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (1100, BY_DEPTH),
        (100, BY_DEPTH),
        (95, BY_DEPTH),
        (60, 60),
        (0, 0),
        (None, BY_DEPTH),
        (RpcError("eth_getBlockByNumber", -32000, "unknown tag"), BY_DEPTH),
    ],
    ids=["to come", "newest", "sooner than by depth", "later", "nothing", "no block", "unknown tag"],
)
async def test_no_block_is_final_before_it_lies_deep_enough(says: Any, expected: int) -> None:
    node: Any = Tagged(says)
    assert await final_number(node, POLICY, header(100)) == expected
