"""Endpoints in a row, and secrets in their URLs that appear nowhere."""

from __future__ import annotations

import pytest

from assay_node.chain.node.urls import guard, mask, rpc_urls, shown

KEY = "f00dfeed0123456789abcdef"


@pytest.mark.parametrize(
    ("given", "urls"),
    [
        ("http://a.example", ("http://a.example",)),
        (
            "http://a.example,https://b.example/v3/k?x=1,2",
            ("http://a.example", "https://b.example/v3/k?x=1,2"),
        ),
        (
            ["http://a.example", "http://b.example, http://a.example"],
            ("http://a.example", "http://b.example"),
        ),
        ("http://a.example:8545/?apikey=secret&y=%20", ("http://a.example:8545/?apikey=secret&y=%20",)),
        ("http://[::1]:8545", ("http://[::1]:8545",)),
    ],
)
def test_urls_in_order_and_each_once(given: str | list[str], urls: tuple[str, ...]) -> None:
    assert rpc_urls(given) == urls


@pytest.mark.parametrize(
    "given",
    ["", [], "  ,  ", "ws://a.example", f"ftp://{KEY}@a.example", "http://", "a.example", "http://a:port/x"],
)
def test_what_is_no_url_is_refused_without_being_quoted(given: str | list[str]) -> None:
    with pytest.raises(ValueError, match="URL") as caught:
        rpc_urls(given)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"https://a.example/v3/{KEY}",
        f"https://a.example/?apikey={KEY}",
        f"https://user:{KEY}@a.example/rpc",
        f"https://{KEY}@a.example",
        f"https://a.example/{KEY[:8]}%2B{KEY}/mainnet",
    ],
)
def test_a_key_is_in_no_text(url: str) -> None:
    guard([url])
    for text in (
        f"cannot connect to {url}: refused",
        f"ClientResponseError(401, url={url!r})",
        f'{{"error": "invalid API key {KEY}"}}',
    ):
        assert KEY not in mask(text)
    assert KEY not in shown(url)
    assert mask("mainnet at a.example is fine") == "mainnet at a.example is fine"


def test_a_user_name_in_a_url_that_nobody_opened_is_masked() -> None:
    assert mask("see http://me:word@b.example/x") == "see http://***@b.example/x"
