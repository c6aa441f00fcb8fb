"""The folder of a local market: a home for commands, with accounts whose keys everybody knows.

up.json                 marks the folder as one of these
chain/                  the devnet's state
keys/NAME.json          default (who asks), publisher, worker1, worker2, ..
deployments/            the contracts' addresses
worker1/ worker2/ ..    configuration, encryption key and state of each worker
env                     what a shell needs to know: `. DIR/env`
"""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from ..chain.keys import create_encryption_key, load_encryption_key, write_secret
from ..errors import AssayError

PASSWORD = "development"  # noqa: S105 - of keys that everybody knows
_MARK = "up.json"
_FORMAT = {"format": "assay/up", "version": 1}


def open_folder(folder: Path) -> None:
    """Make the folder, or take up the one of an earlier run.

    Raises:
        AssayError: it is there and holds something else, or cannot be made.
    """
    mark = folder / _MARK
    try:
        if mark.is_file():
            if json.loads(mark.read_text(encoding="utf-8")) != _FORMAT:
                raise AssayError(f"{folder} was made by another version", "Name another folder")
            return
        if folder.exists() and any(folder.iterdir()):
            raise AssayError(f"{folder} holds files of something else", "Name an empty folder")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        mark.write_text(json.dumps(_FORMAT) + "\n", encoding="utf-8")
    except (OSError, ValueError) as error:
        raise AssayError(f"cannot use {folder} ({error})", "Name another folder") from error


def write_keystore(folder: Path, name: str, account: LocalAccount) -> Path:
    """The account as a keystore in the folder, under `PASSWORD`. Quick to open: its key is public."""
    path = folder / "keys" / f"{name}.json"
    if not path.exists():
        keystore = Account.encrypt(account.key, PASSWORD, kdf="pbkdf2", iterations=1)
        write_secret(path, json.dumps(keystore, indent=2) + "\n")
    return path


def encryption_key(path: Path) -> bytes:
    """The public part of a worker's encryption key, which is made if there is none."""
    key = load_encryption_key(path, PASSWORD) if path.exists() else create_encryption_key(path, PASSWORD)
    return key.public_key.encode()


def write_env(folder: Path, rpc_url: str, model_id: bytes) -> Path:
    """Write what points commands at this market, for a shell to read."""
    path = folder / "env"
    values = {
        "ASSAY_HOME": str(folder.resolve()),
        "ASSAY_RPC": rpc_url,
        "ASSAY_PASSWORD": PASSWORD,
        "ASSAY_MODEL": "0x" + model_id.hex(),
    }
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in values.items()]
    partial = path.with_name(f".env.{os.getpid()}")
    partial.write_text("".join(lines), encoding="utf-8")
    partial.replace(path)
    return path
