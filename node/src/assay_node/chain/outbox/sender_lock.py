"""One sender for each key: two that number an account's transactions would use the same nonces."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ..errors import SenderBusy


class SenderLock:
    """An exclusive lock on an account of a chain, held until `release` or the end of the process.

    An flock and not a file with a pid in it: the kernel lets go of it when the process is killed, so nothing
    stale is ever left. The pid inside is for the message alone.
    """

    def __init__(self, folder: Path, chain_id: int, address: str) -> None:
        self._descriptor = -1
        self.path = folder / f"{chain_id}-{address.lower()}.lock"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SenderBusy(f"cannot lock the key {address} in {folder} ({error.strerror})") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise SenderBusy(
                f"another process (pid {holder}) sends with the key {address}", "Stop it, or use another key"
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Lets go of the lock. The file stays, or a waiting process would hold a lock on an unlinked one."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
