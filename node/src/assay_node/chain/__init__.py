"""The chain as typed Python: contracts, transactions that happen once, events, fees, keys.

Example::

    async with Rpc(url) as node, await Outbox.open(node, account, path) as outbox:
        chain = await Chain.connect(node, Deployment.load(file))
        job = await chain.market.job_of(job_id)
        receipt = await outbox.send(f"bid/{job_id.hex()}", chain.market.place_bid(job_id, price))
        events = chain.decode(receipt.logs)
"""

from typing import TYPE_CHECKING

from assay_prover.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from .chain import Chain
    from .contracts.artifacts import Artifact, artifact, interface
    from .contracts.attestation import is_attested, sign_attestation
    from .contracts.contracts import Market, ModelRegistry, Vault, Verifier, WorkerRegistry
    from .contracts.deployment import Address, Deployment
    from .contracts.events import (
        AttestationWithdrawn,
        BidPlaced,
        CallbackFailed,
        ChainEvent,
        DataSetAttested,
        DataSetRegistered,
        JobAccepted,
        JobAwarded,
        JobCancelled,
        JobDeclined,
        JobEvent,
        JobExpired,
        JobLapsed,
        JobRefunded,
        JobReopened,
        JobSettled,
        JobSubmitted,
        ModelCertified,
        ModelRegistered,
        Origin,
        WorkerRegistered,
        WorkerUpdated,
        decode_event,
    )
    from .contracts.identity import check_model, dataset_id_of, job_id_of, model_id_of
    from .contracts.interface import Interface
    from .contracts.records import Attestation, Certificates, DataRegistry, DataSet, Lineage
    from .contracts.registration import is_signed, sign_registration
    from .contracts.reverts import decode_revert
    from .contracts.types import (
        AWARD_GRACE,
        UNSTAKE_DELAY,
        ZERO_ADDRESS,
        ZERO_WORD,
        Bid,
        Call,
        Job,
        JobLook,
        JobRequest,
        JobState,
        Model,
        ModelSpec,
        WorkerRecord,
    )
    from .database import Database
    from .deploy import Deployed, create_address, deploy_all, deploy_missing
    from .errors import (
        AnswerForged,
        ChainError,
        ContractReverted,
        DatabaseFailed,
        DeploymentError,
        FeesTooHigh,
        InsufficientFunds,
        KeyFileError,
        NodesDisagree,
        NodeUnavailable,
        RateLimited,
        RpcError,
        SenderBusy,
        TransactionFailed,
        TransactionLost,
        TransactionPending,
        WrongChain,
    )
    from .follower import Batch, Follower
    from .head import Head
    from .keys import (
        create_account,
        create_encryption_key,
        keystore_address,
        load_account,
        load_encryption_key,
        read_password,
    )
    from .keystore import AddressMissing
    from .node.clock import ChainClock
    from .node.cross_check import CrossCheck, open_node
    from .node.data_fees import DataFees, data_fee
    from .node.fees import FeePolicy, Fees
    from .node.finality import Confirmations, FinalityPolicy, finality_at, finality_of, is_public
    from .node.rpc import Rpc
    from .node.types import Header, Log, Node, Receipt
    from .outbox.dispatcher import OutboxConfig
    from .outbox.outbox import Outbox
    from .outbox.outbox_store import Attempt, Intent, IntentStatus
    from .outbox.registrations import SignedRegistration
    from .outbox.submission import Want
    from .waiting import Waiting, listening
