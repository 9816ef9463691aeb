"""A page of the gateway takes what it asked itself, and nothing that another site makes it ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ringfence.api.pages import BODY_BYTES, FILES, Site
from ringfence.config.model import Config
from ringfence.config.pages import Pages
from tests.admin import Gateway
from tests.authenticator import SITE, Authenticator
from tests.browser import Browser, token_of

LISTEN = {
    "listen": "127.0.0.1:8444",
    "origin": "https://gw.example.com:8444",
    "rp_id": "example.com",
}
TLS = {"certificate": "a.pem", "key": "a.key"}


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    """Return a gateway with pages."""
    return Gateway(tmp_path)


def opened(gateway: Gateway) -> str:
    """Return a link."""
    return str(gateway.passkeys.enrol("owner", "laptop", "somebody")["link"])


@pytest.mark.parametrize("path", [*FILES, "/begin", "/nothing", "/static/page.css"])
def test_every_answer_is_ours_alone(gateway: Gateway, path: str) -> None:
    answer = Browser(gateway.site).send("GET", path)
    assert answer.status_code == (200 if path in FILES else 404)
    policy = answer.headers["content-security-policy"]
    for part in ("default-src 'none'", "frame-ancestors 'none'", "script-src 'self'"):
        assert part in policy
    assert "unsafe" not in policy and "http" not in policy
    for name, value in {
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "cache-control": "no-store",
        "cross-origin-opener-policy": "same-origin",
    }.items():
        assert answer.headers[name] == value


def test_the_page_asks_for_nothing_from_elsewhere(gateway: Gateway) -> None:
    for path in FILES:
        content = Browser(gateway.site).send("GET", path).text
        assert "http://" not in content and "https://" not in content, path
        for inside in ("innerHTML", "insertAdjacentHTML", "document.write", "eval(", "style="):
            assert inside not in content, (path, inside)


FOREIGN: dict[str, dict[str, Any]] = {
    "another origin": {"headers": {"Origin": "https://evil.example"}},
    "no origin that anybody knows": {"headers": {"Origin": "null"}},
    "another site": {"headers": {"Sec-Fetch-Site": "cross-site"}},
    "the same site": {"headers": {"Sec-Fetch-Site": "same-site"}},
    "a form": {"headers": {"Content-Type": "application/x-www-form-urlencoded"}},
    "plain text": {"headers": {"Content-Type": "text/plain"}},
    "a name that leads here": {"host": "evil.example:9443"},
    "another port": {"host": "localhost:9444"},
}


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN.keys())
def test_what_another_site_asks_is_refused_and_spends_no_link(
    gateway: Gateway, foreign: dict[str, Any]
) -> None:
    link, body = opened(gateway), json.dumps
    fields = {"Content-Type": "application/json"} | foreign.get("headers", {})
    content = body({"token": token_of(link)})
    more = {"headers": fields, "host": foreign.get("host")}
    answer = Browser(gateway.site).send("POST", "/begin", content=content, **more)
    assert (answer.status_code, answer.json()["code"]) == (403, "page_origin")
    assert "said" in Browser(gateway.site).perform(link, Authenticator())


def test_without_the_check_another_site_could_ask(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Site, "_check_page", lambda *_: None)
    fields = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
    content = json.dumps({"token": token_of(opened(gateway))})
    answer = Browser(gateway.site).send("POST", "/begin", content=content, headers=fields)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"token": 3}',
        b'{"token": "a", "answer": 3}',
        b'{"token": "\\ud800"}',
        b"[" * 60_000,
        b'"' + b"a" * BODY_BYTES + b'"',
        b"\xff",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_cannot_be_read_is_refused(gateway: Gateway, body: bytes) -> None:
    fields = {"Content-Type": "application/json"}
    for path in ("/begin", "/finish"):
        answer = Browser(gateway.site).send("POST", path, content=body, headers=fields)
        assert answer.status_code == 403
        assert answer.json()["code"] in ("page_request", "page_origin")


def test_what_is_larger_than_any_answer_is_not_read(gateway: Gateway) -> None:
    link, fields = opened(gateway), {"Content-Type": "application/json"}
    asked = {"token": token_of(link), "answer": {"more": "a" * BODY_BYTES}}
    answer = Browser(gateway.site).send("POST", "/begin", content=json.dumps(asked), headers=fields)
    assert (answer.status_code, str(BODY_BYTES) in answer.json()["message"]) == (403, True)
    assert "said" in Browser(gateway.site).perform(link, Authenticator())


@pytest.mark.parametrize(
    ("origin", "cookie"),
    [(SITE, "ringfence="), ("https://gw.example.com", "__Host-ringfence=")],
)
def test_a_browser_is_known_by_a_cookie_that_no_script_and_no_other_site_sees(
    gateway: Gateway, origin: str, cookie: str
) -> None:
    site = Site(gateway.passkeys, origin)
    fields = {"Origin": origin, "Content-Type": "application/json"}
    content = json.dumps({"token": token_of(opened(gateway))})
    host = origin.partition("//")[2]
    answer = Browser(site).send("POST", "/begin", content=content, headers=fields, host=host)
    said = answer.headers["set-cookie"]
    assert said.startswith(cookie)
    assert all(part in said for part in ("HttpOnly", "SameSite=Strict", "Path=/"))
    assert ("Secure" in said) == origin.startswith("https")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({}, None),
        ({"rp_id": "gw.example.com"}, None),
        ({"origin": "http://localhost:8444", "rp_id": "localhost"}, None),
        ({"listen": "10.0.0.5:8444", "tls": TLS}, None),
        ({"rp_id": "ample.com"}, "rp_id"),
        ({"rp_id": "com"}, "rp_id"),
        ({"rp_id": "evil.example"}, "rp_id"),
        ({"origin": "http://gw.example.com:8444"}, "origin"),
        ({"origin": "https://gw.example.com:8444/"}, "origin"),
        ({"origin": "https://GW.example.com:8444"}, "origin"),
        ({"origin": "https://gw.example.com:443"}, "origin"),
        ({"origin": "https://127.0.0.1:8444", "rp_id": "127.0.0.1"}, "origin"),
        ({"origin": "http://localhost:8444", "rp_id": "localhost", "tls": TLS}, "origin"),
        ({"listen": "10.0.0.5:8444"}, "listen"),
        ({"listen": "localhost:8444"}, "listen"),
        ({"listen": "127.0.0.1:0"}, "listen"),
        ({"more": 1}, "more"),
    ],
    ids=str,
)
def test_pages_are_where_a_browser_takes_passkeys(change: dict[str, Any], what: str | None) -> None:
    from pydantic import ValidationError

    said = LISTEN | change
    if what is None:
        assert Pages.model_validate(said).rp_id
        return
    with pytest.raises(ValidationError) as refusal:
        Pages.model_validate(said)
    [error] = refusal.value.errors()
    field = error["loc"][0] if error["loc"] else error["ctx"]["field"]
    assert field == what


def test_pages_are_off_unless_they_are_named() -> None:
    assert Config.model_fields["admin"].default.pages is None
