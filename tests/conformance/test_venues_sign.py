"""The description that verifies also signs: as the clients do, and so that it verifies."""

from __future__ import annotations

import base64
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringfence.config import shipped_dialects
from ringfence.engine import Request, Seal, Secret, read_dialect, sign_request, verify_request
from ringfence.errors import EngineError
from tests.conformance.captured import (
    ABSENT,
    SHORT,
    Captured,
    captured,
    parse,
    signed,
    suite,
    written,
)

CAPTURED = [
    case
    for case in captured()
    if isinstance(case.message, Request) and case.secret.algorithm == "hmac-sha256"
]
needs_suite = pytest.mark.skipif(not CAPTURED, reason=ABSENT)
VENUES = sorted(
    v for v in shipped_dialects() if "code" not in written(v).get("signing", {"code": ""})
)
NOW_US = 1_700_000_000_000_000
SECRET = Secret("hmac-sha256", base64.b64encode(b"a secret of thirty-two bytes ...."))
OTHER_INPUT = {
    "krakenfutures": "ccxt sends no nonce; we always do, and it is signed",
    "kucoin-odd": "ccxt signs the query before it is escaped; we sign what we send",
    "bybit-odd": "ccxt signs the query before it is escaped; we sign what we send",
}


def seal(secret: Secret) -> Seal:
    return Seal("key", secret, "phrase", NOW_US, str(NOW_US // 1000))


def bare(case: Captured) -> tuple[Request, str]:
    """Return a captured request without its signature, and the signature."""
    assert isinstance(case.message, Request)
    request = case.message
    place = written(case.venue)["signing"]["signature"]
    if isinstance(place, dict) and "header" in place:
        name = place["header"].lower()
        value = next(value for header, value in request.headers if header.lower() == name)
        headers = [(header, text) for header, text in request.headers if header.lower() != name]
        if "field" in place:
            parts = value.split(",")
            kept = [part for part in parts if not part.startswith(place["field"] + "=")]
            headers.append((name, ",".join(kept)))
        return replace(request, headers=headers), value
    name = place if isinstance(place, str) else place["query"]
    path, mark, query = request.target.partition("?")
    body = request.body.decode()
    pairs = [*query.split("&"), *body.split("&")]
    value = next(pair for pair in pairs if pair.startswith(name + "="))
    rest = [
        "&".join(pair for pair in text.split("&") if not pair.startswith(name + "="))
        for text in (query, body)
    ]
    return replace(
        request, target=path + (mark if rest[0] else "") + rest[0], body=rest[1].encode()
    ), value


@needs_suite
@pytest.mark.parametrize("case", CAPTURED, ids=lambda case: case.name)
def test_what_we_sign_is_what_the_client_signed(case: Captured) -> None:
    if case.name.split()[-1] in OTHER_INPUT:
        pytest.skip(OTHER_INPUT[case.name.split()[-1]])
    request, signature = bare(case)
    made = sign_request(written(case.venue), request, seal(case.secret))
    again, ours = bare(replace(case, message=made))
    assert parts(ours) == parts(signature)
    # Nothing was put in the place of what the client said of itself.
    assert {name for name, _ in again.headers} >= {name.lower() for name, _ in request.headers}


def parts(signature: str) -> set[str]:
    """Return the parts of an Authorization field; a signature that stands alone is one."""
    return set(signature.partition(" ")[2].split(",")) if ",sig=" in signature else {signature}


@needs_suite
def test_a_published_example_with_a_short_secret_is_signed_alike() -> None:
    entries = [entry for entry in suite()["requests"] if entry["secret"] in SHORT]
    assert entries
    for entry in entries:
        request = parse(entry["raw"])
        secret = Secret("hmac-sha256", suite()["secrets"][entry["secret"]].encode())
        assert signed(request, "gate")
        stripped, signature = bare(Captured("", "gate", request, secret))
        made = sign_request(written("gate"), stripped, seal(secret))
        assert dict(made.headers)["sign"] == signature


names = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=6)
values = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)
pairs = st.dictionaries(names, values, max_size=5)


def form(pairs: dict[str, str]) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs.items())


@pytest.mark.parametrize("venue", VENUES)
@settings(max_examples=60, deadline=None)
@given(pairs=pairs, post=st.booleans())
def test_what_is_signed_verifies_and_binds(venue: str, pairs: dict[str, str], post: bool) -> None:
    dialect = written(venue)
    query, body = ("", form(pairs)) if post else (form(pairs), "")
    if venue in ("kraken", "bitfinex"):
        query, body, post = "", form(pairs), True
    mark = "?" if query else ""
    draft = Request("POST" if post else "GET", f"/path{mark}{query}", [], body.encode())
    try:
        made = sign_request(dialect, draft, seal(SECRET))
    except EngineError as refused:
        # Where the query is signed with its escapes resolved, some queries have no single reading.
        assert venue in ("gate", "bitget"), refused
        return
    seen = verify_request(dialect, made, SECRET)
    assert seen["verified"], seen
    assert seen["time_us"] == NOW_US
    assert seen["key_id"] == "key"
    other = Secret("hmac-sha256", base64.b64encode(b"another secret of the same length"))
    assert not verify_request(dialect, made, other)["verified"]


@needs_suite
@pytest.mark.parametrize("case", CAPTURED, ids=lambda case: case.name)
def test_a_client_s_request_has_a_route(case: Captured) -> None:
    request = case.message
    assert isinstance(request, Request)
    path = request.target.partition("?")[0]
    if path in NOT_OFFERED:
        pytest.skip(NOT_OFFERED[path])
    seen = read_dialect(
        written(case.venue), request.method, request.target, request.headers, request.body
    )
    assert seen["key_id"]
    forwarded = seen["forward"]["target"] + seen["forward"]["body"]
    assert seen["key_id"] not in forwarded
    assert quote(seen["signature"], safe="") not in forwarded
    if seen["operation"] == "order.place":
        assert seen["order"]["side"] in ("BUY", "SELL")
        assert seen["order"]["quantity"]
        assert seen["order"]["symbol"]


NOT_OFFERED = {
    "/fapi/v1/order": "Binance's futures have a dialect of their own",
    "/fapi/v1/batchOrders": "Binance's futures have a dialect of their own",
}
