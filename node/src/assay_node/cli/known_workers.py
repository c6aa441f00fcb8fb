"""The workers that were set up from a home, so that a second one does not get the first one's ports."""

from __future__ import annotations

import json
import socket
from pathlib import Path

FIRST_PORT, LAST_PORT = 8700, 8999


class KnownWorkers:
    """Paths of worker configurations, one a line in ``HOME/workers``.

    Args:
        home: where keys, deployments and jobs are kept, too.
    """

    def __init__(self, home: Path) -> None:
        self._file = home / "workers"

    def configs(self) -> list[Path]:
        """The configurations that are still there, in the order they were made."""
        try:
            lines = self._file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        except FileNotFoundError:
            return []
        return [path for path in map(Path, lines) if path.is_file()]

    def add(self, config: Path) -> None:
        """Remember a configuration."""
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._file.open("a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"{config.resolve()}\n")

    def free_port(self, *taken: int) -> int:
        """The first port from `FIRST_PORT` on that no worker of this home has and nothing listens on.

        Args:
            taken: not these either.

        Returns:
            `FIRST_PORT` if there is none: the worker will say that it is taken when it starts.
        """
        used = {*taken, *self._ports()}
        return next((port for port in range(FIRST_PORT, LAST_PORT + 1) if _is_free(port, used)), FIRST_PORT)

    def _ports(self) -> set[int]:
        found: set[int] = set()
        for path in self.configs():
            try:
                document = json.loads(path.read_text(encoding="utf-8"))
                found |= {document.get("inbox_port"), document.get("metrics_port")}
            except (OSError, ValueError, AttributeError, TypeError):
                continue  # edited since; `assay worker run` says what is wrong with it
        return found


def _is_free(port: int, used: set[int]) -> bool:
    if port in used:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
