"""The workers a person trusts with private inputs, by name: a small file in the home."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from eth_utils.address import is_address, to_checksum_address

from assay_prover.strict_json import JsonError, dumps, load

from .errors import StoreError

MAX_NAME = 64


class TrustBook:
    """Names of trusted workers, by address. Every change is on disk when the call returns."""

    def __init__(self, path: Path) -> None:
        """Read ``path``, which need not exist. StoreError if it is no trust file."""
        self.path = path
        self._names = _read(path)

    @property
    def workers(self) -> Mapping[str, str]:
        """Name by checksummed address; a name may be empty."""
        return dict(self._names)

    def add(self, worker: str, name: str = "") -> None:
        """Trust a worker, or rename it. StoreError for a name that is too long, unprintable or taken."""
        if len(name) > MAX_NAME or not name.isprintable() or is_address(name):
            raise StoreError(f"{name!r} is no name for a worker", f"Use up to {MAX_NAME} plain characters")
        address = to_checksum_address(worker)
        if name and any(other == name and known != address for known, other in self._names.items()):
            raise StoreError(f"another worker is called {name}", "Choose another name")
        self._names[address] = name
        self._write()

    def remove(self, worker: str) -> None:
        """No longer trust a worker, given by address or name. StoreError if it is not trusted."""
        del self._names[self.address_of(worker)]
        self._write()

    def address_of(self, worker: str) -> str:
        """The address of a trusted worker, given by address or name. StoreError if it is not trusted."""
        for address, name in self._names.items():
            if worker.lower() == address.lower() or (name and worker == name):
                return address
        raise StoreError(f"{worker} is not a trusted worker", "See: assay trust list")

    def name_of(self, worker: str) -> str:
        """The name given to a trusted worker; empty if it has none or is not trusted."""
        return self._names.get(to_checksum_address(worker), "")

    def _write(self) -> None:
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary.write_text(dumps({"version": 1, "workers": self._names}, indent=2) + "\n", "utf-8")
            temporary.replace(self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise StoreError(f"cannot write {self.path} ({error.strerror})", "Check the folder") from error


def _read(path: Path) -> dict[str, str]:
    try:
        found = load(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreError(f"cannot read {path} ({error.strerror})", "Check its permissions") from error
    except JsonError as error:
        raise StoreError(f"{path} is no trust file ({error})", "Restore it, or delete it") from error
    workers = found.get("workers") if isinstance(found, dict) and found.get("version") == 1 else None
    if not isinstance(workers, dict) or not all(
        is_address(address) and isinstance(name, str) for address, name in workers.items()
    ):
        raise StoreError(f"{path} is no trust file", "Restore it, or delete it")
    return {to_checksum_address(address): str(name) for address, name in workers.items()}
