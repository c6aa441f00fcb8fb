"""Errors of the requester's SDK.

ClientError              one line for a person: what happened, and what to do
  StoreError             the local job store cannot be opened, or lacks what is asked for
  JobNotFound            no such job on this chain
  JobNotReady            the job has not reached the state the call needs
  JobEnded               the job ended without a result
  DeliveryError          the worker did not take the input
    DeliveryRefused      it will not take it, however often it is sent
  NobodyMayWin           a private input, and no worker that may be sent it
  EvidenceMismatch       what the chain's node says contradicts itself: nothing was verified
    AnswerMismatch       a valid proof of an answer that the model does not give
    UncheckedSetup       the model's keys are said to come from a ceremony that nobody has checked
"""

from __future__ import annotations

from ..errors import AssayError


class ClientError(AssayError):
    """The requester's operation failed."""


class StoreError(ClientError):
    """The local job store cannot be used."""


class JobNotFound(ClientError):
    """The chain knows no such job."""


class JobNotReady(ClientError):
    """The job is not yet in the state this needs; trying later may help."""


class JobEnded(ClientError):
    """The job ended without a result; the money went back where the protocol says."""


class DeliveryError(ClientError):
    """The worker's inbox did not take the input; sending it again may help."""


class DeliveryRefused(DeliveryError):
    """The worker's inbox refused the input for a reason that sending it again cannot change."""


class EvidenceMismatch(ClientError):
    """Logs, storage and hashes disagree: the node that served them is faulty or lies."""


class NobodyMayWin(ClientError):
    """A job with a private input was to be posted, and its requester has not said who may win it."""


class AnswerMismatch(EvidenceMismatch):
    """The proof verifies, and the model computed on this machine gives another answer.

    Only whoever knows the secrets of the model's setup can make such a proof.
    """


class UncheckedSetup(EvidenceMismatch):
    """The model claims a ceremony whose transcript was not checked."""
