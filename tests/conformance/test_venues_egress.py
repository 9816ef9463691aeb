"""Signed anew for every venue, what clients sent verifies, and nothing of theirs is left."""

from __future__ import annotations

import base64
import re
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ringfence.engine import Request, Seal, Secret, read_dialect, sign_request, verify_request
from tests.conformance.captured import ABSENT, Captured, captured, written
from tests.conformance.test_venues_sign import NOT_OFFERED

NOW_US = 1_700_000_000_123_456
KEY_ID = "the-venue-s-key"
SECRET = Secret("hmac-sha256", base64.b64encode(b"the venue's own secret of some length"))
PAIR = Ed25519PrivateKey.generate()
PAIRED = (
    Secret("ed25519", PAIR.private_bytes_raw()),
    Secret("ed25519", PAIR.public_key().public_bytes_raw()),
)
CAPTURED = [case for case in captured() if isinstance(case.message, Request)]
needs_suite = pytest.mark.skipif(not CAPTURED, reason=ABSENT)


@needs_suite
@pytest.mark.parametrize("case", CAPTURED, ids=lambda case: case.name)
def test_a_client_s_request_is_signed_anew(case: Captured) -> None:
    request, dialect = case.message, written(case.venue)
    assert isinstance(request, Request)
    if (path := request.target.partition("?")[0]) in NOT_OFFERED:
        pytest.skip(NOT_OFFERED[path])
    seen = read_dialect(dialect, request.method, request.target, request.headers, request.body)
    bare = seen["unsigned"]
    draft = Request(request.method, bare["target"], [("Host", "venue")], bare["body"].encode())
    # Coinbase's tokens are signed by key pairs only.
    ours, verifies = PAIRED if case.venue == "coinbase" else (SECRET, SECRET)
    made = sign_request(dialect, draft, Seal(KEY_ID, ours, "our-phrase", NOW_US, str(NOW_US)))
    judged = verify_request(dialect, made, verifies)
    assert judged["verified"], judged
    assert (judged["key_id"], judged["time_us"] // 1_000_000) == (KEY_ID, NOW_US // 1_000_000)
    sent = " ".join([made.target, made.body.decode(), *(value for _, value in made.headers)])
    for theirs in (seen["key_id"], seen["signature"], quote(seen["signature"], safe="")):
        # The published example of Kraken names no key.
        assert theirs not in sent or theirs == "x"
    # What it asks is as it was, in its order: only what belongs to a signature has changed.
    asked = [pair for pair in pairs(request) if pair in pairs(made)]
    assert asked == [pair for pair in pairs(made) if pair in pairs(request)]
    assert set(pairs(draft)) <= set(pairs(request))
    again = read_dialect(dialect, made.method, made.target, made.headers, made.body)
    assert (again["order"], again["operation"]) == (seen["order"], seen["operation"])


def pairs(request: Request) -> list[str]:
    """Return the pairs of query and form body, and the members of a JSON body, as sent."""
    query, body = request.target.partition("?")[2], request.body.decode()
    members = (
        re.split(r",(?=\")", body.strip("{}[]")) if body[:1] in ("{", "[") else body.split("&")
    )
    return [pair for pair in [*query.split("&"), *members] if pair]
