"""Keystores as others write them, and as nobody should: read, or refused in one sentence, within bounds."""

from __future__ import annotations

import copy
import hashlib
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from Crypto.Cipher import AES
from Crypto.Util import Counter
from eth_account import Account
from eth_hash.auto import keccak
from eth_keyfile.keyfile import create_keyfile_json

from assay_node.chain import AddressMissing, KeyFileError, keystore_address, load_account, read_password
from assay_node.chain.keystore import MAX_FILE

KEY = bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
ADDRESS = Account.from_key(KEY).address
PASSWORD = "password1"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SCRYPT = create_keyfile_json(KEY, PASSWORD.encode(), kdf="scrypt", iterations=1024)
PBKDF2 = create_keyfile_json(KEY, PASSWORD.encode(), kdf="pbkdf2", iterations=1000)
# cast 1.x writes no address; its file of the same kind, of a key of its own
CAST = json.loads((Path(__file__).parents[3] / "vectors" / "keystores" / "cast_password1.json").read_text())

Change = Callable[[dict[str, Any]], None]
Form = Literal["NFC", "NFD", "NFKC"]


def write(folder: Path, document: object, **form: Any) -> Path:
    path = folder / "key.json"
    path.write_text(json.dumps(document, **form))
    return path


def changed(change: Change, base: dict[str, Any] = SCRYPT) -> dict[str, Any]:
    document = copy.deepcopy(base)
    change(document)
    return document


def put(path: str, value: object) -> Change:
    def change(document: dict[str, Any]) -> None:
        *above, name = path.split(".")
        holder = document
        for part in above:
            holder = holder[part]
        holder[name] = value

    return change


def upper_case(document: dict[str, Any]) -> None:
    document["address"] = "0X" + document["address"].removeprefix("0x").upper()
    for name in ("mac", "ciphertext"):
        document["crypto"][name] = "0x" + document["crypto"][name].upper()
    document["crypto"]["cipherparams"]["iv"] = document["crypto"]["cipherparams"]["iv"].upper()
    document["crypto"]["kdfparams"]["salt"] = document["crypto"]["kdfparams"]["salt"].upper()


def as_ethers(document: dict[str, Any]) -> None:
    document["Crypto"] = document.pop("crypto")
    document["x-ethers"] = {"client": "ethers/6", "mnemonicCounter": "00" * 16}


@pytest.mark.parametrize(
    "document",
    [
        SCRYPT,
        PBKDF2,
        changed(upper_case),
        changed(as_ethers),
        changed(put("version", "3")),
        changed(put("address", "0x" + SCRYPT["address"].removeprefix("0x"))),
    ],
)
def test_keystores_of_other_tools_open(document: dict[str, Any], tmp_path: Path) -> None:
    path = write(tmp_path, document)
    assert load_account(path, PASSWORD).address == keystore_address(path) == ADDRESS


@pytest.mark.parametrize(("n", "r", "p"), [(2, 8, 1), (4096, 8, 6), (8192, 1, 8), (1 << 14, 16, 1)])
def test_scrypt_of_other_sizes(n: int, r: int, p: int, tmp_path: Path) -> None:
    path = write(tmp_path, forged(KEY, n=n, r=r, p=p))
    assert load_account(path, PASSWORD).address == ADDRESS


def test_derived_keys_may_be_longer_than_needed(tmp_path: Path) -> None:
    path = write(tmp_path, forged(KEY, dklen=64))
    assert load_account(path, PASSWORD).address == ADDRESS


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_files_as_editors_write_them(before: bytes, line_end: bytes, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_bytes(before + json.dumps(SCRYPT, indent=2).encode().replace(b"\n", line_end))
    assert load_account(path, PASSWORD).address == ADDRESS


def test_a_keystore_of_cast_opens_and_says_that_it_names_no_address(tmp_path: Path) -> None:
    path = write(tmp_path, CAST)
    assert load_account(path, PASSWORD).address.startswith("0x")
    with pytest.raises(AddressMissing, match="does not say its address"):
        keystore_address(path)


@pytest.mark.parametrize("nothing", ["", None])
def test_no_address_is_none(nothing: object, tmp_path: Path) -> None:
    path = write(tmp_path, changed(put("address", nothing)))
    assert load_account(path, PASSWORD).address == ADDRESS
    with pytest.raises(AddressMissing):
        keystore_address(path)


def test_a_changed_vector_does_not_open_another_account(tmp_path: Path) -> None:
    """The MAC does not cover it: without comparing addresses another key comes out, with an address, too."""
    iv = bytearray.fromhex(SCRYPT["crypto"]["cipherparams"]["iv"])
    iv[3] ^= 1
    path = write(tmp_path, changed(put("crypto.cipherparams.iv", iv.hex())))
    with pytest.raises(KeyFileError, match="it was changed"):
        load_account(path, PASSWORD)


def test_another_address_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path, changed(put("address", "11" * 20)))
    with pytest.raises(KeyFileError, match="says it is for 0x1111"):
        load_account(path, PASSWORD)


@pytest.mark.parametrize("address", ["zz" * 20, "12", 5, ["ab"], "0x" + "1" * 41])
def test_an_address_that_is_none(address: object, tmp_path: Path) -> None:
    path = write(tmp_path, changed(put("address", address)))
    for read in (keystore_address, lambda path: load_account(path, PASSWORD)):
        with pytest.raises(KeyFileError):
            read(path)


