"""Options shared by the commands, declared once so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .enums import Disclosure, Target, Visibility, Weights
from .units import parse_amount, parse_duration


def _amount(text: str | int) -> int:
    try:
        return text if isinstance(text, int) else parse_amount(text)  # defaults come as they are
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _duration(text: str | int) -> int:
    try:
        return text if isinstance(text, int) else parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def parse_id(text: str) -> bytes:
    """32 bytes from hexadecimal digits."""
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise typer.BadParameter("expected 0x and 64 hexadecimal digits") from error
    if len(value) != 32:
        raise typer.BadParameter(f"an id has 32 bytes, this has {len(value)}")
    return value


def parse_address(text: str) -> str:
    """An account's address, in any case of letters; one of mixed case needs the right checksum."""
    from eth_utils.address import is_address, to_checksum_address  # a tenth of a second

    if not is_address(text):
        raise typer.BadParameter("expected an address, 0x and 40 hexadecimal digits")
    return to_checksum_address(text)


def parse_home(text: str | Path) -> Path:
    """A folder; ``~`` is this user's home directory."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise typer.BadParameter(
            "this user has no home directory: name a folder, or set ASSAY_HOME"
        ) from error


Take = Annotated[
    str | None,
    typer.Option("--take", metavar="TENSOR", help="What to prove, of a network with several outputs."),
]

_CHAIN = "Chain and account"

Rpc = Annotated[
    list[str],
    typer.Option(
        "--rpc",
        metavar="URL",
        envvar="ASSAY_RPC",
        help="JSON-RPC endpoint. Given again, or after a comma: the next to ask when one fails.",
        rich_help_panel=_CHAIN,
    ),
]
CHECK_RPC_VARIABLE = "ASSAY_CHECK_RPC"
CheckRpc = Annotated[
    str | None,
    typer.Option(
        "--check-rpc",
        metavar="URL",
        envvar=CHECK_RPC_VARIABLE,
        help="Another operator's endpoint, which must say the same of everything that money depends on.",
        rich_help_panel=_CHAIN,
    ),
]
DeploymentFile = Annotated[
    Path | None,
    typer.Option(
        "--deployment",
        metavar="FILE",
        envvar="ASSAY_DEPLOYMENT",
        help="The contracts' addresses, as `assay deploy` writes them. Default: the home's for this chain.",
        rich_help_panel=_CHAIN,
    ),
]
Home = Annotated[
    Path,
    typer.Option(
        "--home",
        metavar="DIR",
        envvar="ASSAY_HOME",
        parser=parse_home,
        help="Where keys, deployments and jobs are kept.",
        show_default="~/.assay",
        rich_help_panel=_CHAIN,
    ),
]
KeyName = Annotated[
    str,
    typer.Option(
        "--key",
        metavar="NAME|FILE",
        envvar="ASSAY_KEY",
        help="Account to act as: a name in the home's keys, or a keystore file.",
        rich_help_panel=_CHAIN,
    ),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        envvar="ASSAY_PASSWORD_FILE",
        help="File holding the key's password. Else ASSAY_PASSWORD, else a prompt; never the command line.",
        rich_help_panel=_CHAIN,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="Threads. Default: all cores.")]
JobId = Annotated[
    bytes, typer.Argument(parser=parse_id, metavar="JOB_ID", help="The job's id, 0x and 64 digits.")
]
ModelId = Annotated[bytes, typer.Argument(parser=parse_id, metavar="MODEL_ID", help="The model's id.")]
InputFile = Annotated[
    Path,
    typer.Option(
        "--input", "-i", metavar="FILE", help="The input: .npy, .npz with x, .csv, .parquet or .json."
    ),
]
Row = Annotated[
    int | None, typer.Option("--row", min=0, help="Which row of the file, from 0, if it holds many.")
]
Clip = Annotated[bool, typer.Option("--clip", help="Clip values outside the declared range.")]
BundleDir = Annotated[
    Path, typer.Argument(metavar="BUNDLE", help="Directory written by `assay model compile`.")
]

# What a network is compiled with, or priced for.

Network = Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="The network.")]
SamplesFile = Annotated[
    Path | None,
    typer.Option(
        "--samples",
        metavar="FILE",
        help="Typical inputs: .npy, or .npz with x (or each input by its name) and, to judge by, y.",
    ),
]
InputVisibility = Annotated[Visibility, typer.Option("--input", help="Where the input stays.")]
OutputDisclosure = Annotated[
    Disclosure | None,
    typer.Option("--output", help="Who can read the output. Default: encrypted if the input is private."),
]
PrecisionTarget = Annotated[Target, typer.Option("--target", help="What to favour.")]
InputRange = Annotated[
    tuple[float, float] | None,
    typer.Option(
        "--range",
        metavar="LOW HIGH",
        help="Values an input may have; the ends are probed, too. Default: the samples', widened.",
    ),
]
FeatureRanges = Annotated[
    Path | None,
    typer.Option(
        "--ranges",
        metavar="FILE",
        help="A range for each feature of a table: .npy, .json or .csv with a row (low, high) for each.",
    ),
]
WeightsPlace = Annotated[
    Weights, typer.Option("--weights", help="Constants of the circuit, or private behind a commitment.")
]


def amount_option(flag: str, text: str) -> typer.models.OptionInfo:
    """An option taking an amount of the native currency."""
    info: typer.models.OptionInfo = typer.Option(flag, parser=_amount, metavar="AMOUNT", help=text)
    return info


def duration_option(flag: str, text: str) -> typer.models.OptionInfo:
    """An option taking a number of seconds."""
    info: typer.models.OptionInfo = typer.Option(flag, parser=_duration, metavar="TIME", help=text)
    return info


def amount_argument(text: str) -> typer.models.ArgumentInfo:
    """An argument taking an amount of the native currency."""
    info: typer.models.ArgumentInfo = typer.Argument(parser=_amount, metavar="AMOUNT", help=text)
    return info


DEFAULT_RPC = ["http://127.0.0.1:8545"]
DEFAULT_HOME = Path("~/.assay")  # found when it is used: a user of a container may have no home
DEFAULT_KEY = "default"
