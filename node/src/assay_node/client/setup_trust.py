"""What a proof is worth, given who made the keys: shown wherever an answer is called verified.

A Groth16 proof is evidence against everybody but those who know the secrets its keys were made from. A setup
by one party leaves that party able to prove anything; nobody can see whether it kept the secrets. So
"verified" is never said without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..chain import ZERO_WORD, Model
from .errors import UncheckedSetup


@dataclass(frozen=True, slots=True)
class SetupTrust:
    """Who could have forged a proof under a model's keys.

    Attributes:
        kind: how the keys were made; in JSON documents as `setup`.
        who: the account that registered the model.
    """

    kind: Literal["single-party"]
    who: str

    @property
    def short(self) -> str:
        """A few words, to stand beside "verified"."""
        return "under keys that one party made"

    def trust(self, *, recomputed: bool = False) -> str:
        """What one has to believe, as a sentence without full stop; in JSON documents as `trust`.

        Args:
            recomputed: whether this machine computed the model's answer itself, and it was the same.
        """
        if recomputed:
            return (
                "the model's answer was computed on this machine, too, and is the same; the proof itself is "
                "one that whoever made the keys could forge"
            )
        return (
            f"the keys come from a setup by one party (the model is registered by {self.who}): whoever made "
            "them can forge a proof of any answer, and nobody can tell. Rely on it as far as you trust them"
        )


def setup_of(model: Model, model_id: bytes) -> SetupTrust:
    """How a registered model's keys were made, as far as that can be checked.

    Raises:
        UncheckedSetup: the model claims a ceremony. Its transcript would have to be checked before that means
            anything, and none is at hand.
    """
    if model.spec.ceremony_hash != ZERO_WORD:
        raise UncheckedSetup(
            f"model 0x{model_id.hex()} claims that its keys come from a ceremony, "
            f"0x{model.spec.ceremony_hash.hex()}, and no transcript of one was checked",
            "Do not rely on it: use a model whose setup can be checked, or one of a publisher you trust",
        )
    return SetupTrust("single-party", model.owner)