@pytest.mark.parametrize(
    "change",
    [
        put("crypto.kdfparams.n", 1 << 40),
        put("crypto.kdfparams.n", 1 << 21),
        put("crypto.kdfparams.n", -1),
        put("crypto.kdfparams.n", 3),
        put("crypto.kdfparams.n", "1024"),
        put("crypto.kdfparams.n", True),
        put("crypto.kdfparams.n", 1024.0),
        put("crypto.kdfparams.r", 0),
        put("crypto.kdfparams.r", 1 << 30),
        put("crypto.kdfparams.p", 1 << 30),
        put("crypto.kdfparams.dklen", 16),
        put("crypto.kdfparams.dklen", 1 << 40),
        put("crypto.kdfparams.salt", "zz"),
        put("crypto.kdfparams.salt", "ab" * 1000),
        put("crypto.kdfparams", None),
        put("crypto.kdf", "argon2"),
        put("crypto.kdf", None),
        put("crypto.cipher", "aes-256-xyz"),
        put("crypto.cipherparams.iv", "00"),
        put("crypto.cipherparams.iv", "zz" * 16),
        put("crypto.cipherparams", []),
        put("crypto.mac", "00"),
        put("crypto.ciphertext", "ab" * 33),
        put("crypto.ciphertext", ""),
        put("crypto", []),
        put("crypto", "x"),
        put("version", 1),
        put("version", None),
        put("version", [3]),
    ],
)
def test_other_files_are_refused_before_a_password_is_tried(change: Change, tmp_path: Path) -> None:
    path = write(tmp_path, changed(change))
    with pytest.raises(KeyFileError) as refused:
        load_account(path, PASSWORD)
    assert "wrong password" not in str(refused.value)


@pytest.mark.parametrize(
    ("field", "value"), [("c", 0), ("c", 1 << 40), ("prf", "hmac-sha512"), ("dklen", 16)]
)
def test_other_parameters_of_pbkdf2_are_refused(field: str, value: object, tmp_path: Path) -> None:
    path = write(tmp_path, changed(put(f"crypto.kdfparams.{field}", value), PBKDF2))
    with pytest.raises(KeyFileError, match=field):
        load_account(path, PASSWORD)


def forged(key: bytes, *, n: int = 2, r: int = 8, p: int = 1, dklen: int = 32) -> dict[str, Any]:
    """A keystore of anything, with the MAC it needs."""
    document = copy.deepcopy(SCRYPT)
    parameters = document["crypto"]["kdfparams"]
    parameters |= {"n": n, "r": r, "p": p, "dklen": dklen}
    salt = bytes.fromhex(parameters["salt"])
    derived = hashlib.scrypt(PASSWORD.encode(), salt=salt, n=n, r=r, p=p, dklen=dklen, maxmem=1 << 30)
    counter = Counter.new(128, initial_value=int(document["crypto"]["cipherparams"]["iv"], 16))
    sealed = AES.new(derived[:16], AES.MODE_CTR, counter=counter).encrypt(key) if key else b""
    document["crypto"] |= {"ciphertext": sealed.hex(), "mac": keccak(derived[16:32] + sealed).hex()}
    return document


@pytest.mark.parametrize("key", [b"", KEY[1:], b"\0" + KEY, bytes(64), bytes(32), ORDER.to_bytes(32, "big")])
def test_a_key_of_another_length_or_beyond_the_curve(key: bytes, tmp_path: Path) -> None:
    document = forged(key)
    del document["address"]
    with pytest.raises(KeyFileError):
        load_account(write(tmp_path, document), PASSWORD)


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(SCRYPT).encode("utf-16"),
        b"[" * 100_000,
        b'{"address":' * 50_000,
        b" " * (MAX_FILE + 1),
        bytes(range(128, 256)),
        b"5",
    ],
)
def test_what_is_no_text_of_json(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_bytes(data)
    for read in (keystore_address, lambda path: load_account(path, PASSWORD)):
        with pytest.raises(KeyFileError):
            read(tmp_path / "key.json")


def test_a_folder_is_no_key_file(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError):
        keystore_address(tmp_path)


@pytest.mark.parametrize("typed", ["NFC", "NFD", "NFKC"])
@pytest.mark.parametrize("stored", ["NFC", "NFD"])
def test_a_password_of_another_keyboard(stored: Form, typed: Form, tmp_path: Path) -> None:
    password = "pässwörd-é"
    keystore = create_keyfile_json(KEY, unicodedata.normalize(stored, password).encode(), iterations=1)
    assert load_account(write(tmp_path, keystore), unicodedata.normalize(typed, password)).address == ADDRESS


@pytest.mark.parametrize(
    "data",
    [
        b"password1",
        b"password1\n",
        b"password1\r\nsecond",
        b"password1\r",
        b"\xef\xbb\xbfpassword1\r\n",
        "password1\r\n".encode("utf-16"),
    ],
)
def test_password_files_of_any_system(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "pass").write_bytes(data)
    assert read_password(file=tmp_path / "pass") == PASSWORD


@pytest.mark.parametrize("data", [b"", b"\n", b"\xff\xfe\xff", b"\xff\xff", b"x" * (1 << 17)])
def test_password_files_without_a_password(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "pass").write_bytes(data)
    with pytest.raises(KeyFileError):
        read_password(file=tmp_path / "pass")
