"""The generated parts of docs/operators.md."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

from assay_prover.frontend import supported_operators
from conformance.nodes import Result

DOCUMENT = Path(__file__).parents[2] / "docs" / "operators.md"

NOT_SUPPORTED = "operator is not supported"


def rendered(text: str, found: list[Result]) -> str:
    """The document with its generated parts replaced."""
    parts = {
        "operators": ", ".join(f"`{name}`" for name in supported_operators()) + ".",
        "counts": _counts(found),
        "refused": _refused(found),
    }
    for name, body in parts.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        text = re.sub(
            pattern, lambda match, body=body: f"{match[1]}{body}\n{match[2]}", text, flags=re.DOTALL
        )
    return text


def _counts(found: list[Result]) -> str:
    verdicts = Counter(result.verdict for result in found)
    passed, refused, wrong = (verdicts[kind] for kind in ("passed", "refused", "wrong"))
    return f"Of {len(found)} cases {passed} pass, {refused} are refused, {wrong} are wrong."


def _refused(found: list[Result]) -> str:
    """A row for each reason: how many cases, of which operators."""
    operators: dict[str, set[str]] = defaultdict(set)
    counts: Counter[str] = Counter()
    for result in found:
        if result.verdict == "refused":
            operators[result.reason].add(result.operator)
            counts[result.reason] += 1
    rows = ["| cases | reason | of |", "| --- | --- | --- |"]
    for why, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        names = sorted(name for name in operators[why] if name[:1].isupper())
        shown = ", ".join(f"`{name}`" for name in names) or "expanded functions"
        rows.append(f"| {count} | {why} | {shown} |")
    return "\n".join(rows)
