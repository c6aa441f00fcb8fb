"""Logs: on stderr, one JSON object a line, and no secret in a traceback."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from assay_node.cli.logs import configure_logs


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def fail() -> None:
    salt = int("0xfeedface", 16)
    raise ValueError("it went wrong" if salt else "never")


def test_a_traceback_shows_no_local_variables(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs(logging.INFO)
    log = structlog.get_logger()
    try:
        fail()
    except ValueError:
        log.exception("job.failed", job="0x01")
    printed = capfd.readouterr()
    assert printed.out == ""
    entry = json.loads(printed.err)
    assert entry["event"] == "job.failed"
    assert "it went wrong" in entry["exception"]
    assert str(0xFEEDFACE) not in printed.err


def test_the_level_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs()
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert [json.loads(line)["event"] for line in capfd.readouterr().err.splitlines()] == ["loud"]


def test_logs_follow_stderr_when_it_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stderr", first)
    configure_logs()
    monkeypatch.setattr("sys.stderr", second)
    first.close()
    structlog.get_logger().warning("heard")
    assert json.loads(second.getvalue())["event"] == "heard"
