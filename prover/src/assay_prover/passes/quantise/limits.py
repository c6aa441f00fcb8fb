"""Where integers stop although the network goes on: tables and clamps that the samples did not reach."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Limit(BaseModel):
    """A requantisation whose clamp is no part of the network: beyond it the answer is that at the limit.

    Attributes:
        layer: the ONNX node's name.
        kind: the function whose table ends there, or "clamp".
        tensor: the integer tensor that is clamped.
        lo: its least value, in steps; None on a side that no input reaches, or where nothing changes beyond.
        hi: the greatest.
        step: the real value of a step.
        worst: the least and greatest real value that some input of the declared range could reach.
        seen: what samples showed, and probes of a range that was declared.
        answers: what becomes of values at the lower and the upper limit: the function's value, or the limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    layer: str
    kind: str
    tensor: str
    lo: int | None
    hi: int | None
    step: float
    worst: tuple[float, float]
    seen: tuple[float, float]
    answers: tuple[float | None, float | None]

    @property
    def beyond(self) -> float:
        """How many times as far as the limit the worst case goes, at least 1."""
        found = [1.0]
        for end, reached in ((self.lo, self.worst[0]), (self.hi, self.worst[1])):
            if end is not None and end * reached > 0:
                found.append(reached / (end * self.step))
        return max(found)

    def sentence(self) -> str:
        """What a reader of the report is told."""
        ends = [
            f"{'below' if side == 0 else 'above'} {end * self.step:.4g} as {answer:.4g}"
            for side, (end, answer) in enumerate(zip((self.lo, self.hi), self.answers, strict=True))
            if end is not None and answer is not None
        ]
        what = "the clamp" if self.kind == "clamp" else f"the table of {self.kind}"
        return (
            f"layer {self.layer!r}: {what} takes every value {' and '.join(ends)}; samples reach "
            f"[{self.seen[0]:.4g}, {self.seen[1]:.4g}], the worst case [{self.worst[0]:.4g}, "
            f"{self.worst[1]:.4g}] ({self.beyond:.3g} times as far as the limit)"
        )
