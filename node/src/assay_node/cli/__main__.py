"""`python -m assay_node.cli` is `assay`."""

from . import main

main()
