"""Where each wire stands in the assignment vector: `z = (1, x, c | m | w1 | w2)`, as in docs/protocol.md."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

FIELD_ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617
"""r, the order of BN254's groups."""


class Region(IntFlag):
    """Parts of the assignment; a linear combination's regions are the union over its wires."""

    ONE = 1
    PUBLIC = 2
    CHALLENGE = 4
    MODEL = 8
    COMMITTED = 16
    """w1: fixed before the challenge is known."""
    FREE = 32
    """w2: may depend on the challenge."""


BEFORE_CHALLENGE = Region.ONE | Region.PUBLIC | Region.MODEL | Region.COMMITTED
"""What the challenge's hash covers: the only wires a lookup may refer to."""


@dataclass(frozen=True)
class WireLayout:
    """Numbers of wires in each part. Without a challenge the wires of w1 are the first of w2."""

    n_public: int
    committed: bool
    n_model: int
    n_w1: int
    n_w2: int
    n_small: int
    """Wires declared w1 while building; equals n_w1 in committed mode, and leads w2 in plain mode."""

    @property
    def n_wires(self) -> int:
        """Length of z, the leading one included."""
        return 1 + self.n_public + int(self.committed) + self.n_model + self.n_w1 + self.n_w2

    @property
    def n_input_rows(self) -> int:
        """Rows that setup appends: one for each of 1, x, c."""
        return 1 + self.n_public + int(self.committed)

    def base(self, region: Region) -> int:
        """Index of the region's first wire."""
        model = 1 + self.n_public + int(self.committed)
        bases = {
            Region.ONE: 0,
            Region.PUBLIC: 1,
            Region.CHALLENGE: 1 + self.n_public,
            Region.MODEL: model,
            Region.COMMITTED: model + self.n_model,
            Region.FREE: model + self.n_model + self.n_small,
        }
        return bases[region]


def domain_size(rows: int) -> int:
    """Smallest evaluation domain, 2^k or 3 * 2^k, that holds `rows` rows."""
    if rows < 1:
        raise ValueError("a circuit has at least one row")
    power = 1 << (rows - 1).bit_length()
    three_quarters = power // 4 * 3
    return three_quarters if power >= 4 and rows <= three_quarters else power
