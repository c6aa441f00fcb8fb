"""How long a node takes to answer, as distributions over requests."""

from __future__ import annotations

import random
from collections.abc import Callable

Latency = Callable[[random.Random], float]
"""Seconds for one HTTP request, drawn from its own generator."""


def fixed(seconds: float) -> Latency:
    """Always the same."""
    return lambda _: seconds


def uniform(least: float, most: float) -> Latency:
    """Anything between two bounds: 0.3 to 0.7 s is what a public endpoint gives."""
    return lambda draw: draw.uniform(least, most)
