"""Key files: what is written opens with its password only, and nothing is ever overwritten."""

from __future__ import annotations

import json
import stat

import pytest

from assay_node.chain import (
    KeyFileError,
    create_account,
    create_encryption_key,
    keystore_address,
    load_account,
    load_encryption_key,
    read_password,
)
from assay_node.chain.keys import PASSWORD_VARIABLE

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def keystore(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "account.json"
    return path, create_account(path, PASSWORD)


@pytest.fixture(scope="module")
def box_key(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "x25519.json"
    return path, create_encryption_key(path, PASSWORD)


def test_account_round_trip(keystore):
    path, account = keystore
    assert load_account(path, PASSWORD).address == account.address
    assert keystore_address(path) == account.address


def test_encryption_key_round_trip(box_key):
    path, key = box_key
    assert load_encryption_key(path, PASSWORD).encode() == key.encode()


@pytest.mark.parametrize("load", [load_account, load_encryption_key])
def test_wrong_password_is_one_clear_error(load, keystore, box_key):
    path = keystore[0] if load is load_account else box_key[0]
    with pytest.raises(KeyFileError, match="wrong password"):
        load(path, PASSWORD + "!")


def test_files_are_their_owners_only(keystore, box_key):
    for path in (keystore[0], box_key[0]):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_secrets_are_not_in_the_files(keystore, box_key):
    assert keystore[1].key.hex().removeprefix("0x") not in keystore[0].read_text().lower()
    assert box_key[1].encode().hex() not in box_key[0].read_text()


@pytest.mark.parametrize("create", [create_account, create_encryption_key])
def test_never_overwrites(create, tmp_path):
    (tmp_path / "key").write_text("precious")
    with pytest.raises(KeyFileError, match="exists already"):
        create(tmp_path / "key", PASSWORD)
    assert (tmp_path / "key").read_text() == "precious"


def test_short_password_is_refused(tmp_path):
    with pytest.raises(KeyFileError, match="at least 8"):
        create_account(tmp_path / "key", "short")
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize("load", [load_account, load_encryption_key])
@pytest.mark.parametrize("text", ["", "[]", "{}", "not json", '{"crypto": {}, "version": 3}'])
def test_other_files_are_one_clear_error(load, text, tmp_path):
    (tmp_path / "key").write_text(text)
    with pytest.raises(KeyFileError):
        load(tmp_path / "key", PASSWORD)


def test_missing_file_is_one_clear_error(tmp_path):
    with pytest.raises(KeyFileError, match="cannot read"):
        load_account(tmp_path / "key", PASSWORD)


def test_exchanged_public_key_is_noticed(box_key, tmp_path):
    document = json.loads(box_key[0].read_text())
    document["public"] = "00" * 32
    (tmp_path / "key").write_text(json.dumps(document))
    with pytest.raises(KeyFileError, match="another key than it says"):
        load_encryption_key(tmp_path / "key", PASSWORD)


def test_key_file_cannot_ask_for_a_terabyte(box_key, tmp_path):
    document = json.loads(box_key[0].read_text())
    document["kdf"]["mem"] = 1 << 40
    (tmp_path / "key").write_text(json.dumps(document))
    with pytest.raises(KeyFileError, match="costlier"):
        load_encryption_key(tmp_path / "key", PASSWORD)


def test_password_from_file_before_environment(tmp_path, monkeypatch):
    (tmp_path / "pw").write_text("first line\nsecond\n")
    monkeypatch.setenv(PASSWORD_VARIABLE, "from environment")
    assert read_password(file=tmp_path / "pw") == "first line"
    assert read_password() == "from environment"


def test_no_password_is_one_clear_error(monkeypatch):
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    with pytest.raises(KeyFileError, match="no password given"):
        read_password()
