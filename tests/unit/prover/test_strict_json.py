"""Bounds and strictness of the one JSON reader for what strangers write."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from time import process_time

import pytest

from assay_prover import strict_json
from assay_prover.strict_json import JsonError, loads


@pytest.mark.parametrize(
    "text",
    ['{"a": [1, -2.5, 1e10, true, false, null, "x\\u00e9\\ud83d\\ude00"]}', "[]", "0", '"a\\"[[["', " [ ] "],
)
def test_reads_what_is_json(text):
    assert loads(text, what="it") == json.loads(text) == loads(text.encode(), what="it")


def test_skips_a_byte_order_mark():
    assert loads(b"\xef\xbb\xbf{}", what="it") == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("NaN", "NaN is not a JSON number"),
        ('{"a": Infinity}', "Infinity is not"),
        ("[-Infinity]", "-Infinity is not"),
        ("1e400", "out of range"),
        ("-1e400", "out of range"),
        ("1" * 401, "out of range"),
        ("1" * 5000, "out of range"),
        ("0." + "1" * 401, "out of range"),
        ('{"a": 1, "a": 2}', "'a' is given twice"),
        ('{"x": {"b": 1, "c": 0, "b": 1}}', "'b' is given twice"),
        ('"\\ud800"', "not UTF-8"),
        ('{"\\udfff": 1}', "not UTF-8"),
        ("\ud800", "not UTF-8"),
        (b"\xff\xfe[\x00]\x00", "not UTF-8"),
        ("", "not JSON"),
        ("{} {}", "not JSON"),
        ("{'a': 1}", "not JSON"),
        ("[1,]", "not JSON"),
        ("[01]", "not JSON"),
        ("[1_0]", "not JSON"),
        ("[0x10]", "not JSON"),
        ('"a\nb"', "not JSON"),
        ('"never ends', "not JSON"),
    ],
)
def test_refuses_what_is_not_with_the_reason(text, reason):
    with pytest.raises(JsonError, match=r"^the answer: ") as refused:
        loads(text, what="the answer")
    assert reason in str(refused.value)


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"":'])
def test_depth_is_bounded_before_anything_recurses(opening):
    with pytest.raises(JsonError, match="nested deeper than 64 levels"):
        loads(opening * 500_000, what="it")


def test_depth_counts_brackets_outside_strings_alone():
    nested = "[" * 64 + '"' + "[" * 500 + '\\"[["' + "]" * 64
    assert loads(nested, what="it") is not None
    with pytest.raises(JsonError, match="deeper"):
        loads("[" + nested + "]", what="it")
    with pytest.raises(JsonError, match="deeper than 2"):
        loads("[[[]]]", what="it", max_depth=2)


def test_depth_is_bounded_where_the_recursion_limit_was_raised():
    program = (
        "import sys; sys.setrecursionlimit(1_000_000)\n"
        "from assay_prover.strict_json import JsonError, loads\n"
        "for text in ('[' * 300_000, '{\"a\":' * 300_000, '[' * 300_000 + ']' * 300_000):\n"
        "    try: loads(text, what='it')\n"
        "    except JsonError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "it: nested deeper than 64 levels\n" * 3


def test_length_is_bounded_in_bytes():
    assert loads("[1]", what="it", max_bytes=3) == [1]
    for text in ("[12]", b"[12]", '"\u20ac\u20ac"'):
        with pytest.raises(JsonError, match="longer than 3 bytes"):
            loads(text, what="it", max_bytes=3)


@pytest.mark.parametrize("text", ['\\"', '"\\"', '"a', "[],", '"\\\\', '{"a":0,'])
def test_hostile_text_takes_linear_time(text):
    """Twice the text takes about twice the time, not four times."""

    def seconds(repeats: int) -> float:
        start = process_time()
        with pytest.raises(JsonError):
            loads(text * repeats, what="it")
        return process_time() - start

    once = max(seconds(40_000), 0.002)
    assert seconds(400_000) < 40 * once


def test_load_reads_a_file_and_no_more_than_its_bound(tmp_path: Path):
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert strict_json.load(tmp_path / "a.json") == {"a": 1}
    with pytest.raises(JsonError, match=r"a\.json: longer than 4 bytes"):
        strict_json.load(tmp_path / "a.json", max_bytes=4)


def test_dumps_writes_no_number_that_is_not_finite():
    assert strict_json.dumps({"b": 1, "a": [0.5]}, sort_keys=True, compact=True) == '{"a":[0.5],"b":1}'
    for value in (float("nan"), float("inf"), {"a": [float("-inf")]}):
        with pytest.raises(ValueError, match="not JSON compliant"):
            strict_json.dumps(value)
