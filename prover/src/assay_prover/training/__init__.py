"""Training programs: a run of T1 (`assay_prover.reference.training`) as a network whose input is the table.

The program's circuit has the committed table for its input and the trained weights for its output, so that
one proof says: these are the weights that this program makes of that table.
"""
