"""The requester's side of the market.

Example::

    async with Rpc(url) as node:
        chain = await Chain.connect(node, Deployment.load(file))
        async with await Outbox.open(node, account, outbox_file) as outbox:
            with JobStore(jobs_file) as store:
                requester = Requester(chain, outbox, store, StoreKey(bytes(account.key)))
                posted = await requester.submit(bundle, model_id, x, JobTerms(max_price=10**16))
                async for job in requester.follow(posted.job_id):
                    print(job.state.name)
                print((await requester.result(posted.job_id, bundle)).label)
"""

from typing import TYPE_CHECKING

from assay_prover.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from .bids import StandingBid, standing_bids
    from .delivery import Recipient, deliver
    from .errors import (
        ClientError,
        DeliveryError,
        DeliveryRefused,
        EvidenceMismatch,
        JobEnded,
        JobNotFound,
        JobNotReady,
        StoreError,
    )
    from .evidence import JobEvidence, job_id_of, model_id_of, request_hash
    from .history import gather_evidence, job_events, submissions_by
    from .proof_file import ProofFile
    from .publish import PublishedModel, publish_model, spec_of
    from .requester import JobTerms, PostedJob, Requester, Result
    from .store import JobRecord, JobSecrets, JobStore, StoreKey
else:  # a name's module is loaded when the name is used
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            ".bids": "StandingBid standing_bids",
            ".delivery": "Recipient deliver",
            ".errors": (
                "ClientError DeliveryError DeliveryRefused EvidenceMismatch JobEnded JobNotFound "
                "JobNotReady StoreError"
            ),
            ".evidence": "JobEvidence job_id_of model_id_of request_hash",
            ".history": "gather_evidence job_events submissions_by",
            ".proof_file": "ProofFile",
            ".publish": "PublishedModel publish_model spec_of",
            ".requester": "JobTerms PostedJob Requester Result",
            ".store": "JobRecord JobSecrets JobStore StoreKey",
        },
    )

__all__ = [
    "ClientError",
    "DeliveryError",
    "DeliveryRefused",
    "EvidenceMismatch",
    "JobEnded",
    "JobEvidence",
    "JobNotFound",
    "JobNotReady",
    "JobRecord",
    "JobSecrets",
    "JobStore",
    "JobTerms",
    "PostedJob",
    "ProofFile",
    "PublishedModel",
    "Recipient",
    "Requester",
    "Result",
    "StandingBid",
    "StoreError",
    "StoreKey",
    "deliver",
    "gather_evidence",
    "job_events",
    "job_id_of",
    "model_id_of",
    "publish_model",
    "request_hash",
    "spec_of",
    "standing_bids",
    "submissions_by",
]
