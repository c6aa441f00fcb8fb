"""Keys on disk: accounts as Web3 keystore files, X25519 keys in an encrypted file of the same spirit.

A password comes from a file, from an environment variable or from a prompt, never from the command line,
where every user of the machine could read it.
"""

from __future__ import annotations

import codecs
import getpass
import json
import os
import re
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from typing import TYPE_CHECKING, cast

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey
from nacl.pwhash import argon2id
from nacl.secret import SecretBox
from nacl.utils import random

from .errors import KeyFileError
from .keystore import keystore_address, load_account, read_document

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

__all__ = [
    "create_account",
    "create_encryption_key",
    "keystore_address",
    "load_account",
    "load_encryption_key",
    "private_folder",
    "read_password",
    "write_secret",
]

PASSWORD_VARIABLE = "ASSAY_PASSWORD"  # noqa: S105 - the variable's name
MINIMUM_PASSWORD = 8
MAX_PASSWORD_FILE = 64 << 10  # bytes
_KIND = "assay-x25519"
# Argon2id at libsodium's "interactive" cost (RFC 9106's second recommendation in spirit): 64 MiB, some 0.1 s.
# The file's own limits are refused above "moderate", so that a forged file cannot ask for a terabyte.
_OPS, _MEM = argon2id.OPSLIMIT_INTERACTIVE, argon2id.MEMLIMIT_INTERACTIVE
_OPS_MOST, _MEM_MOST = argon2id.OPSLIMIT_MODERATE, argon2id.MEMLIMIT_MODERATE


def read_password(
    *,
    file: Path | None = None,
    variable: str = PASSWORD_VARIABLE,
    prompt: str | None = None,
    confirm: bool = False,
) -> str:
    """A password from `file`, else from the environment, else asked for.

    Args:
        file: its first line is the password.
        variable: environment variable to look in.
        prompt: text to ask with on a terminal; None never asks.
        confirm: ask twice.

    Raises:
        KeyFileError: there is none, or the two answers differ.
    """
    if file is not None:
        return _password_of(file)
    if variable in os.environ:
        return os.environ[variable]
    if prompt is None or not sys.stdin.isatty():
        raise KeyFileError("no password given", f"Name a password file or set {variable}")
    password = getpass.getpass(prompt)
    if confirm and getpass.getpass("Once more: ") != password:
        raise KeyFileError("the two passwords differ", "Try again")
    return password


def create_account(path: Path, password: str, *, private_key: bytes | None = None) -> LocalAccount:
    """Writes a new keystore file (scrypt) and returns its account.

    Args:
        path: must not exist.
        password: at least `MINIMUM_PASSWORD` characters.
        private_key: an existing key to store, 32 bytes; a new one by default.

    Raises:
        KeyFileError: the file exists or cannot be written, or the password is too short.
    """
    from eth_account import Account  # half a second, which no other use of this module is worth

    _check_password(password)
    account = Account.create() if private_key is None else Account.from_key(private_key)
    keystore = Account.encrypt(account.key, password)
    # geth's field order and checksum-less address; readers accept both.
    write_secret(path, json.dumps({"address": account.address[2:].lower(), **keystore}, indent=2) + "\n")
    return cast("LocalAccount", account)


def create_encryption_key(path: Path, password: str) -> PrivateKey:
    """Writes a new X25519 key file, encrypted with XSalsa20-Poly1305 under Argon2id.

    Raises `KeyFileError`.
    """
    _check_password(password)
    key = PrivateKey.generate()
    salt = random(argon2id.SALTBYTES)
    box = SecretBox(argon2id.kdf(SecretBox.KEY_SIZE, password.encode(), salt, _OPS, _MEM))
    document = {
        "version": 1,
        "kind": _KIND,
        "public": key.public_key.encode().hex(),
        "kdf": {"name": "argon2id", "salt": _b64(salt), "ops": _OPS, "mem": _MEM},
        "box": _b64(box.encrypt(key.encode())),
    }
    write_secret(path, json.dumps(document, indent=2) + "\n")
    return key


def load_encryption_key(path: Path, password: str) -> PrivateKey:
    """The X25519 key of a file.

    Raises:
        KeyFileError: the file cannot be read, is none of these, or the password is wrong.
    """
    document = read_document(path)
    try:
        if document["kind"] != _KIND or document["version"] != 1:
            raise KeyFileError(f"{path} is no encryption key file of version 1", "Name another file")
        kdf = document["kdf"]
        ops, mem = int(kdf["ops"]), int(kdf["mem"])
        if not (1 <= ops <= _OPS_MOST and 8192 <= mem <= _MEM_MOST):
            raise KeyFileError(
                f"{path} asks for a costlier key derivation than is allowed", "Name another file"
            )
        box = SecretBox(argon2id.kdf(SecretBox.KEY_SIZE, password.encode(), b64decode(kdf["salt"]), ops, mem))
        sealed = b64decode(document["box"])
        public = bytes.fromhex(document["public"])
    except (KeyError, TypeError, ValueError) as error:
        raise KeyFileError(f"{path} is no encryption key file", "Name another file") from error
    try:
        key = PrivateKey(box.decrypt(sealed))
    except CryptoError as error:
        raise KeyFileError(f"wrong password for {path}", "Try again") from error
    if key.public_key.encode() != public:
        raise KeyFileError(f"{path} holds another key than it says", "Restore it from a backup")
    return key


def write_secret(path: Path, text: str) -> None:
    """Writes a new file that only its owner may read, on disk when this returns. Raises `KeyFileError`."""
    try:
        private_folder(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink()  # half a key is none, and would be in the way of the next try
            raise
    except FileExistsError as error:
        raise KeyFileError(
            f"{path} exists already", "Keys are never overwritten: name another file"
        ) from error
    except OSError as error:
        raise KeyFileError(f"cannot write {path} ({error})", "Check the folder") from error


def private_folder(path: Path) -> None:
    """Makes a folder and those above it, where they are missing, for their owner alone. Raises `OSError`."""
    for folder in (*reversed(path.parents), path):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)


def _password_of(file: Path) -> str:
    """The first line of a file, as editors and shells of any system write it."""
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_PASSWORD_FILE + 1)
        if len(data) > MAX_PASSWORD_FILE:
            raise KeyFileError(f"{file} is too large for a password file", "Name another file")
        wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # Windows PowerShell's `>`
        first = re.split("\r\n|\r|\n", data.decode("utf-16" if wide else "utf-8-sig"), maxsplit=1)[0]
    except OSError as error:
        raise KeyFileError(
            f"cannot read the password file {file} ({error.strerror})", "Check its path"
        ) from error
    except UnicodeDecodeError as error:
        raise KeyFileError(f"the password file {file} is no text in UTF-8", "Name another file") from error
    if not first:
        raise KeyFileError(f"the first line of the password file {file} is empty", "Write the password there")
    return first


def _check_password(password: str) -> None:
    if len(password) < MINIMUM_PASSWORD:
        raise KeyFileError(f"a password needs at least {MINIMUM_PASSWORD} characters", "Choose a longer one")


def _b64(data: bytes) -> str:
    return b64encode(data).decode("ascii")
