"""`assay verify`: a job from chain data alone, or a proof file without any chain."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ... import client
from ...errors import AssayError
from .. import options, targets
from ..answers import answer_document, answer_fields
from ..console import emit, err, ether, fields, out
from ..session import connect
from .job.show import trust_fields
from .train.lineage import show_lineage

if TYPE_CHECKING:
    from assay_prover import Decoded

UNKNOWN_SETUP = (
    "whoever made this key can forge a proof of any statement, and the file does not say who that was"
)
MAX_KEY = 1 << 24  # bytes


def verify(
    job_id: Annotated[
        bytes | None, typer.Argument(parser=options.parse_id, metavar="[JOB_ID]", help="A settled job.")
    ] = None,
    *,
    proof: Annotated[
        Path | None, typer.Option("--proof", metavar="FILE", help="A proof file, verified without any chain.")
    ] = None,
    verifying_key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="The key for --proof, or a bundle that has it."),
    ] = None,
    answer: Annotated[
        Path | None,
        typer.Option(
            "--answer", metavar="FILE", help="The answer file of `assay prove`: read the answer, too."
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="DIR", help="Keep the job's proof.json and verifying.key here."),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle",
            metavar="DIR",
            help="The model's bundle: compute the answer to a public input again, and compare.",
        ),
    ] = None,
    trained_by: Annotated[
        bytes | None,
        typer.Option(
            "--trained-by", parser=options.parse_id, metavar="JOB_ID", help="The job that trained --model."
        ),
    ] = None,
    model: Annotated[
        bytes | None,
        typer.Option(
            "--model",
            parser=options.parse_id,
            metavar="MODEL_ID",
            help="A model that is said to come from it.",
        ),
    ] = None,
    program: Annotated[
        Path | None,
        typer.Option("--program", metavar="DIR", help="The training program's bundle, from anybody."),
    ] = None,
    rpc: options.Rpc = options.DEFAULT_RPC,
    check_rpc: options.CheckRpc = None,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    json: options.Json = False,
) -> None:
    """Verify a proof on this machine. Exit status 0 only if it is valid; 3 if it is not.

    With a job id: the statement is rebuilt from the chain's logs, the key read from its registry, every id
    recomputed from what it stands for, and the proof verified here; no contract is trusted. With --proof and
    --key: no chain.

    With --trained-by, --model and --program: that the model is what the job's program made of its data set,
    and nothing else. The training proof is verified, the network made again from the proven weights and
    compared.

    A proof is no evidence against whoever made the model's keys: "setup" and "trust" say who that is. Where
    the input is public and the weights are in the bundle, --bundle computes the answer again.

    Examples:

      assay verify 0x5e1f...09 --save evidence

      assay verify --proof evidence/proof.json --key evidence/verifying.key

      assay verify --proof proof.json --key bc_mlp --answer proof.answer.json

      assay verify --trained-by 0x5e1f...09 --model 0x77aa...1c --program program
    """
    if trained_by is not None or model is not None or program is not None:
        if trained_by is None or model is None or program is None or job_id is not None or proof is not None:
            raise typer.BadParameter("--trained-by, --model and --program go together, and with nothing else")
        show_lineage(rpc, check_rpc, deployment, home, trained_by, model, program, json=json)
        return
    if (job_id is None) == (proof is None):
        raise typer.BadParameter("give a job id, --proof, or --trained-by")
    if bundle is not None and job_id is None:
        raise typer.BadParameter("--bundle goes with a job id")
    if (verifying_key is None) != (proof is None):
        raise typer.BadParameter("--proof and --key go together")
    if proof is not None and verifying_key is not None:
        _verify_file(proof, verifying_key, answer, json=json)
    elif job_id is not None:
        if save is not None:
            _check_folder(save)
        evidence = asyncio.run(_gather(rpc, check_rpc, deployment, home, job_id))
        evidence.check()
        setup = client.setup_of(evidence.model, evidence.submitted.request.model_id)
        recomputed = bundle is not None and _compute_again(evidence, bundle)
        if save is not None:
            _save(evidence, save)
        _report_job(evidence, setup, recomputed=recomputed, json=json)


async def _gather(
    rpc: list[str], check_rpc: str | None, deployment: Path | None, home: Path, job_id: bytes
) -> client.JobEvidence:
    async with connect(rpc, deployment, home, check_rpc=check_rpc) as session:
        with err.status("reading the chain"):
            return await client.gather_evidence(session.chain, job_id)


def _verify_file(path: Path, key_path: Path, answer_file: Path | None, *, json: bool) -> None:
    loaded = client.ProofFile.read(path)
    bundle = key_path if key_path.is_dir() else None
    if bundle is not None:
        key_path = bundle / "verifying.key"
        if not key_path.is_file():  # of a stranger's folder it may be a pipe or a device, which has no end
            raise AssayError(f"{bundle} has no file verifying.key", f"Run: assay model setup {bundle}")
    elif answer_file is not None:
        raise typer.BadParameter("--answer takes the bundle as --key: it says how the answer is read")
    try:
        with key_path.open("rb") as file:
            key = file.read(MAX_KEY + 1)
        if len(key) > MAX_KEY:
            raise AssayError(f"{key_path} is too large for a verifying key", "Name the verifying key's file")
    except OSError as error:
        raise AssayError(
            f"cannot read {key_path} ({error.strerror})", "Name the verifying key's file"
        ) from error
    loaded.check(key)
    document = {
        "verified": True,
        "setup": "unknown",
        "trust": UNKNOWN_SETUP,
        "vk_hash": loaded.vk_hash,
        "public_inputs": len(loaded.public),
    }
    answer = None if bundle is None or answer_file is None else _answer(loaded, bundle, answer_file)

    def human() -> None:
        out.print(
            f"[bold green]verified[/] under the key 0x{loaded.vk_hash.hex()}: the proof holds for its "
            f"{len(loaded.public)} public inputs"
        )
        if answer is not None:
            out.print(fields(answer_fields(answer)))
        out.print(fields({"trust": UNKNOWN_SETUP}))

    emit(document | ({} if answer is None else answer_document(answer)), as_json=json, human=human)


def _answer(proof: client.ProofFile, folder: Path, answer_file: Path) -> Decoded:
    """What a proof says, opened with the answer file."""
    import assay_prover

    bundle = assay_prover.Bundle.open(folder)
    kept = assay_prover.AnswerFile.load(answer_file)
    spec = bundle.manifest.output
    salt = kept.salt if spec.visibility != "public" else None
    words = proof.public[len(proof.public) - spec.words :]
    return bundle.decode_output(words, salt=salt, outputs=kept.integers(spec.shape))


def _compute_again(evidence: client.JobEvidence, folder: Path) -> bool:
    """Whether the bundle's model gives the proven answer to the job's public input; raises if another."""
    import assay_prover

    from ...client.answer import public_input
    from ...client.requester import require_same

    opened = assay_prover.Bundle.open(folder)
    require_same(opened, evidence.submitted.request.model_id, evidence.model)
    if evidence.model.spec.input_private or not opened.has_weights:
        what = (
            "the job's input is private" if evidence.model.spec.input_private else "the weights are private"
        )
        raise AssayError(
            f"the answer cannot be computed again: {what}",
            "Its requester can: assay job result" if evidence.model.spec.input_private else "",
        )
    integers = public_input(opened, evidence.submitted.input_words)
    return client.read_answer(opened, evidence.settled.output_words, integers, None)[1]


def _check_folder(folder: Path) -> None:
    """What is there may be evidence of an earlier time, and nothing else."""
    from assay_prover.groth16 import InvalidKey, check_verifying_key, is_sliced, split_key

    def is_key(data: bytes) -> bool:
        try:
            for part in split_key(data) if is_sliced(data) else [data]:
                check_verifying_key(part)
        except InvalidKey:
            return False
        return True

    if (folder / "manifest.json").exists():
        raise AssayError(
            f"{folder} is a bundle, whose own verifying.key would be replaced", "Name a folder of its own"
        )
    targets.replaceable(folder / "proof.json", made_here=targets.document_with("format", "assay/proof"))
    targets.replaceable(folder / "verifying.key", made_here=is_key)


def _save(evidence: client.JobEvidence, folder: Path) -> None:
    from eth_utils.crypto import keccak

    from ...client.proof_file import write_atomically

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AssayError(f"cannot create {folder} ({error.strerror})", "Name another folder") from error
    write_atomically(folder / "verifying.key", evidence.verifying_key)
    client.ProofFile(
        vk_hash=keccak(evidence.verifying_key),
        public=tuple(evidence.statement),
        proof=evidence.settled.proof,
        model_commitment=evidence.model.model_commitment or None,
    ).write(folder / "proof.json")


def _output(evidence: client.JobEvidence) -> str:
    spec = evidence.model.spec
    if spec.output_encrypted:
        return "encrypted to the requester"
    return "a commitment" if spec.output_committed else "public"


def _report_job(
    evidence: client.JobEvidence, setup: client.SetupTrust, *, recomputed: bool, json: bool
) -> None:
    from assay_prover.groth16 import is_sliced, split_key

    settled = evidence.settled
    key = evidence.verifying_key
    slices = len(split_key(key)) if is_sliced(key) else 1
    document = {
        "verified": True,
        **trust_fields(setup, recomputed=recomputed),
        "job_id": evidence.job_id,
        "model_id": evidence.submitted.request.model_id,
        "requester": evidence.submitted.requester,
        "worker": settled.worker,
        "price_wei": settled.price,
        "slices": slices,
        "input_words": [f"0x{word:064x}" for word in evidence.submitted.input_words],
        "output_words": [f"0x{word:064x}" for word in settled.output_words],
        "output_encrypted": evidence.model.spec.output_encrypted,
        "output_committed": evidence.model.spec.output_committed,
        "block": settled.origin.block_number,
    }

    def human() -> None:
        also = "; computed again here with the same answer" if recomputed else ""
        out.print(f"[bold green]verified[/] on this machine, from chain data alone, {setup.short}{also}")
        out.print(
            fields(
                {
                    "job": "0x" + evidence.job_id.hex(),
                    "model": "0x" + evidence.submitted.request.model_id.hex(),
                    "worker": settled.worker,
                    "paid": ether(settled.price),
                    "input": "a commitment" if evidence.model.spec.input_private else "public",
                    "output": _output(evidence),
                    **({"proven in": f"{slices} linked slices"} if slices > 1 else {}),
                    "settled in block": settled.origin.block_number,
                    "trust": setup.trust(recomputed=recomputed),
                }
            )
        )

    emit(document, as_json=json, human=human)
