"""ONNX's own node tests: what the compiler accepts it computes, as integers too; the rest it refuses."""

from __future__ import annotations

import pytest

from conformance.document import DOCUMENT, rendered
from conformance.nodes import Result, results

pytestmark = pytest.mark.slow

PASSED_AT_LEAST = 1225
"""Passed when this was written: 1230. A fall means that an operator was lost."""


@pytest.fixture(scope="module")
def found() -> list[Result]:
    return list(results())


def test_no_node_test_is_computed_wrongly(found: list[Result]) -> None:
    assert [f"{result.name}: {result.reason}" for result in found if result.verdict == "wrong"] == []
    assert sum(result.verdict == "passed" for result in found) >= PASSED_AT_LEAST


def test_the_document_lists_operators_and_refusals(found: list[Result]) -> None:
    """`python -m conformance --write` brings it up to date."""
    text = DOCUMENT.read_text()
    assert rendered(text, found) == text
