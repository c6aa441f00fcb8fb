"""Log filters: ``eth_getLogs`` as one indexed SQL query.

Cost grows with the number of logs returned and not with the length of the range, provided the filter names
an address or one of the first two topics; those are the indexed columns.
"""

from __future__ import annotations

from dataclasses import dataclass

from assay_node.devnet.store import Store, StoredLog

_TOPIC_COLUMNS = ("topic0", "topic1", "topic2", "topic3")


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which logs: blocks ``first`` to ``last``, both included, ``addresses`` and ``topics``.

    A log matches if its address is one of ``addresses`` and its i-th topic is one of ``topics[i]``, for each
    i. Empty ``addresses``, and an empty ``topics[i]``, match everything; but a log with fewer topics than the
    filter has entries never matches (EIP-1474).
    """

    first: int
    last: int
    addresses: tuple[bytes, ...] = ()
    topics: tuple[tuple[bytes, ...], ...] = ()

    def select(self, store: Store) -> list[StoredLog]:
        """The matching logs in chain order."""
        conditions = ["block BETWEEN ? AND ?"]
        values: list[int | bytes] = [self.first, self.last]
        columns = [("address", self.addresses), *zip(_TOPIC_COLUMNS, self.topics, strict=False)]
        for column, wanted in columns:
            if wanted:
                conditions.append(f"{column} IN ({', '.join('?' * len(wanted))})")
                values.extend(wanted)
            elif column != "address":
                conditions.append(f"{column} IS NOT NULL")
        return store.select_logs(" AND ".join(conditions), values)