else:  # a name's module is loaded when the name is used
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            ".chain": "Chain",
            ".contracts.artifacts": "Artifact artifact interface",
            ".contracts.contracts": "Market ModelRegistry Vault Verifier WorkerRegistry",
            ".contracts.deployment": "Address Deployment",
            ".contracts.events": (
                "AttestationWithdrawn BidPlaced CallbackFailed ChainEvent DataSetAttested DataSetRegistered "
                "JobAccepted JobAwarded JobCancelled JobDeclined "
                "JobEvent JobExpired JobLapsed JobRefunded JobReopened JobSettled JobSubmitted "
                "ModelCertified ModelRegistered Origin WorkerRegistered WorkerUpdated decode_event"
            ),
            ".contracts.interface": "Interface",
            ".contracts.registration": "is_signed sign_registration",
            ".contracts.reverts": "decode_revert",
            ".contracts.types": (
                "AWARD_GRACE Bid Call Job JobLook JobRequest JobState Model ModelSpec "
                "UNSTAKE_DELAY WorkerRecord ZERO_ADDRESS ZERO_WORD"
            ),
            ".database": "Database",
            ".deploy": "Deployed create_address deploy_all deploy_missing",
            ".errors": (
                "AnswerForged ChainError ContractReverted DatabaseFailed DeploymentError "
                "FeesTooHigh InsufficientFunds KeyFileError NodeUnavailable NodesDisagree "
                "RateLimited RpcError SenderBusy TransactionFailed TransactionLost "
                "TransactionPending WrongChain"
            ),
            ".follower": "Batch Follower",
            ".keystore": "AddressMissing",
            ".keys": (
                "create_account create_encryption_key keystore_address load_account "
                "load_encryption_key read_password"
            ),
            ".node.clock": "ChainClock",
            ".node.fees": "FeePolicy Fees",
            ".node.finality": "Confirmations FinalityPolicy finality_at finality_of is_public",
            ".node.rpc": "Rpc",
            ".outbox.dispatcher": "OutboxConfig",
            ".outbox.outbox": "Outbox",
            ".outbox.outbox_store": "Attempt Intent IntentStatus",
            ".outbox.registrations": "SignedRegistration",
            ".node.types": "Header Log Node Receipt",
            ".head": "Head",
            ".outbox.submission": "Want",
            ".contracts.identity": "check_model dataset_id_of job_id_of model_id_of",
            ".contracts.records": "Attestation Certificates DataRegistry DataSet Lineage",
            ".contracts.attestation": "is_attested sign_attestation",
            ".node.cross_check": "CrossCheck open_node",
            ".waiting": "Waiting listening",
            ".node.data_fees": "DataFees data_fee",
        },
    )

__all__ = [
    "AWARD_GRACE",
    "UNSTAKE_DELAY",
    "ZERO_ADDRESS",
    "ZERO_WORD",
    "Address",
    "AddressMissing",
    "AnswerForged",
    "Artifact",
    "Attempt",
    "Attestation",
    "AttestationWithdrawn",
    "Batch",
    "Bid",
    "BidPlaced",
    "Call",
    "CallbackFailed",
    "Certificates",
    "Chain",
    "ChainClock",
    "ChainError",
    "ChainEvent",
    "Confirmations",
    "ContractReverted",
    "CrossCheck",
    "DataFees",
    "DataRegistry",
    "DataSet",
    "DataSetAttested",
    "DataSetRegistered",
    "Database",
    "DatabaseFailed",
    "Deployed",
    "Deployment",
    "DeploymentError",
    "FeePolicy",
    "Fees",
    "FeesTooHigh",
    "FinalityPolicy",
    "Follower",
    "Head",
    "Header",
    "InsufficientFunds",
    "Intent",
    "IntentStatus",
    "Interface",
    "Job",
    "JobAccepted",
    "JobAwarded",
    "JobCancelled",
    "JobDeclined",
    "JobEvent",
    "JobExpired",
    "JobLapsed",
    "JobLook",
    "JobRefunded",
    "JobReopened",
    "JobRequest",
    "JobSettled",
    "JobState",
    "JobSubmitted",
    "KeyFileError",
    "Lineage",
    "Log",
    "Market",
    "Model",
    "ModelCertified",
    "ModelRegistered",
    "ModelRegistry",
    "ModelSpec",
    "Node",
    "NodeUnavailable",
    "NodesDisagree",
    "Origin",
    "Outbox",
    "OutboxConfig",
    "RateLimited",
    "Receipt",
    "Rpc",
    "RpcError",
    "SenderBusy",
    "SignedRegistration",
    "TransactionFailed",
    "TransactionLost",
    "TransactionPending",
    "Vault",
    "Verifier",
    "Waiting",
    "Want",
    "WorkerRecord",
    "WorkerRegistered",
    "WorkerRegistry",
    "WorkerUpdated",
    "WrongChain",
    "artifact",
    "check_model",
    "create_account",
    "create_address",
    "create_encryption_key",
    "data_fee",
    "dataset_id_of",
    "decode_event",
    "decode_revert",
    "deploy_all",
    "deploy_missing",
    "finality_at",
    "finality_of",
    "interface",
    "is_attested",
    "is_public",
    "is_signed",
    "job_id_of",
    "keystore_address",
    "listening",
    "load_account",
    "load_encryption_key",
    "model_id_of",
    "open_node",
    "read_password",
    "sign_attestation",
    "sign_registration",
]
