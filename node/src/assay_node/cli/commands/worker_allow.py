"""`assay worker allow`: bid on a model again whose proofs kept failing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ... import worker
from ...errors import AssayError
from .. import options
from ..console import emit, out

ConfigFile = Annotated[
    Path,
    typer.Option(
        "--config", "-c", metavar="FILE", envvar="ASSAY_WORKER", help="As written by `assay worker init`."
    ),
]


def allow(
    bundles: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[BUNDLE]...", help="Bundle folders. Default: all that are not bid on."),
    ] = None,
    *,
    config_file: ConfigFile = Path("worker.json"),
    json: options.Json = False,
) -> None:
    """Bid on models again that the worker stopped bidding on because their proofs kept failing.

    After three failed proofs in a row a worker does not bid on a model any more, also after a restart: `assay
    worker status` shows which, since when and why. Mend that first. A worker that is running takes it up
    within seconds; needs no password.

    Examples:

      assay worker allow

      assay worker allow models/digits -c w1/worker.json
    """
    config = worker.WorkerConfig.load(config_file)
    known = [str(path.resolve()) for path in config.bundles]
    chosen = [str(path.resolve()) for path in bundles or ()] or known
    for path in chosen:
        if path not in known:
            raise AssayError(f"{path} is no bundle of {config_file}", f"Name one of: {', '.join(known)}")
    lifted: list[worker.Ban] = []
    with bans_of(config) as bans:
        if bans is not None:
            lifted = [ban for ban in bans.all().values() if ban.bundle in chosen]
            for ban in lifted:
                bans.lift(ban.bundle)

    def human() -> None:
        if not lifted:
            out.print("no model was kept from being bid on")
        for ban in lifted:
            out.print(f"{escape(ban.bundle)} is bid on again: {escape(ban.sentence)}")

    emit({"allowed": [described(ban) for ban in lifted]}, as_json=json, human=human)


@contextmanager
def bans_of(config: worker.WorkerConfig) -> Iterator[worker.Bans | None]:
    """The bans of a worker, which may be running; None if it never ran."""
    path = config.state_dir / "worker.sqlite"
    if not path.exists():
        yield None
        return
    store = worker.WorkerStore(path)
    try:
        yield worker.Bans(store.database)
    finally:
        store.close()


def described(ban: worker.Ban) -> dict[str, object]:
    """A ban for JSON; `since` in seconds since the epoch."""
    return {"bundle": ban.bundle, "reason": ban.reason, "since": ban.moment}
