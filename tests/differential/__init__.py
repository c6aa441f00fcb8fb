"""Three verifiers that share no code, asked the same: the prover's core, the contracts, and py_ecc."""
