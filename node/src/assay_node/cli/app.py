"""The `assay` command: the tree of commands, and what becomes of errors."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from .. import __version__
from ..errors import AssayError
from . import streams
from .console import err, out
from .exit_codes import ExitCode
from .failures import emit_failure, explain, wants_json
from .interrupts import as_exception

# Single commands and groups of commands, each in the module of its name, in the order of the help.
COMMANDS = ("up", "demo", "devnet", "faucet", "send", "deploy", "infer", "prove", "verify")
GROUPS = ("keys", "model", "data", "train", "job", "trust", "worker", "vault")


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


def run() -> None:
    """Run the command that was asked for and exit with its status."""
    streams.prepare()
    as_json = wants_json()
    try:
        with as_exception():
            status = build(next(iter(sys.argv[1:]), None))(prog_name="assay", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of a pipe has seen enough
        streams.discard(sys.stdout)
        status = ExitCode.OK
    except SystemExit as stop:
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        status = ExitCode.OK  # rich leaves with 1 where a reader went away
    except KeyboardInterrupt:
        err.print("interrupted")
        status = ExitCode.INTERRUPTED
    except _USAGE_ERROR as error:
        status = _usage(error, as_json=as_json)
    except typer.Abort:  # the end of the input where an answer was asked for
        status = explain(AssayError("no answer was given", "Run it on a terminal"), as_json=as_json)
    except Exception as error:  # noqa: BLE001 - the last resort of a command
        status = explain(error, as_json=as_json)
    try:
        sys.stdout.flush()
    except OSError:  # told already, or there is nobody to tell
        streams.discard(sys.stdout)
    sys.exit(int(status or 0))


_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""The base of what the parser raises, which typer does not name."""


def _usage(error: Exception, *, as_json: bool) -> int:
    from typer import rich_utils  # a tenth of a second

    rich_utils.rich_format_error(error)  # type: ignore[arg-type]
    if as_json:
        text = getattr(error, "message", "") or str(error)
        emit_failure("UsageError", text, "Add --help to see what the command takes", ExitCode.USAGE)
    return ExitCode.USAGE
