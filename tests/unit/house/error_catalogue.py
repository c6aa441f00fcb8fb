"""docs/errors.md: every error that the program can print, read from the sources.

`python tests/unit/house/error_catalogue.py` writes it; a test holds it to the code.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from assay_node.cli.exit_codes import ExitCode
from assay_node.cli.failures import exit_code_of

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "errors.md"
SOURCES = {"assay_node": ROOT / "node" / "src", "assay_prover": ROOT / "prover" / "src"}
PACKAGES = (
    "assay_node.errors",
    "assay_node.chain.errors",
    "assay_node.chain.keystore",
    "assay_node.client.errors",
    "assay_node.worker.errors",
    "assay_node.devnet.errors",
    "assay_prover.errors",
    "assay_prover.groth16",
)

HEAD = """# Errors

An error is one line on stderr: what happened, and what to do about it. With `--json` it is a document on
stdout, too: `{"error": {"kind", "what", "advice", "exit_status"}}`, `kind` being one of the headings below.
`ASSAY_DEBUG=1` shows where in the program it was raised. Braces hold what is filled in.

This page is made from the sources by `python tests/unit/house/error_catalogue.py`; a test keeps it fresh.

| exit status | meaning |
| --- | --- |
| 1 | failed: a refused transaction, a file that cannot be read, a model that cannot be compiled |
| 2 | the command line makes no sense |
| 3 | not verified: a proof, a statement or a piece of evidence is wrong |
| 4 | the job has no result yet: ask again later |
| 5 | the job ended without a result |
| 6 | the chain cannot be reached, is another one, or the account cannot pay |
| 70 | a defect of the program: please report it |
| 130 | interrupted by Ctrl-C |
"""


def error_classes() -> dict[str, type[Exception]]:
    """Every error class by name, in the order of the packages."""
    found: dict[str, type[Exception]] = {}
    for package in PACKAGES:
        for name, value in vars(importlib.import_module(package)).items():
            if (
                isinstance(value, type)
                and issubclass(value, Exception)
                and value.__module__.startswith("assay")
            ):
                found.setdefault(name, value)
    return found


def messages(classes: dict[str, type[Exception]]) -> dict[str, set[tuple[str, str]]]:
    """(what, advice) of each place that makes an error of a class."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for source in SOURCES.values():
        for path in sorted(source.rglob("*.py")):
            for call in _calls(ast.parse(path.read_text(encoding="utf-8"))):
                name = (
                    call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
                )
                texts = [_template(argument) for argument in call.args[:2]]
                if name in classes and texts and texts[0]:
                    found[name].add((texts[0], texts[1] if len(texts) > 1 and texts[1] else ""))
    for name, text in core_messages():
        found[name].add((text, ""))
    return found


CORE = re.compile(
    r"""(?:bail!\(\s*(?P<kind>Invalid\w+)\s*,\s* | Error::(?P<of>Invalid\w+)\(\s*format!\(\s*
    | (?P<input>invalid_input)\(\s*(?:format!\(\s*)?)"(?P<text>(?:[^"\\]|\\.)*)"(?P<rest>[^;]*?\);?)""",
    re.VERBOSE | re.DOTALL,
)


def core_messages() -> Iterator[tuple[str, str]]:
    """(class, message) of each place in the Rust core that refuses something."""
    for path in sorted((ROOT / "prover" / "crates").glob("*/src/**/*.rs")):
        source = path.read_text(encoding="utf-8").partition("#[cfg(test)]")[0]
        for found in CORE.finditer(source):
            name = found["kind"] or found["of"] or "InvalidInput"
            text = re.sub(r"\\\s*\n\s*", "", found["text"]).replace('\\"', '"')
            arguments = iter(re.findall(r",\s*([^,()]+(?:\([^()]*\))?[^,()]*)", found["rest"]))
            parts = re.split(r"\{([^{}]*)\}", text)
            parts[1::2] = ["{" + _field(field, arguments) + "}" for field in parts[1::2]]
            yield name, "".join(parts)


def _field(field: str, arguments: Iterator[str]) -> str:
    """A word for what a format field holds: its own name, or the last one of its argument."""
    name = field.partition(":")[0] or next(arguments, "")
    words = [word for word in re.findall(r"[A-Za-z_]\w*", name) if word not in ("self", "len", "display")]
    return words[-1] if words else ".."


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node


def _template(node: ast.expr) -> str:
    """The text of a literal, with names in braces for what is filled in; empty for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{" + _name(part) + "}"
            for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _template(node.left) + (_template(node.right) or "{..}")
    return ""


def _name(part: ast.expr) -> str:
    """A word for what a field holds: the last name in its expression."""
    value = part.value if isinstance(part, ast.FormattedValue) else part
    names = re.findall(r"[A-Za-z_]\w*", ast.unparse(value))
    plain = [
        name for name in names if name not in ("self", "len", "str", "int", "join", "hex", "sorted", "list")
    ]
    return plain[-1].strip("_") if plain else ".."


def document() -> str:
    """The page."""
    classes = error_classes()
    told = messages(classes)
    parts = [HEAD]
    for name in sorted(classes):
        kind = classes[name]
        status = exit_code_of(kind.__new__(kind)) or ExitCode.INTERNAL
        doc = (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " ")
        rows = sorted(told.get(name, ()))
        if not rows and not doc:
            continue
        parts.append(f"## {name}\n\n{doc} Exit status {int(status)}.\n")
        if not rows:
            continue
        advised = any(advice for _, advice in rows)
        heads = ("| message | what to do |", "| --- | --- |") if advised else ("| message |", "| --- |")
        lines = [
            f"| {_cell(what)} | {_cell(advice)} |" if advised else f"| {_cell(what)} |"
            for what, advice in rows
        ]
        parts.append("\n".join([*heads, *lines]) + "\n")
    return "\n".join(parts)


def _cell(text: str) -> str:
    shown = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")
    return shown.replace("*", "\\*").replace("_", "\\_")


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
