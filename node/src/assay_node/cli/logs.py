"""Logs of the running services: to stderr, readable on a terminal, one JSON object a line elsewhere."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import structlog


def configure_logs(level: int = logging.WARNING) -> None:
    """Send structlog's events of ``level`` and above to stderr. Called before anything logs."""
    import structlog  # commands that have no services need not wait for it

    from ..chain.node.urls import mask

    terminal = sys.stderr.isatty()
    # Tracebacks without local variables, which here may be salts, inputs and keys.
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if terminal
        else structlog.processors.JSONRenderer()
    )
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not terminal:
        processors.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*processors, renderer, lambda _logger, _level, text: mask(str(text))],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Whatever stderr is when something is logged: an embedder may have replaced and closed today's.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
