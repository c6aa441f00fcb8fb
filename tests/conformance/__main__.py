"""`make onnx-conformance`: what the compiler makes of ONNX's own node tests; fails if any is wrong.

With `--write` the lists in docs/operators.md are brought up to date.
"""

from __future__ import annotations

import sys

from conformance.document import DOCUMENT, rendered
from conformance.nodes import results, summary

found = list(results())
print(summary(found))
if "--write" in sys.argv[1:]:
    DOCUMENT.write_text(rendered(DOCUMENT.read_text(), found))
sys.exit(any(result.verdict == "wrong" for result in found))
