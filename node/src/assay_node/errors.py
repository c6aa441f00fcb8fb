"""The root of every error this package raises on purpose.

An `AssayError` is one a person can act on: its text is one line, "what. what to do.". Everything else that
escapes is a bug and keeps its traceback.

    AssayError
    ├── chain.ChainError            a node, a contract or a transaction
    │   ├── NodeUnavailable         no answer, or not a JSON-RPC answer
    │   │   └── RateLimited         it asks to be left alone for a while
    │   ├── RpcError                the node answered with an error
    │   ├── NodesDisagree           two nodes answer one question differently
    │   ├── AnswerForged            a node's answer is not what an id, or a contract's code, stands for
    │   ├── ContractReverted        a contract refused, with its decoded custom error
    │   ├── WrongChain              not the chain, or not the contracts, of the deployment file
    │   ├── InsufficientFunds       the sender cannot pay value and gas
    │   ├── FeesTooHigh             the market asks more for gas than the operator allows
    │   ├── TransactionFailed       mined, and reverted
    │   ├── TransactionLost         its nonce was used by another transaction
    │   └── TransactionPending      not mined in the time given; it may still be
    ├── chain.DatabaseFailed        a file of jobs or transactions cannot be read or written
    ├── chain.DeploymentError       the deployment file or the packaged contracts
    ├── chain.KeyFileError          key files and their passwords
    ├── chain.SenderBusy            another process sends with this key
    ├── client.ClientError          a requester's operation; its own tree is in client.errors
    ├── worker.WorkerError          the worker's configuration and state
    └── worker.InboxError           a delivered input that cannot be taken
"""

from __future__ import annotations


class AssayError(Exception):
    """An error a person can act on.

    Args:
        what: what happened, without a final full stop.
        advice: what to do about it; may be empty.
    """

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(what, advice)
        self.what = what
        self.advice = advice

    def __str__(self) -> str:
        """One line: what. what to do."""
        return f"{self.what}. {self.advice}" if self.advice else self.what
