"""Lookup: every f_i is an entry of the table t (LogUp, Haböck 2022, eprint 2022/1530).

Statement. {f_i} is a subset of {t_j}.

Constraints, with the challenge c drawn after everything below but v and u is fixed:

    v_i (c - f_i) = 1           for each looked-up f_i
    u_j (c - t_j) = m_j         for each entry t_j, m_j its multiplicity
    sum_i v_i - sum_j u_j = 0   once for each table

Cost. One constraint and one full-width wire (on the A side only) a lookup; one constraint, one full-width
and one small wire an entry; one constraint a table. Every v_i and u_j is a multiple of the table's own
inverses, so proving inverts once an entry.

Soundness. f_i and m_j are linear combinations of 1, x, m and w1 only (`Builder.lookup` refuses anything
else), so they are fixed before c. If some f_i is not in the table, sum_i 1/(X - f_i) has a pole there with
a coefficient between 1 and the number of lookups (below r, so it is not 0 modulo r) that sum_j m_j/(X -
t_j) does not have, whatever the m_j: the two rational functions differ and agree at a random c with
probability at most (lookups + entries)/r < 2^-200. c equal to some f_i makes the first line unsatisfiable;
c equal to some t_j frees u_j and is counted in the same bound. Tables have no padding: they hold exactly
their entries, which are distinct.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder
    from assay_prover.circuit.linear import LinearTensor
    from assay_prover.circuit.lookup import LookupTable


def lookup(b: Builder, table: LookupTable, values: LinearTensor) -> None:
    """Constrain every value to be an entry of the table.

    Raises:
        UncommittedLookupError: a value refers to wires fixed after the challenge.
    """
    b.lookup(table, values)
