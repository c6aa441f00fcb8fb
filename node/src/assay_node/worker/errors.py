"""Errors of the worker."""

from __future__ import annotations

from ..errors import AssayError


class WorkerError(AssayError):
    """The worker cannot run as it is configured."""


class InboxError(AssayError):
    """A delivered input cannot be taken.

    Attributes:
        status: the HTTP status that says so.
    """

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


class ImpossibleTransition(Exception):
    """The state machine was told something that cannot be: a defect of this program, never of the chain's.

    Its text is the job's story: what it was told before, and where it stood.
    """
