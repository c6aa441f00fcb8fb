"""`assay data`: tables as committed data sets, and who vouches for them."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from ...errors import AssayError
from .. import options, targets
from ..console import emit, fields, note, out
from ..session import connect, unlock

if TYPE_CHECKING:
    from ...records import DataSetRecord

app = typer.Typer(
    no_args_is_help=True,
    help="Data sets: a table's rows behind commitments, and who vouches for them. Rows stay on this machine.",
)

TableFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="A table: .csv with a line of names, .parquet, or .npz.")
]
Owned = Annotated[Path, typer.Argument(metavar="DIR", help="A data set's folder, as `commit` makes it.")]
DataSetId = Annotated[
    bytes, typer.Argument(parser=options.parse_id, metavar="DATASET_ID", help="As `register` prints it.")
]


@app.command("schema")
def schema(
    table: TableFile,
    *,
    label: Annotated[
        str | None, typer.Option("--label", metavar="COLUMN", help="The column to be learnt.")
    ] = None,
    bits: Annotated[
        int, typer.Option("--bits", min=2, max=24, help="Bits of a feature's integer, sign included.")
    ] = 8,
    out_file: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to write it. Default: print it.")
    ] = None,
) -> None:
    """Propose a schema for a table: what each column is, and which integers stand for its values.

    Ranges and classes are those of these rows. Read it, leave out columns that must not be used (names, ids),
    and widen ranges for rows to come, before you commit.

    Example:

      assay data schema patients.csv --label diagnosis -o schema.toml
    """
    from assay_prover.data import Schema, Table

    text = Schema.fit(Table.read(table), label=label, bits=bits).to_toml()
    if out_file is None:
        out.print(text, end="", markup=False, highlight=False, soft_wrap=True)
        return
    targets.writable(out_file)
    if out_file.exists():
        raise AssayError(f"{out_file} exists already", "Name another file")
    out_file.write_text(text, encoding="utf-8")
    note(f"{out_file}: read it before you commit to it")


@app.command("commit")
def commit(
    table: TableFile,
    *,
    schema_file: Annotated[
        Path, typer.Option("--schema", metavar="FILE", help="As `assay data schema` proposes it.")
    ],
    folder: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The data set's new folder.")],
    rows_per_block: Annotated[
        int | None,
        typer.Option(
            "--rows-per-block",
            min=1,
            metavar="N",
            help="Rows behind one commitment. Default: all of them, as training in one proof takes them.",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Commit to a table: integers and salts stay in DIR, only commitments are ever published.

    DIR/dataset.json may be shown to anybody; DIR/rows.npz holds rows and salts and is yours alone. Keep a
    copy of it: without it nothing can be trained on the data set or shown about it.

    Example:

      assay data commit patients.csv --schema schema.toml -o patients
    """
    from assay_prover.data import DataSet, Schema, Table

    from ...records import identity_of

    data = DataSet.of(Schema.read(schema_file), Table.read(table), rows_per_block=rows_per_block)
    data.save(folder)
    document = {
        "dataset_id": identity_of(data),
        "schema_hash": data.schema.hash,
        "rows": data.rows,
        "features": len(data.schema.features),
        "classes": data.schema.classes,
        "blocks": len(data.blocks),
        "folder": folder,
    }
    emit(document, as_json=json, human=lambda: out.print(fields(_words(document))))


