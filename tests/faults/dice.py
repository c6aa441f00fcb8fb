"""Chance that is the same in every run, whatever the order in which requests happen to arrive.

A draw depends on the seed and on what it is drawn for, such as "the 7th eth_call under RateLimit", and on no
draw before it: concurrent clients interleave differently each time, and a shared generator would then give
another run.
"""

from __future__ import annotations

import random


class Dice:
    """Draws by name."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def draw(self, *name: object) -> random.Random:
        """A generator of its own for whatever has this name."""
        return random.Random(f"{self._seed}/{name!r}")  # noqa: S311 - chance to be repeated, no secrets

    def chance(self, share: float, *name: object) -> bool:
        """True in `share` of all names."""
        return self.draw(*name).random() < share
