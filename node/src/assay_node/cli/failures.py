"""What becomes of errors: one line for a person, a document for a program, an exit status for both.

Nothing here imports what raises the errors: explaining one must not load compiler, devnet or contracts.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback

from rich.markup import escape

from ..chain.node.urls import mask
from ..errors import AssayError
from .console import emit_json, err
from .exit_codes import ExitCode
from .streams import discard

STATUS_OF = {
    "assay_prover.InvalidProof": ExitCode.NOT_VERIFIED,
    "assay_prover.InvalidInput": ExitCode.NOT_VERIFIED,
    "assay_prover.InvalidKey": ExitCode.NOT_VERIFIED,
    "assay_node.client.EvidenceMismatch": ExitCode.NOT_VERIFIED,
    "assay_node.client.JobNotReady": ExitCode.NOT_READY,
    "assay_node.client.JobEnded": ExitCode.NO_RESULT,
    "assay_node.chain.NodeUnavailable": ExitCode.CHAIN,
    "assay_node.chain.WrongChain": ExitCode.CHAIN,
    "assay_node.chain.InsufficientFunds": ExitCode.CHAIN,
    "assay_node.errors.AssayError": ExitCode.FAILED,
    "assay_prover.AssayProverError": ExitCode.FAILED,
    "assay_node.devnet.DevnetError": ExitCode.FAILED,
    "builtins.OSError": ExitCode.FAILED,
    "builtins.MemoryError": ExitCode.FAILED,
}
"""Exit status by package and class; of a class and its bases the first that is here counts."""

_ADVICE = {
    errno.ENOSPC: "Free some space, then try again",
    errno.EDQUOT: "Free some space, then try again",
    errno.EROFS: "Name a folder that can be written",
    errno.EACCES: "Name another path, or change its permissions",
    errno.ENOENT: "Check the path",
    errno.ENAMETOOLONG: "Choose a shorter path",
}


def exit_code_of(error: BaseException) -> ExitCode | None:
    """What a failure says to scripts; None for one that nobody foresaw."""
    for kind in type(error).__mro__:
        for name, code in STATUS_OF.items():
            package, _, class_name = name.rpartition(".")
            if kind.__name__ == class_name and f"{kind.__module__}.".startswith(f"{package}."):
                return code
    return None


def explain(error: Exception, *, as_json: bool) -> ExitCode:
    """Say what failed and what to do: one line on stderr and, with ``as_json``, a document on stdout."""
    if os.environ.get("ASSAY_DEBUG", "") not in ("", "0"):
        sys.stderr.write(mask("".join(traceback.format_exception(error))))
    code = exit_code_of(error)
    what, advice = _words(error, code)
    code = ExitCode.INTERNAL if code is None else code
    what, advice = mask(_one_line(what)), mask(_one_line(advice))
    line = f"{what}. {advice}" if advice else what
    err.print(f"[bold red]error:[/] {escape(line)}", soft_wrap=True)
    if as_json:
        emit_failure(type(error).__name__, what, advice, code)
    return code


def emit_failure(kind: str, what: str, advice: str, code: int) -> None:
    """Print a failure as the one JSON document of a command: what happened, what to do, the exit status."""
    try:
        emit_json({"error": {"kind": kind, "what": what, "advice": advice, "exit_status": int(code)}})
    except OSError:  # it is stdout that failed, as stderr says
        discard(sys.stdout)


def wants_json() -> bool:
    """Whether the command line asks for JSON; known even where it makes no sense otherwise."""
    arguments = sys.argv[1:]
    return "--json" in (arguments[: arguments.index("--")] if "--" in arguments else arguments)


def _words(error: Exception, code: ExitCode | None) -> tuple[str, str]:
    if code is None:
        defect = "This is a defect of assay: please report it with ASSAY_DEBUG=1"
        return f"{type(error).__name__}: {error}", defect
    if isinstance(error, AssayError):
        return error.what, error.advice
    if isinstance(error, OSError) and error.strerror:
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return where + error.strerror, _ADVICE.get(error.errno or 0, "")
    if isinstance(error, MemoryError):
        return (f"out of memory ({error})" if str(error) else "out of memory"), ""
    text = str(error) or type(error).__name__
    if code is ExitCode.NOT_VERIFIED and type(error).__name__ == "InvalidProof":
        return f"NOT VERIFIED: {text}", "The proof, its statement or its key is not what it was made as"
    return text, ""


def _one_line(text: str) -> str:
    """Nothing that a terminal would act on: the text may hold a stranger's words."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
