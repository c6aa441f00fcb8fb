"""Where the chain is, and as whom to act: options that many commands have, declared once.

A command takes them as one argument, `at`, and `connected` or `acting` gives it the options.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any

from . import options
from .session import Session, Signer, connect, unlock

Command = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the chain is, and the home on this machine.

    Attributes:
        rpc: URLs of the node, in order of preference.
        check_rpc: URL of a second operator's node, or None.
        deployment: file of the contracts' addresses; None for the home's.
        home: where keys, deployments and jobs are kept.
    """

    rpc: list[str]
    check_rpc: str | None
    deployment: Path | None
    home: Path

    def connect(self) -> AbstractAsyncContextManager[Session]:
        """A session there; see `session.connect`."""
        return connect(self.rpc, self.deployment, self.home, check_rpc=self.check_rpc)


@dataclass(frozen=True, slots=True)
class Account(Connection):
    """A connection, and the account to act as.

    Attributes:
        key: a key's name in the home, or a keystore file.
        password_file: holds its password; None for the environment's, or a prompt.
    """

    key: str
    password_file: Path | None

    def unlock(self) -> Signer:
        """The account, unlocked; see `session.unlock`."""
        return unlock(self.home, self.key, self.password_file)


_DECLARED: dict[str, tuple[Any, Any]] = {
    "rpc": (options.Rpc, options.DEFAULT_RPC),
    "check_rpc": (options.CheckRpc, None),
    "deployment": (options.DeploymentFile, None),
    "home": (options.Home, options.DEFAULT_HOME),
    "key": (options.KeyName, options.DEFAULT_KEY),
    "password_file": (options.PasswordFile, None),
}


def connected(command: Command) -> Command:
    """Gives a command the options of a `Connection`, which it takes as `at`."""
    return _expanded(command, Connection)


def acting(command: Command) -> Command:
    """Gives a command the options of an `Account`, which it takes as `at`."""
    return _expanded(command, Account)


def _expanded(command: Command, kind: type[Connection]) -> Command:
    names = [field.name for field in fields(kind)]

    @wraps(command)
    def run(**given: Any) -> None:
        at = kind(**{name: given.pop(name) for name in names})
        command(**given, at=at)

    signature = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.name != "at":
            parameters.append(parameter)
            continue
        for name in names:
            annotation, default = _DECLARED[name]
            parameters.append(parameter.replace(name=name, annotation=annotation, default=default))
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
