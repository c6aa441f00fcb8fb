"""Reading Web3 keystore files (version 3) as geth, ethers, cast, MetaMask, parity and others write them.

A file is checked in full before a password is tried on it: what it asks for in time and memory, the length of
every field, and afterwards that the account that comes out is the one it names. The MAC covers neither the
initialisation vector nor the address, so a changed file would otherwise open another account.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from assay_prover import strict_json

from .errors import KeyFileError

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

MAX_FILE = 64 << 10
"""Bytes of a key file."""

MAX_SCRYPT_MEMORY = 1 << 30
"""Bytes; geth's standard keystore takes 256 MiB."""

MAX_SCRYPT_WORK = 1 << 23
"""n r p; geth's standard is a quarter of it, a second or so."""

MAX_PBKDF2_ROUNDS = 10_000_000
"""Some ten seconds; files in the wild have 10,240 to 1,000,000."""

KEY_BYTES, IV_BYTES, MAC_BYTES = 32, 16, 32
MAX_DERIVED, MAX_SALT = 128, 256


class AddressMissing(KeyFileError):
    """A keystore that does not say whose it is; only its password tells."""


def read_document(path: Path) -> dict[str, Any]:
    """The JSON object of a key file. Raises `KeyFileError`."""
    try:
        document = strict_json.load(path, max_bytes=MAX_FILE)
    except OSError as error:
        raise KeyFileError(f"cannot read {path} ({error.strerror})", "Check its path") from error
    except strict_json.JsonError as error:
        raise KeyFileError(f"{path} is no key file ({error})", "Name another file") from error
    if not isinstance(document, dict):
        raise KeyFileError(f"{path} is no key file", "Name another file")
    return document


def keystore_address(path: Path) -> str:
    """The address a keystore file says it is for, without opening it.

    Raises:
        AddressMissing: a keystore that names none, as cast writes them.
        KeyFileError: the file cannot be read or is no keystore.
    """
    named = _named_address(path, _members(read_document(path)))
    if named is None:
        raise AddressMissing(
            f"{path} does not say its address", "Its password tells it: run assay keys show --unlock"
        )
    from eth_utils.address import to_checksum_address  # a tenth of a second

    return to_checksum_address(named)


def load_account(path: Path, password: str) -> LocalAccount:
    """The account of a keystore file.

    Raises:
        KeyFileError: the file cannot be read, is no keystore, asks for too much work or memory, is for
            another account than it says, or the password is wrong.
    """
    from eth_account import Account
    from eth_utils.exceptions import ValidationError

    document = _members(read_document(path))
    named = _named_address(path, document)
    checked = _checked(path, document)
    try:
        key = _decrypt(checked, password)
        account = cast("LocalAccount", Account.from_key(key))
    except ValidationError as error:
        raise KeyFileError(f"{path} holds no valid key", "Restore it from a backup") from error
    except ValueError as error:
        if "MAC" not in str(error):
            raise KeyFileError(f"{path} is no keystore file ({error})", "Name another file") from error
        raise KeyFileError(
            f"wrong password for {path}, or the file is damaged", "Try again, or restore it from a backup"
        ) from error
    if named is not None and bytes.fromhex(account.address[2:]) != bytes.fromhex(named):
        raise KeyFileError(
            f"{path} says it is for 0x{named} but holds the key of {account.address}: it was changed",
            "Restore it from a backup",
        )
    return account


def _decrypt(document: dict[str, Any], password: str) -> bytes:
    from eth_account import Account

    # The same letters have several encodings, and where a keyboard's differs the password seems wrong.
    forms = dict.fromkeys(
        [password, *(unicodedata.normalize(form, password) for form in ("NFC", "NFKC", "NFD"))]
    )
    for form in list(forms)[:-1]:
        try:
            return bytes(Account.decrypt(document, form))
        except ValueError as error:
            if "MAC" not in str(error):
                raise
    return bytes(Account.decrypt(document, list(forms)[-1]))


