"""Errors of the requester's SDK.

ClientError              one line for a person: what happened, and what to do
  StoreError             the local job store cannot be opened, or lacks what is asked for
  JobNotFound            no such job on this chain
  JobNotReady            the job has not reached the state the call needs
  JobEnded               the job ended without a result
  DeliveryError          the worker did not take the input
    DeliveryRefused      it will not take it, however often it is sent
  EvidenceMismatch       what the chain's node says contradicts itself: nothing was verified
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
