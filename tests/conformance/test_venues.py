"""Unmodified clients' signatures verify by the shipped dialects; nothing changed does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ringfence.engine import (
    Request,
    Secret,
    check_dialect,
    read_dialect,
    verify_frame,
    verify_request,
)
from ringfence.errors import EngineError
from tests.conformance.captured import (
    ABSENT,
    DIALECTS,
    NEEDS_CODE,
    SHORT,
    Captured,
    captured,
    parse,
    suite,
    written,
    wrong,
)

CAPTURED = captured()
pytestmark = pytest.mark.skipif(not CAPTURED, reason=ABSENT)

BINDS = {
    "binance": "query body",
    "binance-usdm": "query body",
    "bitfinex": "path body",
    "bitget": "method path query body",
    "bybit": "query body",
    "coinbase": "method path host",
    "coinbase-exchange": "method path query body",
    "deribit": "method path query body",
    "gate": "method path query body",
    "htx": "method path query",
    "kraken": "path body",
    "kraken-futures": "path query body",
    "kucoin": "method path query body",
    "mexc": "query body",
    "mexc-contract": "query body",
    "okx": "method path query body",
}
"""What each scheme binds, as measured on the clients' own requests by mutation."""


def verify(venue: str, message: Request | str, secret: Secret) -> dict[str, Any] | None:
    """Return what the engine makes of a message; `None` where it is refused unread."""
    try:
        if isinstance(message, str):
            return verify_frame(written(venue), message, secret)
        return verify_request(written(venue), message, secret)
    except EngineError:
        return None


def verified(venue: str, message: Request | str, secret: Secret) -> bool:
    seen = verify(venue, message, secret)
    return seen is not None and seen["verified"] is True


@pytest.mark.parametrize("case", CAPTURED, ids=lambda case: case.name)
def test_it_verifies_with_its_secret_and_with_a_wrong_one_not(case: Captured) -> None:
    assert verified(case.venue, case.message, case.secret)
    assert not verified(case.venue, case.message, wrong(case.secret))


def test_every_case_of_the_suite_is_verified_or_named() -> None:
    names = {entry["dialect"] for part in ("requests", "ws") for entry in suite()[part]}
    assert names == set(DIALECTS) | set(NEEDS_CODE)
    assert {entry["secret"] for entry in suite()["requests"]} >= set(SHORT)
    verified = {case.name.split(" ")[0] for case in CAPTURED if isinstance(case.message, Request)}
    for index, entry in enumerate(suite()["requests"]):
        venue = DIALECTS.get(entry["dialect"])
        if str(index) in verified or venue is None or entry["secret"] in SHORT:
            continue
        # What is left carries no signature, for it asks what anybody may.
        sent = parse(entry["raw"])
        seen = read_dialect(written(venue), sent.method, sent.target, sent.headers, sent.body)
        assert seen["operation"] == "market.read", entry["raw"]
    assert len(CAPTURED) == len(verified) + len(suite()["ws"])


def test_the_holes_are_those_that_were_measured() -> None:
    for venue, binds in BINDS.items():
        holes = set(check_dialect(written(venue))["holes"])
        assert holes == {"method", "path", "host", "query", "body"} - set(binds.split()), venue


@pytest.mark.parametrize(
    "case", [case for case in CAPTURED if isinstance(case.message, Request)], ids=lambda c: c.name
)
def test_a_request_with_one_covered_byte_changed_verifies_nowhere(case: Captured) -> None:
    request = case.message
    assert isinstance(request, Request)
    for part, changed in mutations(request, BINDS[case.venue].split()):
        assert not verified(case.venue, changed, case.secret), (part, changed)


@pytest.mark.parametrize(
    "case", [case for case in CAPTURED if isinstance(case.message, str)], ids=lambda c: c.name
)
def test_a_frame_with_one_covered_byte_changed_does_not_verify(case: Captured) -> None:
    seen = verify(case.venue, case.message, case.secret)
    assert seen is not None
    signature = seen["signature"]
    changed = str(case.message).replace(signature, flipped(signature, 0))
    assert not verified(case.venue, changed, case.secret)
    # What is not signed may change; what was signed then is the same.
    text = str(case.message)
    for at in range(len(text)):
        after = verify(case.venue, flipped(text, at), case.secret)
        if after is not None and after["verified"]:
            assert after["payload"] == seen["payload"], text[at : at + 10]


def flipped(text: str, at: int) -> str:
    return text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]


def mutations(request: Request, covered: list[str]) -> Iterator[tuple[str, Request]]:
    """Yield the request once for each byte that the scheme covers, with its lowest bit flipped."""
    path, mark, query = request.target.partition("?")
    if "method" in covered:
        yield "method", replace(request, method="PUT")
    if "path" in covered:
        for at in range(1, len(path)):
            yield "path", replace(request, target=flipped(path, at) + mark + query)
    if "query" in covered:
        for at in range(len(query)):
            yield "query", replace(request, target=path + mark + flipped(query, at))
        yield "query", replace(request, target=f"{path}?{query}&x=1" if query else f"{path}?x=1")
    if "body" in covered:
        body = request.body.decode()
        for at in range(len(body)):
            yield "body", replace(request, body=flipped(body, at).encode())
        yield "body", replace(request, body=(body + "&x=1").encode())
