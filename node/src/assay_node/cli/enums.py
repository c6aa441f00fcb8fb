"""Choices of the model commands, as the compiler names them."""

from __future__ import annotations

from enum import StrEnum


class Visibility(StrEnum):
    """Whether the input is on chain or behind a commitment."""

    PRIVATE = "private"
    PUBLIC = "public"


class Disclosure(StrEnum):
    """Whether the output is for everyone, for the salt's holder, or behind a commitment."""

    ENCRYPTED = "encrypted"
    COMMITTED = "committed"
    PUBLIC = "public"


class Weights(StrEnum):
    """Whether the weights are in the bundle for all to see, or behind a published commitment."""

    CONSTANT = "constant"
    PRIVATE = "private"


class Target(StrEnum):
    """What the compiler favours."""

    BALANCED = "balanced"
    ACCURACY = "accuracy"
    SPEED = "speed"


def disclosure_of(visibility: Visibility) -> Disclosure:
    """Who can read the output unless told otherwise: nobody but whoever has the input."""
    return Disclosure.ENCRYPTED if visibility is Visibility.PRIVATE else Disclosure.PUBLIC
