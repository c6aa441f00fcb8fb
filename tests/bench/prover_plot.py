"""The prover bench as a picture: how many times faster than each peer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TITLES = {
    "msm_g1": "G1 sums",
    "msm_g2": "G2 sums",
    "ntt": "transforms",
    "groth16": "Groth16 proofs",
    "setup": "setup",
    "verify": "verification",
    "batch": "16 proofs together",
}
STYLES = {
    "gnark": ("#0072b2", "o"),
    "arkworks": ("#d55e00", "s"),
    "halo2curves": ("#cc79a7", "D"),
    "bellman_ce": ("#999999", "P"),
    "snarkjs": ("#e69f00", "^"),
    "mcl": ("#009e73", "v"),
    "groth16py": ("#56b4e9", "X"),
    "assay, 1 thread": ("#000000", "*"),
    "assay, one at a time": ("#000000", "o"),
    "assay, first batch": ("#000000", "D"),
}
TICKS = (1, 2, 3, 5, 10, 20, 50, 100, 200)


def _label(record: dict[str, Any]) -> str:
    size = record["size"]
    power = f"$2^{{{size.bit_length() - 1}}}$" if size & (size - 1) == 0 else f"{size:,}"
    path = ", portable path" if record["kernel"] == "portable" else ""
    return f"{record['scalars']}, {power}{path}"


def plot(records: list[dict[str, Any]], path: Path, subtitle: str) -> None:
    """Draw a panel for each case, a line for each row, a mark for each peer; farther right is faster."""
    import matplotlib as mpl

    mpl.use("svg")
    # Text as text, and the same file for the same records.
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "assay"}
    from matplotlib import pyplot as plt

    cases = [case for case in TITLES if any(r["case"] == case for r in records)]
    rows = {case: list(dict.fromkeys(_label(r) for r in records if r["case"] == case)) for case in cases}
    heights = [len(rows[case]) + 0.8 for case in cases]
    figure, panels = plt.subplots(
        len(cases),
        squeeze=False,
        sharex=True,
        figsize=(8.5, 1.3 + 0.27 * sum(heights)),
        height_ratios=heights,
        layout="constrained",
    )
    for case, axes in zip(cases, panels[:, 0], strict=True):
        mine = [r for r in records if r["case"] == case]
        for at, label in enumerate(rows[case]):
            ratios = [r["ratio"] for r in mine if _label(r) == label]
            axes.plot([1, max(ratios)], [at, at], color="#dddddd", linewidth=3, zorder=1)
        for r in mine:
            colour, mark = STYLES[r["peer"]]
            axes.scatter(r["ratio"], rows[case].index(_label(r)), color=colour, marker=mark, s=34, zorder=2)
        axes.axvline(1, color="#888888", linewidth=0.8, zorder=0)
        axes.set_yticks(range(len(rows[case])), rows[case], fontsize=8)
        axes.set_ylim(len(rows[case]) - 0.4, -0.6)
        axes.set_title(TITLES[case], fontsize=9, loc="left", fontweight="bold")
        axes.grid(axis="x", color="#eeeeee", zorder=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(length=0)
    last = panels[-1, 0]
    last.set_xscale("log")
    last.set_xticks(TICKS, [f"{t}x" for t in TICKS])
    last.minorticks_off()
    last.set_xlim(0.7, max(r["ratio"] for r in records) * 1.25)
    last.set_xlabel("times faster than")
    present = list(dict.fromkeys(r["peer"] for r in records))
    present.sort(key=list(STYLES).index)
    marks = [plt.Line2D([], [], linestyle="", marker=STYLES[p][1], color=STYLES[p][0]) for p in present]
    figure.legend(marks, present, loc="outside lower center", ncols=5, fontsize=8, frameon=False)
    figure.suptitle(f"Assay's prover beside its peers\n{subtitle}", fontsize=10)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)
