"""Which bundles can prove: what opening and checking their keys came to, and how their proofs go.

A bid for a model that cannot be proven costs its gas and that of giving the award back, for every job there
is. So a model is bid on only once its keys were opened and checked, and no longer once proofs keep failing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from .metrics import Metrics

_log = structlog.get_logger(__name__)

FAILURES = 3
"""Failed proofs in a row after which a model is not bid on any more."""
CHECKING, READY, UNFIT = "checking", "ready", "unfit"


@dataclass(slots=True)
class _Fitness:
    state: str = CHECKING
    reason: str = "its keys are still being opened and checked"
    failures: int = 0


class ModelFitness:
    """Whether each bundle can prove, as far as this process has seen. A restart asks anew.

    Args:
        paths: bundle folders, none of them checked yet.
        metrics: shown the state of each.
    """

    def __init__(self, paths: Sequence[Path], metrics: Metrics | None = None) -> None:
        self._metrics = metrics
        self._known = {path: _Fitness() for path in paths}
        for path in paths:
            self._show(path)

    def opened(self, path: Path, fault: str) -> None:
        """The keys of a bundle were opened and checked ("" as `fault`), or were not, and why."""
        fitness = self._known[path]
        if fitness.failures >= FAILURES:
            return  # keys that open are no proofs that verify
        if fault:
            fitness.state, fitness.reason = UNFIT, f"its keys cannot be opened ({fault})"
        else:
            fitness.state, fitness.reason = READY, ""
        self._show(path)

    def proved(self, path: Path) -> None:
        """A proof verified: failures before it are not in a row with those after it."""
        fitness = self._known[path]
        if fitness.failures < FAILURES:
            fitness.failures = 0

    def failed(self, path: Path, reason: str) -> None:
        """A proof failed, by no fault of its input."""
        fitness = self._known[path]
        if fitness.failures >= FAILURES:
            return
        fitness.failures += 1
        if fitness.failures == FAILURES:
            fitness.state = UNFIT
            fitness.reason = f"{FAILURES} proofs in a row have failed, the last one with: {reason}"
            _log.error("model.not_bid_on", bundle=str(path), reason=fitness.reason)
            self._show(path)

    def objection(self, path: Path) -> tuple[str, bool]:
        """Why a bundle's model must not be bid on, "" if it may, and whether that may pass by itself."""
        fitness = self._known[path]
        return fitness.reason, fitness.state == CHECKING

    def states(self) -> dict[str, str]:
        """Of each bundle folder whether its model is bid on, or why not."""
        return {str(path): fitness.reason or READY for path, fitness in self._known.items()}

    def concerns(self) -> list[str]:
        """What an operator must mend."""
        return [
            f"the model of {path} is not bid on until a restart: {fitness.reason}"
            for path, fitness in self._known.items()
            if fitness.state == UNFIT
        ]

    def _show(self, path: Path) -> None:
        if self._metrics is not None:
            for state in (CHECKING, READY, UNFIT):
                self._metrics.models.labels(str(path), state).set(self._known[path].state == state)
