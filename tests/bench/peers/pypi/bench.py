"""Provers on PyPI on the cases of the prover bench: mcl (mclbn256) and groth16py.

`bench.py mcl|groth16py CASE SCALARS LOG_SIZE INPUTS`; the protocol is that of
`prover/crates/bench/README.md`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ctypes import c_size_t, create_string_buffer
from pathlib import Path

SNARK_CURVE = 4
"""mcl's name of the curve of EIP-196; its default is another one of 254 bits."""
WORD = 32


def serve(answer: dict[str, object], run: Callable[[], object]) -> None:
    """Print the answer of a run that the caller made, then run once for every line read."""
    print(json.dumps(answer), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        run()
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


def mcl(case: str, kind: str, n: int, inputs: Path) -> None:
    """Sums over all threads: mcl's own call takes one."""
    import mclbn256

    lib = mclbn256.mclbn256.lib
    lib.mclBn_init(SNARK_CURVE, mclbn256.mclbn256.MCLBN_COMPILED_TIME_VAR)
    group, coordinates = {"msm_g1": ("G1", 2), "msm_g2": ("G2", 4)}[case]
    point = 3 * WORD * coordinates // 2

    def montgomery(field: str, data: bytes) -> bytes:
        out = create_string_buffer(WORD)
        if getattr(lib, f"mclBn{field}_setLittleEndian")(out, data, c_size_t(WORD)):
            raise SystemExit(f"a value is out of mcl's {field}")
        return out.raw

    def read(name: str, count: int) -> list[bytes]:
        with (inputs / name).open("rb") as file:
            return [file.read(WORD) for _ in range(count)]

    one = montgomery("Fp", (1).to_bytes(WORD, "little")) + bytes(point // 3 - WORD)  # z, projective
    words = [montgomery("Fp", word) for word in read(f"bases.{group.lower()}", n * coordinates)]
    bases = b"".join(b"".join(words[i : i + coordinates]) + one for i in range(0, len(words), coordinates))
    scalars = b"".join(montgomery("Fr", word) for word in read(f"scalars.{kind}", n))
    threads = len(os.sched_getaffinity(0))
    step = -(-n // threads)
    pool = ThreadPoolExecutor(threads)
    total = create_string_buffer(point)

    def part(start: int) -> bytes:
        size = min(step, n - start)
        x = create_string_buffer(bases[start * point : (start + size) * point])
        y = create_string_buffer(scalars[start * WORD : (start + size) * WORD])
        out = create_string_buffer(point)
        getattr(lib, f"mclBn{group}_mulVec")(out, x, y, c_size_t(size))
        return out.raw

    def run() -> None:
        lib_add = getattr(lib, f"mclBn{group}_add")
        first, *rest = pool.map(part, range(0, n, step))
        total.raw = first
        for other in rest:
            lib_add(total, total, create_string_buffer(other, point))

    run()
    getattr(lib, f"mclBn{group}_normalize")(total, total)
    result = ""
    for i in range(coordinates):
        out = create_string_buffer(WORD)
        lib.mclBnFp_getLittleEndian(out, c_size_t(WORD), total.raw[i * WORD : (i + 1) * WORD])
        result += out.raw.hex()
    serve({"result": result}, run)


def groth16py(case: str, kind: str, log_size: int, inputs: Path) -> None:
    """Proofs from the files that snarkjs gets."""
    import groth16py as library

    folder = inputs / f"{kind}-{log_size}"
    pk, _ = library.import_zkey(str(folder / "circuit.zkey"))
    witness = str(folder / "circuit.wtns")
    proof = library.prove_wtns(pk, witness)
    if case != "groth16":
        raise SystemExit(f"no case {case}")
    serve({"result": "", "evm_proof": proof.hex()}, lambda: library.prove_wtns(pk, witness))


def main() -> None:
    """Run one case."""
    peer, case, kind, log_size, inputs = sys.argv[1:]
    if peer == "mcl":
        mcl(case, kind, 1 << int(log_size), Path(inputs))
    else:
        groth16py(case, kind, int(log_size), Path(inputs))


if __name__ == "__main__":
    main()
