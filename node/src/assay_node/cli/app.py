"""The `assay` command: the tree of commands, and what becomes of errors."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from importlib import import_module

import typer
from rich.markup import escape

from .. import __version__
from .console import err, out
from .exit_codes import ExitCode
from .logs import configure_logs

# Single commands and groups of commands, each in the module of its name, in the order of the help.
COMMANDS = ("demo", "devnet", "deploy", "verify")
GROUPS = ("keys", "model", "job", "worker", "vault")


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"assay {__version__}")
        raise typer.Exit


def root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Hold the options of `assay` itself; the help text is the app's."""
    _ = version


def build(only: str | None = None) -> typer.Typer:
    """Make the tree of commands, or the one branch that is asked for.

    A command then loads what it needs and no more: compiler, devnet and worker take a second or two.
    """
    app = typer.Typer(
        name="assay",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
        help="AI answers you can check and pay for: compile a model, ask, prove, settle, verify.",
        epilog="Start with [bold]assay demo[/bold]. Exit status: 0 done, 1 failed, 2 usage, 3 not verified, "
        "4 no result yet, 5 ended without result, 6 chain or funds. ASSAY_DEBUG=1 shows tracebacks.",
    )
    app.callback()(root)
    everything = only not in (*COMMANDS, *GROUPS)
    for name in COMMANDS:
        if everything or name == only:
            app.command(name)(getattr(import_module(f".commands.{name}", __package__), name))
    for name in GROUPS:
        if everything or name == only:
            app.add_typer(import_module(f".commands.{name}", __package__).app, name=name)
    return app


_ADVICE = {
    errno.ENOSPC: "Free some space, then try again",
    errno.EDQUOT: "Free some space, then try again",
    errno.EROFS: "Name a folder that can be written",
    errno.EACCES: "Name another path, or change its permissions",
    errno.ENOENT: "Check the path",
}


def exit_code_of(error: Exception) -> ExitCode | None:
    """What a failure says to scripts; None for one that nobody foresaw."""
    # Imported here, as only a command that failed needs them.
    from assay_prover import AssayProverError, InvalidInput, InvalidKey, InvalidProof

    from ..chain.errors import InsufficientFunds, NodeUnavailable, WrongChain
    from ..client.errors import EvidenceMismatch, JobEnded, JobNotReady
    from ..devnet.errors import DevnetError
    from ..errors import AssayError

    codes: tuple[tuple[type[Exception] | tuple[type[Exception], ...], ExitCode], ...] = (
        ((InvalidProof, InvalidInput, InvalidKey, EvidenceMismatch), ExitCode.NOT_VERIFIED),
        (JobNotReady, ExitCode.NOT_READY),
        (JobEnded, ExitCode.NO_RESULT),
        ((NodeUnavailable, WrongChain, InsufficientFunds), ExitCode.CHAIN),
        ((AssayError, AssayProverError, DevnetError, OSError, MemoryError), ExitCode.FAILED),
    )
    return next((code for kinds, code in codes if isinstance(error, kinds)), None)


def explain(error: Exception) -> ExitCode:
    """Print an error as one line on stderr and return its exit status."""
    if os.environ.get("ASSAY_DEBUG", "") not in ("", "0"):
        traceback.print_exception(error)
    code = exit_code_of(error)
    if code is None:
        text = (
            f"{type(error).__name__}: {error}. This is a defect of assay: please report it with ASSAY_DEBUG=1"
        )
        code = ExitCode.INTERNAL
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        text += f". {_ADVICE[error.errno]}" if error.errno in _ADVICE else ""
    elif isinstance(error, MemoryError):
        text = f"out of memory ({error})" if str(error) else "out of memory"
    else:
        text = str(error) or type(error).__name__
    # One line, and nothing in it that a terminal would act on: the text may hold a stranger's words.
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    err.print(f"[bold red]error:[/] {escape(line)}", soft_wrap=True)
    return code


def main() -> None:
    """Run the command line. Never a traceback unless ASSAY_DEBUG is set."""
    configure_logs()
    try:
        build(next(iter(sys.argv[1:]), None))(prog_name="assay")
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.OK)
    except KeyboardInterrupt:
        err.print("interrupted")
        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last resort of a command
        sys.exit(explain(error))