def _members(document: Mapping[str, Any]) -> dict[str, Any]:
    """The members by lower-case name: some writers say Crypto, and KdfParams."""
    return {
        name.lower(): _members(value) if isinstance(value, dict) else value
        for name, value in document.items()
    }


def _named_address(path: Path, document: Mapping[str, Any]) -> str | None:
    """40 hexadecimal digits in lower case; None if the file has no address."""
    if not isinstance(document.get("crypto"), dict):
        raise KeyFileError(f"{path} is no keystore file", "Name another file")
    named = document.get("address")
    if named is None or named == "":
        return None
    digits = _digits(named)
    if digits is None or len(digits) != 40:
        raise KeyFileError(f"{path} names an address that is none", "Restore it from a backup")
    return digits


def _checked(path: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    """The keystore in the one form that the library reads, after checking all of it."""

    def refuse(what: str) -> KeyFileError:
        return KeyFileError(f"{path} is no keystore file that can be opened ({what})", "Name another file")

    def field(holder: Mapping[str, Any], name: str, shortest: int, longest: int) -> str:
        digits = _digits(holder.get(name))
        if digits is None or len(digits) % 2 or not shortest <= len(digits) // 2 <= longest:
            size = f"{shortest}" if shortest == longest else f"{shortest} to {longest}"
            raise refuse(f"{name}: expected {size} bytes in hexadecimal digits")
        return digits

    def number(holder: Mapping[str, Any], name: str, least: int, most: int) -> int:
        value = holder.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise refuse(f"{name}: expected a whole number from {least:,} to {most:,}")
        return value

    if document.get("version") not in (3, "3"):
        raise refuse("not of version 3")
    crypto = document["crypto"]
    parameters, cipher = crypto.get("kdfparams"), crypto.get("cipherparams")
    if not isinstance(parameters, dict) or not isinstance(cipher, dict):
        raise refuse("parameters are missing")
    if crypto.get("cipher") != "aes-128-ctr":
        raise refuse("its cipher is not aes-128-ctr")
    derived: dict[str, Any] = {
        "dklen": number(parameters, "dklen", KEY_BYTES, MAX_DERIVED),
        "salt": field(parameters, "salt", 1, MAX_SALT),
    }
    kdf = crypto.get("kdf")
    if kdf == "scrypt":
        n = number(parameters, "n", 2, 1 << 24)
        r, p = number(parameters, "r", 1, 1 << 10), number(parameters, "p", 1, 1 << 10)
        if n & (n - 1):
            raise refuse("n: expected a power of two")
        if 128 * n * r > MAX_SCRYPT_MEMORY or n * r * p > MAX_SCRYPT_WORK:
            raise refuse("its key derivation asks for more memory or time than is allowed")
        derived |= {"n": n, "r": r, "p": p}
    elif kdf == "pbkdf2":
        if parameters.get("prf") != "hmac-sha256":
            raise refuse("prf: expected hmac-sha256")
        derived |= {"c": number(parameters, "c", 1, MAX_PBKDF2_ROUNDS), "prf": "hmac-sha256"}
    else:
        raise refuse("its key derivation is neither scrypt nor pbkdf2")
    return {
        "version": 3,
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": field(cipher, "iv", IV_BYTES, IV_BYTES)},
            "ciphertext": field(crypto, "ciphertext", KEY_BYTES, KEY_BYTES),
            "kdf": kdf,
            "kdfparams": derived,
            "mac": field(crypto, "mac", MAC_BYTES, MAC_BYTES),
        },
    }


def _digits(value: object) -> str | None:
    """Hexadecimal digits in lower case, without 0x; None if it is anything else."""
    if not isinstance(value, str):
        return None
    digits = value.lower().removeprefix("0x")
    return digits if digits and all(digit in "0123456789abcdef" for digit in digits) else None
