"""Development accounts, derived from a public mnemonic (BIP-39, BIP-44 path m/44'/60'/0'/0/i).

Their keys are known to everyone: they must never hold value on a real chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eth_account import Account
from eth_account.hdaccount import seed_from_mnemonic
from eth_account.hdaccount.deterministic import HDPath
from eth_account.signers.local import LocalAccount
from eth_typing import Address
from eth_utils.exceptions import ValidationError

from assay_node.devnet.errors import DevnetError, RpcError


class DevAccounts:
    """The unlocked accounts, in derivation order."""

    def __init__(self, mnemonic: str, count: int) -> None:
        """Derive ``count`` keys; an invalid mnemonic is a ``DevnetError``."""
        try:
            seed = seed_from_mnemonic(mnemonic, "")
        except ValidationError as error:
            raise DevnetError(f"the mnemonic is not a valid BIP-39 phrase: {error}") from error
        keys = [HDPath(f"m/44'/60'/0'/0/{index}").derive(seed) for index in range(count)]
        self._by_address: dict[Address, LocalAccount] = {}
        for key in keys:
            account: LocalAccount = Account.from_key(key)
            self._by_address[Address(bytes.fromhex(account.address[2:]))] = account

    def __iter__(self) -> Iterator[LocalAccount]:
        """Accounts with their keys."""
        return iter(self._by_address.values())

    def __len__(self) -> int:
        """How many there are."""
        return len(self._by_address)

    @property
    def addresses(self) -> list[Address]:
        """The 20-byte addresses."""
        return list(self._by_address)

    def sign(self, sender: Address, transaction: Mapping[str, Any]) -> bytes:
        """Raw signed bytes of ``transaction`` ; RpcError if ``sender`` is not one of ours."""
        account = self._by_address.get(sender)
        if account is None:
            raise RpcError(f"unknown account 0x{sender.hex()}: only the development accounts are unlocked")
        try:
            return bytes(account.sign_transaction(dict(transaction)).raw_transaction)
        except (TypeError, ValueError, ValidationError) as error:
            raise RpcError(f"cannot sign the transaction: {error}") from error
