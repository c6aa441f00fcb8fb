"""What the command's exit status says to a script. Documented in docs/guide-user.md; tests hold both
together.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit statuses of ``assay``."""

    OK = 0
    FAILED = (
        1  # the operation failed: a refused transaction, an unreadable file, a model that cannot be compiled
    )
    USAGE = 2  # the command line makes no sense
    NOT_VERIFIED = 3  # a proof, statement or piece of evidence is wrong
    NOT_READY = 4  # a job has no result yet: ask again later
    NO_RESULT = 5  # a job ended without a result
    CHAIN = 6  # the chain cannot be reached, is another one, or the account cannot pay
    INTERNAL = 70  # a defect of this program (EX_SOFTWARE)
    INTERRUPTED = 130  # Ctrl-C
