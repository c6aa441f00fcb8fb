"""Every lie in turn, to worker and to requester: `make liar`.

Prints a line for each lie that did harm, and a table at the end; the exit status says whether there was any.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
from pathlib import Path

from faults.deceived import Outcome, Stage, Victim, dumped, open_stage
from faults.lies import Lie, lies_at, spots_of
from market import compile_sampled

VICTIMS: tuple[Victim, ...] = ("worker", "requester")


async def all_lies(stage: Stage) -> list[tuple[Victim, Lie]]:
    """Every lie there is about the traffic of a whole job, in the order in which a job meets them."""
    traffic = await stage.record()
    return [
        (victim, lie) for victim in VICTIMS for spot in spots_of(traffic[victim]) for lie in lies_at(spot)
    ]


async def run(options: argparse.Namespace) -> int:
    """Tell the lies that were chosen; the number of those that did harm."""
    harmful = 0
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="liar")))
        model = compile_sampled("bc_mlp", folder / "bundle")
        async with open_stage(folder, model) as stage:
            lies = await all_lies(stage)
            chosen = [(victim, lie) for victim, lie in lies if options.match in f"{victim} {lie}"]
            if options.part is not None:
                number, parts = options.part
                chosen = chosen[number - 1 :: parts]
            if options.share < 1:
                draw = random.Random(options.seed)  # noqa: S311 - a sample to be repeated
                chosen = [entry for entry in chosen if draw.random() < options.share]
            print(f"{len(chosen)} of {len(lies)} lies", flush=True)
            for number, (victim, lie) in enumerate(chosen):
                try:
                    outcome = await stage.play(victim, lie)
                except AssertionError as error:
                    outcome = Outcome(violations=[f"the job could not be played: {error}"])
                harmful += bool(outcome.violations)
                if outcome.violations or options.all:
                    print(f"{number}\t{victim}\t{lie}\t{dumped(outcome)}", flush=True)
                if number % 100 == 99:
                    print(
                        f"{number + 1} of {len(chosen)} told, {harmful} did harm", file=sys.stderr, flush=True
                    )
    print(f"{harmful} of {len(chosen)} lies did harm")
    return harmful


def _part(text: str) -> tuple[int, int]:
    number, _, parts = text.partition("/")
    if not (number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        raise argparse.ArgumentTypeError("expected I/N with 1 <= I <= N, for instance 3/40")
    return int(number), int(parts)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--match", default="", help="only lies whose line contains this")
    parser.add_argument("--share", type=float, default=1.0, help="only so many of them, 0 .. 1")
    parser.add_argument("--part", type=_part, metavar="I/N", help="the I-th of N parts, which share no lie")
    parser.add_argument("--seed", type=int, default=0, help="of the choice")
    parser.add_argument("--all", action="store_true", help="print harmless ones, too")
    sys.exit(min(1, asyncio.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
