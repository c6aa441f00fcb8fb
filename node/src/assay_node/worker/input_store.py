"""Inputs of jobs: opened, checked against what the job says, and handed to the prover."""

from __future__ import annotations

import asyncio

import numpy as np
from nacl.encoding import RawEncoder
from nacl.hash import blake2b
from nacl.public import PrivateKey
from numpy.typing import NDArray

from assay_prover import FIELD_ORDER, AssayProverError

from .envelope import PrivateInput, open_input
from .errors import InboxError
from .models import ServedModel
from .store import StoredJob, WorkerStore


class InputStore:
    """Everything that touches an input in clear.

    Args:
        secret: the key that inputs are sealed to.
        store: where sealed inputs lie.
    """

    def __init__(self, secret: PrivateKey, store: WorkerStore) -> None:
        self._secret = secret
        self._store = store

    def check_sealed(self, model: ServedModel, job: StoredJob, body: bytes) -> PrivateInput:
        """Opens a sealed input and checks it against the job's commitment.

        Hashing a large input takes a while: call it from a thread.

        Raises:
            InboxError: 422; the box does not open, or holds another input.
        """
        opened = open_input(self._secret, body)
        try:
            words = model.words_of_input(opened.integers, opened.salt)
        except AssayProverError as error:
            raise InboxError(422, f"the input does not fit the model: {error}") from error
        if tuple(words) != job.input_words:
            raise InboxError(422, "the input is not the one the job commits to")
        return opened

    async def stored_fault(self, model: ServedModel | None, job: StoredJob) -> str:
        """Why the input on disk is not the job's; "" if it is."""
        if model is None:
            return "the model is not served any more"
        if not model.private_input:
            return await asyncio.to_thread(model.packing_fault, job.input_words)
        body = self._store.input_of(job.job_id)
        if body is None:
            return "the input is gone"
        try:
            await asyncio.to_thread(self.check_sealed, model, job, body)
        except InboxError as error:
            return error.what
        return ""

    def for_proof(self, model: ServedModel, job: StoredJob) -> tuple[NDArray[np.int64], int | None]:
        """A job's integers and the salt: the requester's if the input is private, else this worker's own if
        the statement has one. Raises `InboxError` if they are not on disk.
        """
        if not model.private_input:
            salt = self._secret_of(job.job_id, b"assay own salt") if model.bundle.needs_salt else None
            return model.input_of_words(job.input_words), salt
        body = self._store.input_of(job.job_id)
        if body is None:
            raise InboxError(422, "the input is gone")
        opened = open_input(self._secret, body)
        return opened.integers, opened.salt

    def blinding_for_proof(self, model: ServedModel, job: StoredJob) -> int | None:
        """What hides the cuts of a sliced model from the requester, the same for every slice of a job."""
        return self._secret_of(job.job_id, b"assay blinding") if len(model.bundle.slices) > 1 else None

    def _secret_of(self, job_id: bytes, purpose: bytes) -> int:
        """A secret of this worker, the same for a job whenever it is asked for, uniform to everyone else."""
        digest = blake2b(job_id, digest_size=64, key=bytes(self._secret), person=purpose, encoder=RawEncoder)
        return int.from_bytes(digest, "big") % FIELD_ORDER
