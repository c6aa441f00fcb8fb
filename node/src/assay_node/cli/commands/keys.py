"""`assay keys`: accounts as encrypted keystore files."""

from __future__ import annotations

from typing import Annotated

import typer

from ... import chain
from ...chain.errors import KeyFileError
from ...chain.keystore import AddressMissing
from ...errors import AssayError
from ...session import key_path
from .. import options
from ..console import emit, fields, note, out

app = typer.Typer(
    no_args_is_help=True, help="Accounts: encrypted keystore files (Web3 secret storage, scrypt)."
)
Name = Annotated[str, typer.Argument(metavar="NAME|FILE", help="A name in the home's keys, or a path.")]


@app.command("new")
def new(
    name: Name = options.DEFAULT_KEY,
    *,
    dev: Annotated[
        int | None,
        typer.Option(
            "--dev",
            metavar="N",
            min=0,
            max=99,
            help="Store the devnet's N-th account, funded there. Its key is public: never use it elsewhere.",
        ),
    ] = None,
    home: options.Home = options.DEFAULT_HOME,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """Create an account and store it encrypted.

    The password comes from a file, the environment or a prompt. There is no way to recover a forgotten one.

    Examples:

      assay keys new                                    the account named "default"

      assay keys new alice --password-file alice.pass

      assay keys new dev0 --dev 0                       the devnet's first account, which has 10,000 ETH there
    """
    path = key_path(home, name)
    if path.exists():
        raise AssayError(f"{path} exists already", "Keys are never overwritten: choose another name")
    password = chain.read_password(
        file=password_file, prompt=f"Password for the new key {name}: ", confirm=True
    )
    known = None if dev is None else _devnet_key(dev)
    account = chain.create_account(path, password, private_key=known)
    emit(
        {"address": account.address, "file": path},
        as_json=json,
        human=lambda: out.print(fields({"address": account.address, "file": path})),
    )


@app.command("show")
def show(
    name: Name = options.DEFAULT_KEY,
    *,
    unlock: Annotated[
        bool,
        typer.Option("--unlock", help="Open the key: for files that name no address, and to try a password."),
    ] = False,
    home: options.Home = options.DEFAULT_HOME,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """Show an account's address. Needs no password, unless the file names no address (cast's do not).

    Examples:

      assay keys show

      assay keys show alice --json

      assay keys show ./from-cast.json --unlock
    """
    path = key_path(home, name)
    if unlock:
        password = chain.read_password(file=password_file, prompt=f"Password of {name}: ")
        address = str(chain.load_account(path, password).address)
    else:
        address = chain.keystore_address(path)
    emit(
        {"address": address, "file": path},
        as_json=json,
        human=lambda: out.print(fields({"address": address, "file": path})),
    )


@app.command("list")
def list_keys(*, home: options.Home = options.DEFAULT_HOME, json: options.Json = False) -> None:
    """List the accounts kept in the home."""
    folder = home / "keys"
    found: dict[str, str | None] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.stem] = chain.keystore_address(path)
        except AddressMissing:
            found[path.stem] = None
        except KeyFileError as error:  # one bad file must not hide the others
            note(str(error), label="skipped:")

    def human() -> None:
        out.print(fields(found) if found else f"no keys in {folder}; create one with: assay keys new")

    emit(found, as_json=json, human=human)


def _devnet_key(index: int) -> bytes:
    from ...devnet.accounts import DevAccounts  # the embedded chain takes half a second to load
    from ...devnet.config import DEFAULT_MNEMONIC

    return bytes(list(DevAccounts(DEFAULT_MNEMONIC, index + 1))[index].key)