@app.command("register")
def register(
    folder: Owned,
    *,
    rpc: options.Rpc = options.DEFAULT_RPC,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    key: options.KeyName = options.DEFAULT_KEY,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """Put a data set's commitments on chain, so that others can attest and use it. No row is sent.

    Example:

      assay data register patients --key alice
    """
    from assay_prover.data import DataSet

    from ...records import identity_of

    data = DataSet.open(folder)
    dataset_id = identity_of(data)
    signer = unlock(home, key, password_file)

    async def act() -> dict[str, Any]:
        async with connect(rpc, deployment, home) as session, session.outbox(signer) as outbox:
            call = session.chain.data.register(data.schema.hash, data.rows_per_block, data.rows, data.blocks)
            # The same data set is one intent: a command that was cut short finds its transaction again.
            receipt = await outbox.send(f"data/register/{dataset_id.hex()}", call)
        return {"dataset_id": dataset_id, "tx": receipt.tx_hash, "gas": receipt.gas_used}

    document = asyncio.run(act())
    emit(document, as_json=json, human=lambda: out.print(fields(_words(document))))


@app.command("attest")
def attest(
    dataset_id: DataSetId,
    *,
    statement: Annotated[
        str, typer.Option("--statement", metavar="TEXT", help="What you vouch for, in a sentence.")
    ],
    sign_only: Annotated[
        bool,
        typer.Option("--sign-only", help="Print the signature for somebody else to send; needs no funds."),
    ] = False,
    attester: Annotated[
        str | None,
        typer.Option(
            "--attester",
            parser=options.parse_address,
            metavar="ADDRESS",
            help="Whose signature --signature is; an account, or a contract (ERC-1271).",
        ),
    ] = None,
    signature: Annotated[
        str | None, typer.Option("--signature", metavar="HEX", help="Send what an attester has signed.")
    ] = None,
    rpc: options.Rpc = options.DEFAULT_RPC,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    key: options.KeyName = options.DEFAULT_KEY,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """Vouch for a data set, with your key's signature.

    Say only what you know: `show` prints these words beside every model that is trained on the data. You can
    withdraw them at any time.

    Examples:

      assay data attest 0x1234.. --statement "all patients of 2025, consented" --key hospital

      assay data attest 0x1234.. --statement "..." --key hospital --sign-only

      assay data attest 0x1234.. --statement "..." --attester 0xabcd.. --signature 0x.. --key alice
    """
    from ...chain.contracts.attestation import MAX_STATEMENT, sign_attestation

    if (attester is None) != (signature is None) or (signature is not None and sign_only):
        raise AssayError("a signature goes with its attester", "Give --attester and --signature, or neither")
    if len(statement.encode()) > MAX_STATEMENT:
        raise AssayError(f"the statement is longer than {MAX_STATEMENT} bytes", "Say it shorter")
    given = None if signature is None else _hex(signature)
    signer = unlock(home, key, password_file)

    async def act() -> dict[str, Any]:
        async with connect(rpc, deployment, home) as session:
            registry, chain_id = session.chain.data, session.chain.deployment.chain_id
            await registry.dataset_of(dataset_id)
            who = attester or signer.address
            revision = (await registry.attestation_of(dataset_id, who)).revision
            signed = given or sign_attestation(
                signer.account, chain_id, registry.address, dataset_id, statement, revision
            )
            document = {
                "dataset_id": dataset_id,
                "attester": who,
                "statement": statement,
                "signature": signed,
            }
            if sign_only:
                return {**document, "revision": revision}
            async with session.outbox(signer) as outbox:
                call = registry.attest(dataset_id, who, statement, signed)
                receipt = await outbox.send(f"data/attest/{os.urandom(8).hex()}", call)
            return {**document, "tx": receipt.tx_hash, "gas": receipt.gas_used}

    document = asyncio.run(act())
    emit(document, as_json=json, human=lambda: out.print(fields(_words(document))))


@app.command("withdraw")
def withdraw(
    dataset_id: DataSetId,
    *,
    rpc: options.Rpc = options.DEFAULT_RPC,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    key: options.KeyName = options.DEFAULT_KEY,
    password_file: options.PasswordFile = None,
    json: options.Json = False,
) -> None:
    """No longer vouch for a data set. Signatures that you gave away and nobody has sent are void, too.

    Example:

      assay data withdraw 0x1234.. --key hospital
    """
    signer = unlock(home, key, password_file)

    async def act() -> dict[str, Any]:
        async with connect(rpc, deployment, home) as session, session.outbox(signer) as outbox:
            registry = session.chain.data
            call = registry.withdraw(dataset_id)
            receipt = await outbox.send(f"data/withdraw/{os.urandom(8).hex()}", call)
        return {"dataset_id": dataset_id, "attester": signer.address, "tx": receipt.tx_hash}

    document = asyncio.run(act())
    emit(document, as_json=json, human=lambda: out.print(f"{signer.address} no longer vouches for it"))


@app.command("show")
def show(
    what: Annotated[
        str, typer.Argument(metavar="DIR|DATASET_ID", help="A folder of yours, or an id on chain.")
    ],
    *,
    rpc: options.Rpc = options.DEFAULT_RPC,
    deployment: options.DeploymentFile = None,
    home: options.Home = options.DEFAULT_HOME,
    json: options.Json = False,
) -> None:
    """Show a data set: your own folder, checked against its commitments, or what the chain knows of an id.

    Of an id it prints who vouches for it in which words, each signature checked again, and who no longer
    does.

    Examples:

      assay data show patients

      assay data show 0x1234.. --json
    """
    if Path(what).is_dir():
        _show_own(Path(what), json=json)
        return
    dataset_id = options.parse_id(what)

    async def act() -> DataSetRecord:
        from ...records import read_data_set

        async with connect(rpc, deployment, home) as session:
            return await read_data_set(session.chain, dataset_id)

    record = asyncio.run(act())
    document = {
        "dataset_id": record.dataset_id,
        "schema_hash": record.schema_hash,
        "rows": record.rows,
        "rows_per_block": record.rows_per_block,
        "blocks": [f"0x{word:064x}" for word in record.blocks],
        "registered": _time(record.registered_at),
        "attesters": [
            {
                "attester": each.address,
                "statement": each.statement,
                "stands": each.stands,
                "since": _time(each.since),
                "withdrawn": _time(each.withdrawn_at),
                "signature_checked": each.signature_checked,
            }
            for each in record.attesters
        ],
    }

    def human() -> None:
        shown = {name: value for name, value in document.items() if name not in ("blocks", "attesters")}
        out.print(fields(_words({**shown, "blocks": len(record.blocks)})))
        if not record.attesters:
            out.print("nobody vouches for it")
        for each in record.attesters:
            state = f"since {_time(each.since)}" if each.stands else f"withdrawn {_time(each.withdrawn_at)}"
            how = "" if each.signature_checked else ", a contract: its word is the chain's to check"
            words = "".join(c if c.isprintable() else "?" for c in each.statement)  # a stranger's
            out.print(f"{each.address} ({state}{how}): {escape(words)}")

    emit(document, as_json=json, human=human)


def _show_own(folder: Path, *, json: bool) -> None:
    from assay_prover.data import DataSet

    from ...records import identity_of

    data = DataSet.open(folder)
    document = {
        "dataset_id": identity_of(data),
        "opens": True,
        "schema_hash": data.schema.hash,
        "rows": data.rows,
        "rows_per_block": data.rows_per_block,
        "features": list(data.schema.features),
        "classes": [] if data.schema.label is None else list(data.schema.label.values),
    }

    def human() -> None:
        out.print(fields({name: _word(value) for name, value in document.items() if name != "opens"}))
        out.print("its rows open its commitments")

    emit(document, as_json=json, human=human)


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise AssayError(
            "the signature is no hexadecimal number", "Give it as --sign-only printed it"
        ) from error


def _time(seconds: int) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else None


def _words(document: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("_", " "): _word(value) for name, value in document.items()}


def _word(value: object) -> object:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value
