"""The catalogue of errors is that of the sources, and every error says what happened in plain words."""

from __future__ import annotations

import re

import pytest

from unit.house.error_catalogue import DOCUMENT, document, error_classes, messages

MESSAGES = sorted(
    (name, what, advice) for name, rows in messages(error_classes()).items() for what, advice in rows
)
JARGON = re.compile(r"allow_pickle|Traceback|NoneType|errno|:///|\bdict\b", re.IGNORECASE)


def test_the_page_is_that_of_the_sources() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), (
        "run: python tests/unit/house/error_catalogue.py"
    )


def test_there_are_messages_of_both_distributions() -> None:
    kinds = {name for name, _, _ in MESSAGES}
    assert {
        "KeyFileError",
        "DeploymentError",
        "BundleError",
        "InputError",
        "ClientError",
        "WorkerError",
    } <= kinds
    assert len(MESSAGES) > 400


def test_the_cores_own_messages_are_among_them() -> None:
    told = {(name, what) for name, what, _ in MESSAGES}
    for expected in (
        ("InvalidProof", "the pairing equation does not hold"),
        ("InvalidKey", "damaged: its contents do not match its hash"),
        ("InvalidKey", "point {i} of the {name} query is no point of the group"),
        ("InvalidInput", "this session is finished: a commitment serves one proof"),
        ("InvalidWitness", "zero has no inverse"),
    ):
        assert expected in told


@pytest.mark.parametrize(("name", "what", "advice"), MESSAGES)
def test_a_message_is_a_sentence_for_people(name: str, what: str, advice: str) -> None:
    assert not JARGON.search(what + advice)
    assert not what.endswith("."), "the full stop is the printer's"
    assert not advice.endswith("."), "the full stop is the printer's"
    assert "\n" not in what + advice or name == "ImpossibleTransition", "a story for whoever reports it"
