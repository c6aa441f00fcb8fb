"""The `assay` command: the tree of commands, and what becomes of errors."""

from __future__ import annotations

import os
import sys
import traceback

import typer
from rich.markup import escape

from assay_prover import AssayProverError, InvalidInput, InvalidKey, InvalidProof

from .. import __version__
from ..chain.errors import InsufficientFunds, NodeUnavailable, WrongChain
from ..client.errors import EvidenceMismatch, JobEnded, JobNotReady
from ..devnet.errors import DevnetError
from ..errors import AssayError
from . import demo, deploy, devnet, job, keys, model, vault, verify, worker
from .console import err, out
from .exit_codes import ExitCode
from .logs import configure_logs

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
app.command("demo")(demo.demo)
app.command("devnet")(devnet.devnet)
app.command("deploy")(deploy.deploy)
app.add_typer(keys.app, name="keys")
app.add_typer(model.app, name="model")
app.add_typer(job.app, name="job")
app.add_typer(worker.app, name="worker")
app.add_typer(vault.app, name="vault")
app.command("verify")(verify.verify)

_CODES: tuple[tuple[type[Exception], ExitCode], ...] = (
    (InvalidProof, ExitCode.NOT_VERIFIED),
    (InvalidInput, ExitCode.NOT_VERIFIED),
    (InvalidKey, ExitCode.NOT_VERIFIED),
    (EvidenceMismatch, ExitCode.NOT_VERIFIED),
    (JobNotReady, ExitCode.NOT_READY),
    (JobEnded, ExitCode.NO_RESULT),
    (NodeUnavailable, ExitCode.CHAIN),
    (WrongChain, ExitCode.CHAIN),
    (InsufficientFunds, ExitCode.CHAIN),
    (AssayError, ExitCode.FAILED),
    (AssayProverError, ExitCode.FAILED),
    (DevnetError, ExitCode.FAILED),
    (OSError, ExitCode.FAILED),
)


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"assay {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Hold the options of `assay` itself; the help text is the app's."""
    _ = version


def exit_code_of(error: Exception) -> ExitCode | None:
    """What a failure says to scripts; None for one that nobody foresaw."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), None)


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
    else:
        text = str(error) or type(error).__name__
    err.print(f"[bold red]error:[/] {escape(' '.join(text.split()))}", soft_wrap=True)
    return code


def main() -> None:
    """Run the command line. Never a traceback unless ASSAY_DEBUG is set."""
    configure_logs()
    try:
        app(prog_name="assay")
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.OK)
    except KeyboardInterrupt:
        err.print("interrupted")
        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last resort of a command
        sys.exit(explain(error))
