"""What a manifest says of its network, against the network: a stranger may have written both."""

from __future__ import annotations

from hashlib import sha256
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from assay_prover.bundle import remembered
from assay_prover.bundle.manifest import same_costs
from assay_prover.circuit.cost import total
from assay_prover.errors import BundleError

if TYPE_CHECKING:
    from assay_prover.bundle.bundle import Bundle

MAX_CONSTRAINTS = 1 << 25
"""Of a bundle that is opened: its circuit is built and hashed, whatever a stranger put into it."""


def check_ends(bundle: Bundle) -> None:
    """The manifest's ranges are those of the graph.

    Raises:
        BundleError: they are not.
    """
    info, out, path = bundle.manifest.input, bundle.manifest.output, bundle.path
    source, result = bundle.graph.input, bundle.graph.result
    if bundle.manifest.slices[-1].stop != len(bundle.graph.ops):
        raise BundleError(f"{path}: the manifest's slices are not those of circuit.npz")
    if bool(bundle.graph.private) != bundle.is_private:
        raise BundleError(f"{path}: the manifest and circuit.npz disagree about private weights")
    lo, hi = (side.ravel() for side in info.bounds)
    same_input = np.array_equal(source.lo.ravel(), lo) and np.array_equal(source.hi.ravel(), hi)
    if not same_input or (result.size, result.min, result.max) != (prod(out.shape), out.lo, out.hi):
        raise BundleError(f"{path}: the manifest's input or output is not that of circuit.npz")


def check_circuit(bundle: Bundle, manifest: bytes) -> None:
    """The manifest's circuit hash and costs are those of the circuit: workers price and requesters pay by
    them.

    The circuit is built and hashed once on a machine; it takes about ten seconds for a million constraints.

    Args:
        bundle: without its private weights, which the circuit does not depend on.
        manifest: the file's bytes.

    Raises:
        BundleError: they are not.
    """
    constraints = sum(part.info.layout.n_constraints for part in bundle.slices)
    if constraints > MAX_CONSTRAINTS:
        raise BundleError(
            f"{bundle.path}: {constraints:,} constraints; at most {MAX_CONSTRAINTS:,} are opened"
        )
    name = remembered.name_of("circuit", sha256(manifest).digest())
    if remembered.is_known(name):
        return
    costs = []
    for part in bundle.slices:
        circuit = part.build()
        if circuit.digest().hex() != part.info.circuit:
            raise BundleError(
                f"{bundle.path}: the manifest's circuit hash is not that of circuit.npz: it was changed, "
                "or another version of this library compiled it; compile again"
            )
        costs.append(circuit.cost())
    if not same_costs(total(costs), bundle.manifest.costs):
        raise BundleError(f"{bundle.path}: the manifest's costs are not those of circuit.npz")
    remembered.remember(name)
