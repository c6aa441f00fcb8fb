"""Which bundles can prove: what opening and checking their keys came to, and how their proofs go.

A bid for a model that cannot be proven costs its gas and that of giving the award back, for every job there
is. So a model is bid on only once its keys were opened and checked, and no longer once proofs keep failing:
that is on disk, with its reason, until the operator lifts it (`assay worker allow`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from assay_prover.bundle.manifest import legible

from .bans import FAILURES, Ban, Bans
from .metrics import Metrics

_log = structlog.get_logger(__name__)

CHECKING, READY, UNFIT = "checking", "ready", "unfit"


@dataclass(slots=True)
class _Fitness:
    """What is known of one bundle.

    Attributes:
        fault: why its keys cannot be opened; "" if they were, None while that is not known.
        failures: in a row.
        ban: since its proofs kept failing.
    """

    fault: str | None = None
    failures: int = 0
    ban: Ban | None = None

    @property
    def state(self) -> str:
        if self.ban is not None or self.fault:
            return UNFIT
        return CHECKING if self.fault is None else READY

    @property
    def reason(self) -> str:
        if self.ban is not None:
            return self.ban.sentence
        if self.fault is None:
            return "its keys are still being opened and checked"
        return f"its keys cannot be opened ({self.fault})" if self.fault else ""


class ModelFitness:
    """Whether each bundle can prove. Keys are opened and checked anew by each process; bans are on disk.

    Args:
        paths: bundle folders, none of them checked yet.
        metrics: shown the state of each.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        metrics: Metrics | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._bans: Bans | None = None
        self._identities: Mapping[Path, str] = {}
        self._known = {path: _Fitness() for path in paths}
        for path in paths:
            self._show(path)

    def keep_in(self, bans: Bans, identities: Mapping[Path, str]) -> None:
        """Takes up the bans of earlier runs, and keeps new ones there.

        Args:
            bans: of the worker's database.
            identities: of each bundle's keys. A ban of other keys is over: they were replaced.
        """
        self._bans, self._identities = bans, identities
        known = bans.all()
        for path, fitness in self._known.items():
            ban = known.get(_name(path))
            if ban is not None and ban.identity != identities.get(path):
                bans.lift(ban.bundle)
                continue
            fitness.ban = ban
            self._show(path)

    def take_up_lifted(self) -> bool:
        """Whether the operator has lifted a ban since the last call; its model may be bid on again."""
        banned = [path for path, fitness in self._known.items() if fitness.ban is not None]
        if self._bans is None or not banned:
            return False
        known = self._bans.all()
        lifted = [path for path in banned if _name(path) not in known]
        for path in lifted:
            fitness = self._known[path]
            fitness.ban, fitness.failures = None, 0
            _log.info("model.allowed_again", bundle=str(path))
            self._show(path)
        return bool(lifted)

    def opened(self, path: Path, fault: str) -> None:
        """The keys of a bundle were opened and checked ("" as `fault`), or were not, and why."""
        self._known[path].fault = fault
        self._show(path)

    def proved(self, path: Path) -> None:
        """A proof verified: failures before it are not in a row with those after it.

        It lifts no ban: of a key that proves some inputs only, some proofs verify.
        """
        self._known[path].failures = 0

    def failed(self, path: Path, reason: str) -> None:
        """A proof failed, by no fault of its input."""
        fitness = self._known[path]
        if fitness.ban is not None:
            return
        fitness.failures += 1
        if fitness.failures < FAILURES:
            return
        fitness.ban = Ban(_name(path), self._identities.get(path, ""), legible(reason), self._clock())
        if self._bans is not None:
            self._bans.add(fitness.ban)
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
        found = []
        for path, fitness in self._known.items():
            if fitness.ban is not None:
                found.append(
                    f"the model of {path} is not bid on: {fitness.reason}. Once that is mended: "
                    f"assay worker allow {path}"
                )
            elif fitness.fault:
                found.append(f"the model of {path} is not bid on until a restart: {fitness.reason}")
        return found

    def _show(self, path: Path) -> None:
        if self._metrics is not None:
            for state in (CHECKING, READY, UNFIT):
                self._metrics.models.labels(str(path), state).set(self._known[path].state == state)


def _name(path: Path) -> str:
    """Of a bundle, wherever the worker was started."""
    return str(path.resolve())
