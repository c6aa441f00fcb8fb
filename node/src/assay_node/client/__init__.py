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
    from ..signed_reason import Reason
    from .answer import read_answer
    from .bids import PastBid, StandingBid, all_bids, standing_bids
    from .catalogue import ListedModel, ListedWorker, PriceHint, list_models, list_workers, price_hint
    from .delivery import Recipient, deliver
    from .errors import (
        AnswerMismatch,
        ClientError,
        DeliveryError,
        DeliveryRefused,
        EvidenceMismatch,
        JobEnded,
        JobNotFound,
        JobNotReady,
        NobodyMayWin,
        StoreError,
        UncheckedSetup,
    )
    from .evidence import JobEvidence, job_id_of, model_id_of, request_hash
    from .history import gather_evidence, job_events, submissions_by
    from .limits import shapes_of_bundle, size_warning
    from .outcome import Moment, job_history, moments, why_it_ended
    from .policy import DEFAULT_SETTLED, STRANGERS_STAKE_PER_PRICE, AwardPolicy, RecordRule
    from .proof_file import ProofFile
    from .publish import PublishedModel, publish_model, spec_of
    from .reasons import reasons_of
    from .recipients import signed_recipient
    from .requester import PostedJob, Requester, Result
    from .setup_trust import SetupTrust, setup_of
    from .store import JobRecord, JobSecrets, JobStore, StoreKey
    from .terms import JobTerms
    from .trust import TrustBook
else:  # a name's module is loaded when the name is used
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            ".answer": "read_answer",
            ".bids": "PastBid StandingBid all_bids standing_bids",
            ".catalogue": "ListedModel ListedWorker PriceHint list_models list_workers price_hint",
            ".delivery": "Recipient deliver",
            ".errors": (
                "AnswerMismatch ClientError DeliveryError DeliveryRefused EvidenceMismatch JobEnded "
                "JobNotFound JobNotReady NobodyMayWin StoreError UncheckedSetup"
            ),
            ".evidence": "JobEvidence job_id_of model_id_of request_hash",
            ".history": "gather_evidence job_events submissions_by",
            ".limits": "shapes_of_bundle size_warning",
            ".outcome": "Moment job_history moments why_it_ended",
            ".policy": "DEFAULT_SETTLED STRANGERS_STAKE_PER_PRICE AwardPolicy RecordRule",
            ".proof_file": "ProofFile",
            ".publish": "PublishedModel publish_model spec_of",
            ".reasons": "reasons_of",
            "..signed_reason": "Reason",
            ".recipients": "signed_recipient",
            ".requester": "PostedJob Requester Result",
            ".setup_trust": "SetupTrust setup_of",
            ".store": "JobRecord JobSecrets JobStore StoreKey",
            ".terms": "JobTerms",
            ".trust": "TrustBook",
        },
    )

__all__ = [
    "DEFAULT_SETTLED",
    "STRANGERS_STAKE_PER_PRICE",
    "AnswerMismatch",
    "AwardPolicy",
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
    "ListedModel",
    "ListedWorker",
    "Moment",
    "NobodyMayWin",
    "PastBid",
    "PostedJob",
    "PriceHint",
    "ProofFile",
    "PublishedModel",
    "Reason",
    "Recipient",
    "RecordRule",
    "Requester",
    "Result",
    "SetupTrust",
    "StandingBid",
    "StoreError",
    "StoreKey",
    "TrustBook",
    "UncheckedSetup",
    "all_bids",
    "deliver",
    "gather_evidence",
    "job_events",
    "job_history",
    "job_id_of",
    "list_models",
    "list_workers",
    "model_id_of",
    "moments",
    "price_hint",
    "publish_model",
    "read_answer",
    "reasons_of",
    "request_hash",
    "setup_of",
    "shapes_of_bundle",
    "signed_recipient",
    "size_warning",
    "spec_of",
    "standing_bids",
    "submissions_by",
    "why_it_ended",
]
