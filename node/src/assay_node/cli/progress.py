"""Progress of the prover's long steps, on the terminal and nowhere else."""

from __future__ import annotations

from types import TracebackType

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from .console import err


class Progress:
    """A bar on stderr; an instance is the callback the prover's functions take.

    Silent where stderr is no terminal: a log has no use for a bar.
    """

    def __init__(self, title: str) -> None:
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        self._title = title
        self._task = self._bars.add_task(title, total=1.0)

    def __enter__(self) -> Progress:
        """Show the bar."""
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take it away."""
        self._bars.stop()

    def __call__(self, stage: str, fraction: float) -> None:
        """Report: what is being done, and how much of the whole is, 0 .. 1."""
        self._bars.update(self._task, description=f"{self._title}: {stage}", completed=fraction)
