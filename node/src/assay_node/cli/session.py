"""What most commands begin with: a session, with this program's logs set up first."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from .. import chain as chains
from .. import session as sessions
from ..chain.keystore import AddressMissing
from ..session import (
    Session,
    Signer,
    deployment_path,
    development_node,
    find_deployment,
    jobs_path,
    key_path,
    open_outbox,
    unlock,
)
from . import options
from .logs import configure_logs

__all__ = [
    "Session",
    "Signer",
    "account_address",
    "connect",
    "deployment_path",
    "development_node",
    "find_deployment",
    "jobs_path",
    "key_path",
    "open_outbox",
    "unlock",
]


def account_address(home: Path, text: str) -> str:
    """The address that is meant by a key's name or file, or by itself.

    A keystore that names no address is opened with its password.
    """
    if text.lower().startswith("0x"):
        return options.parse_address(text)
    path = key_path(home, text)
    try:
        return chains.keystore_address(path)
    except AddressMissing:
        return unlock(home, text, None).address


@asynccontextmanager
async def connect(
    rpc: list[str], deployment_file: Path | None, home: Path, *, check_rpc: str | None = None
) -> AsyncIterator[Session]:
    """Connect to a node and check that the deployment is there.

    What money depends on is asked of a second node too, if there is one: `check_rpc`, else ASSAY_CHECK_RPC.
    """
    configure_logs()
    second = check_rpc or os.environ.get(options.CHECK_RPC_VARIABLE)
    async with sessions.connect(rpc, deployment_file, home, check_rpc=second) as session:
        yield session
