"""Errors of the chain layer; `assay_node.errors` draws the whole tree."""

from __future__ import annotations

from typing import Any

from ..errors import AssayError


class ChainError(AssayError):
    """A node, a contract or a transaction."""


class NodeUnavailable(ChainError):
    """The node did not answer, or not with JSON-RPC. Whether it acted on the request is unknown."""


class RateLimited(NodeUnavailable):
    """The node takes no more requests for a while: asking for less at a time would only ask more often.

    Attributes:
        retry_after: seconds that the node asks to wait; 0 if it does not say.
    """

    retry_after: float = 0.0


class NodesDisagree(ChainError):
    """Two nodes give different answers to one question: one is wrong or lies, and nothing is done on it."""


class AnswerForged(ChainError):
    """What the node says of a job, a model or a contract is not what its id or its code stands for."""


class RpcError(ChainError):
    """The node answered with an error.

    Attributes:
        code: JSON-RPC error code.
        message: the node's text.
        data: the node's `data` field as it came.
        transient: whether it may be another answer a moment later (an overload, a block not there yet).
    """

    transient: bool = False

    def __init__(self, method: str, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"the node refused {method}: {message} (code {code})")
        self.method = method
        self.code = code
        self.message = message
        self.data = data


class ContractReverted(ChainError):
    """A contract refused a call.

    Attributes:
        name: name of the custom error, "Error" for a require string, "Panic" for a failed assertion, "" if
            unknown.
        args_by_name: the error's arguments by parameter name.
        data: the raw revert data.
    """

    def __init__(self, text: str, name: str, args_by_name: dict[str, Any], data: bytes) -> None:
        super().__init__(text)
        self.name = name
        self.args_by_name = args_by_name
        self.data = data


class WrongChain(ChainError):
    """The node is on another chain than the deployment, or the contracts are not there."""


class InsufficientFunds(ChainError):
    """The sender cannot pay value and gas."""


class FeesTooHigh(ChainError):
    """Gas costs more than the operator's cap."""


class TransactionFailed(ChainError):
    """The transaction was mined and reverted."""


class TransactionLost(ChainError):
    """The nonce was used by a transaction that the outbox did not sign."""


class TransactionPending(ChainError):
    """Not mined in the time given. It may still be: ask again, never send it anew."""


class DatabaseFailed(AssayError):
    """A file of this package's cannot be read or written: a full disk, a lost mount, damage.

    Not a `ChainError`, which a service waits out: what is not on disk must not be done, so it ends.
    """


class DeploymentError(AssayError):
    """The deployment file or the packaged contract artifacts cannot be used."""


class KeyFileError(AssayError):
    """A key file or its password cannot be used."""


class SenderBusy(AssayError):
    """Another process holds the outbox of this key."""
