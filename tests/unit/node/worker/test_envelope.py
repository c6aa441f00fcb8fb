"""A sealed input has one spelling: what only equals it is refused."""

from __future__ import annotations

from base64 import b64encode

import numpy as np
import pytest
from nacl.public import PrivateKey, SealedBox

from assay_node.client.store import JobSecrets
from assay_node.worker.envelope import open_input
from assay_node.worker.errors import InboxError

KEY = PrivateKey.generate()
GOOD = {
    "v": "1",
    "salt": '"0x1f"',
    "input": f'"{b64encode(np.array([1, -2], dtype="<i8").tobytes()).decode()}"',
    "shape": "[2]",
}


def sealed(**changed: str) -> bytes:
    fields = {**GOOD, **changed}
    text = "{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}"
    return bytes(SealedBox(KEY.public_key).encrypt(text.encode()))


def test_what_a_client_seals_is_opened() -> None:
    secrets = JobSecrets(0x1F, np.array([1, -2]), (2,))
    for body in (sealed(), bytes(SealedBox(KEY.public_key).encrypt(secrets.to_json()))):
        opened = open_input(KEY, body)
        assert (opened.salt, opened.integers.tolist()) == (0x1F, [1, -2])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("v", "true"),
        ("v", "1.0"),
        ("v", "2"),
        ("salt", '"0x1_0"'),
        ("salt", '"0x1f "'),
        ("salt", '"0X1f"'),
        ("salt", '"0x1F"'),
        ("salt", '"0x"'),
        ("salt", '"0x-1"'),
        ("salt", "31"),
        ("salt", f'"0x{"f" * 64}"'),
        ("shape", "[true, 2]"),
        ("shape", "[2.0]"),
        ("shape", "2"),
        ("input", '"AQ"'),
        ("input", "null"),
    ],
)
def test_another_spelling_of_a_sealed_input_is_refused(name: str, value: str) -> None:
    with pytest.raises(InboxError, match="malformed"):
        open_input(KEY, sealed(**{name: value}))
