"""The demo's plot: seven contracts, a publisher, a requester with a private record, two workers that want the
job.

Nothing here is made for show: the devnet is the one of `assay devnet`, the workers are the ones of `assay
worker run`, the requester is the client library, and every figure is read back from the chain or from the one
who did the work.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from assay_prover import Bundle

from ..chain import (
    BidPlaced,
    Chain,
    Job,
    JobState,
    Outbox,
    Rpc,
    deploy_all,
)
from ..client import (
    AwardPolicy,
    JobStore,
    JobTerms,
    Requester,
    StoreKey,
    job_events,
    publish_model,
)
from ..devnet import Devnet, DevnetConfig
from ..errors import AssayError
from ..worker import PricingConfig
from .ledger import gas_paid, snapshot
from .patient import DIAGNOSES, Patient
from .stage import (
    MARKET_FILES,
    QUICK,
    STAKE,
    Competitor,
    folder_of,
    prove_seconds,
    until_registered,
    verify_gas,
    working,
)
from .summary import Account, Story, Summary, amount

ETHER = 10**18
ROYALTY_BPS = 500
TERMS = JobTerms(
    max_price=ETHER // 50,
    min_stake=ETHER // 10,
    collateral=ETHER // 20,
    bid_window=4,
    accept_window=300,
    prove_window=600,
)

RUN_FILES = MARKET_FILES

Say = Callable[[str], None]


async def play(
    bundle: Bundle, patient: Patient, work: Path, *, setup_seconds: float, setup_cached: bool, say: Say
) -> Story:
    """Run the job once on a fresh chain and tell what happened.

    Args:
        bundle: with keys.
        patient: whose record is asked about.
        work: an empty folder for this run's keys, databases and deployment (`RUN_FILES`).
        setup_seconds, setup_cached: as `bundle.prepare` found, for the summary.
        say: told each step.
    """
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        net = await stack.enter_async_context(Devnet(DevnetConfig(port=0)))
        publisher, requester_account, *others = net.accounts
        node = await stack.enter_async_context(Rpc(net.url))
        say(f"a chain of its own at {net.url}, chain id {net.config.chain_id}")

        publishing = await stack.enter_async_context(
            await Outbox.open(node, publisher, work / "publisher.sqlite", config=QUICK)
        )
        deployed = await deploy_all(publishing)
        deployed.deployment.save(work / "deployment.json")
        say(f"seven contracts deployed ({sum(deployed.gas.values()):,} gas)")
        chain = await Chain.connect(node, deployed.deployment)
        published = await publish_model(chain, publishing, bundle, royalty_bps=ROYALTY_BPS)
        gas = published.receipt.gas_used if published.receipt else 0
        say(f"the model published: its verifying key is data on chain ({gas:,} gas)")

        competitors = (
            Competitor("worker A", others[0], PricingConfig(margin_percent=60.0)),
            Competitor("worker B", others[1], PricingConfig(margin_percent=25.0)),
        )
        for competitor in competitors:
            await stack.enter_async_context(working(competitor, net.url, deployed.deployment, bundle, work))
            await until_registered(chain, competitor.account.address)
            say(f"{competitor.name} registered, with {STAKE / ETHER:g} ETH at stake")

        names = {
            publisher.address.lower(): "publisher",
            requester_account.address.lower(): "requester",
            **{competitor.account.address.lower(): competitor.name for competitor in competitors},
        }
        outbox = await stack.enter_async_context(
            await Outbox.open(node, requester_account, work / "requester.sqlite", config=QUICK)
        )
        store = stack.enter_context(JobStore(work / "jobs.sqlite"))
        requester = Requester(
            chain,
            outbox,
            store,
            StoreKey(bytes(requester_account.key)),
            policy=AwardPolicy(anybody=True),  # a chain of its own, and both workers are the demo's
            allow_local=True,
        )
        first = await node.block_number() + 1
        before = await snapshot(chain, names)
        posted = await requester.submit(bundle, published.model_id, patient.record, TERMS)
        say(f"job 0x{posted.job_id.hex()[:8]}.. posted: on chain is a commitment, not the record")

        def named(text: str) -> None:
            for address, name in names.items():
                text = re.sub(address, name, text, flags=re.IGNORECASE)
            say(text)

        async for job in requester.follow(posted.job_id, interval=0.1, say=named):
            _tell(job, names, say)
        result = await requester.result(posted.job_id, bundle)
        say(
            "the proof verified again, here, from chain data alone; the answer decrypted, and computed again "
            "with the same result"
        )
        after = await snapshot(chain, names)
        fees = await gas_paid(node, first, await node.block_number())

        settled = result.evidence.settled
        receipt = await node.receipt(settled.origin.tx_hash)
        if receipt is None or result.label is None:
            raise AssayError("the settlement is not on the devnet any more", "Run the demo again")
        winner = settled.worker.lower()
        summary = Summary(
            chain=chain.deployment.chain_id,
            job_state="settled",
            expected_label=DIAGNOSES[patient.expected],
            decrypted_label=DIAGNOSES[result.label],
            setup_seconds=round(setup_seconds, 3),
            prove_seconds=round(prove_seconds(folder_of(work, names[winner]) / "state", posted.job_id), 3),
            constraints=bundle.manifest.costs.constraints,
            proof_bytes=len(settled.proof),
            verify_gas=await verify_gas(chain, publishing, result.evidence),
            submit_gas=receipt.gas_used,
            worker_paid_wei=settled.price - settled.royalty,
            requester_spent_wei=before[requester_account.address.lower()]
            - after[requester_account.address.lower()],
        )
        bids = [event for event in await job_events(chain, posted.job_id) if isinstance(event, BidPlaced)]
        return Story(
            summary=summary,
            patient=patient.number,
            pathologist=patient.diagnosis,
            expected_logits=tuple(float(value) for value in patient.logits),
            decrypted_logits=tuple(float(value) for value in result.values.reshape(-1)),
            job_id=posted.job_id,
            worker=names[winner],
            bids=tuple((names[bid.worker.lower()], bid.price) for bid in bids),
            accounts=tuple(
                Account(
                    name,
                    _role(name, address == winner),
                    after[address] - before[address] + fees[address],
                    fees[address],
                )
                for address, name in names.items()
            ),
            setup_cached=setup_cached,
            seconds=time.monotonic() - started,
            on_chain_input=result.evidence.submitted.input_words[0],
        )


def _tell(job: Job, names: dict[str, str], say: Say) -> None:
    worker = names.get(job.worker.lower(), job.worker)
    match job.state:
        case JobState.OPEN if worker in names.values():
            say(f"{worker} leads with {amount(job.price)}")
        case JobState.OPEN:
            say(f"open for bids for {job.bid_window} s, at most {amount(job.max_price)}")
        case JobState.AWARDED:
            say(f"awarded to {worker} for {amount(job.price)}")
        case JobState.ACCEPTED:
            say(f"{worker} has checked the input, accepted, and locked {amount(job.collateral)}; it proves")
        case JobState.SETTLED:
            say("the contract verified the proof and paid")
        case _:
            raise AssayError(
                f"the job ended {job.state.name.lower()}", "Run the demo again; see the log above"
            )


def _role(name: str, winner: bool) -> str:
    if name == "publisher":
        return f"royalty, {ROYALTY_BPS / 100:g} %"
    if name == "requester":
        return "the answer"
    return "proving" if winner else "a bid that lost"
