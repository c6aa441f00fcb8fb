"""Gadgets, one a file: what each constrains, what it costs, why it is sound. See docs/circuits.md."""
