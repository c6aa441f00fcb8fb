"""Tables as committed integers: what training, evaluation and federations mean by a data set.

A `Schema` says what each column is and which integers stand for it, a `Table` is a file of rows, a
`DataSet` the integers of a table with commitments to its blocks. Nothing here leaves the machine: what is
published of a data set is its schema and its commitments.

Example::

    table = Table.read(Path("patients.csv"))
    schema = Schema.fit(table, label="diagnosis")
    data = DataSet.of(schema, table, rows_per_block=455)
    data.save(Path("patients"))          # the owner's folder, secrets included
    data.blocks                          # what is published
"""

from typing import TYPE_CHECKING

from assay_prover.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from .dataset import DataSet
    from .schema import Column, Label, Schema
    from .table import Table
else:  # a name's module is loaded when the name is used
    __getattr__, __dir__ = lazy_attributes(
        __name__, {".dataset": "DataSet", ".schema": "Column Label Schema", ".table": "Table"}
    )

__all__ = ["Column", "DataSet", "Label", "Schema", "Table"]
