"""Whether the code at an address is the contract of this package, whoever says so.

A deployment file may be old, wrong or a stranger's, and money goes to its addresses. The compiled contracts
are in the package, so that the code on the chain can be compared byte for byte, but for what constructors
put in: immutables, each a `PUSH32` of zeros in the artifact. Of those that are addresses, only contracts of
the deployment may stand there.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from ..errors import AnswerForged
from .artifacts import artifact

WORD = 32
_PUSH32 = 0x7F
_IMMUTABLE = re.compile(bytes([_PUSH32]) + b"\0{32}")
_IS_ADDRESS = re.compile(b"\0{12}[^\0].{19}", re.DOTALL)


def check_code(name: str, address: str, code: bytes, contracts: Collection[str]) -> None:
    """Refuses code that is not that of a contract of this package.

    Args:
        name: the contract's Solidity name.
        address: where it is, for the message.
        code: what the node says is there.
        contracts: addresses that may be immutables of it: those of the deployment.

    Raises:
        AnswerForged: it is other code, or it points to other contracts.
        DeploymentError: the package has no such contract.
    """
    expected = artifact(name).runtime_code
    known = {bytes.fromhex(each[2:]).rjust(WORD, b"\0") for each in contracts}
    wrong = ""
    if len(code) != len(expected):
        wrong = "is not"
    plain = bytearray(code)
    for slot in _IMMUTABLE.finditer(expected):
        start = slot.start() + 1
        word = bytes(code[start : start + WORD])
        if _IS_ADDRESS.fullmatch(word) and word not in known:
            wrong = wrong or "points to other contracts than"
        plain[start : start + WORD] = bytes(WORD)
    if bytes(plain) != expected:
        wrong = "is not"
    if wrong:
        raise AnswerForged(
            f"the code at {address} {wrong} the {name} of this version",
            "Use the deployment file and the node of a deployment of this version",
        )
