"""Passkeys in a real browser: what a page asks for is what Chromium does, and what is done then."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ringfence.api.hosting import hosted
from ringfence.api.seal_page import SealPage
from ringfence.config.model import Approval
from ringfence.identity.seal.passkey import Way, new_way
from tests import chromium
from tests.admin import ADMIN, OWNER, SECURITY, Gateway
from tests.chromium import Browser

RULE = Approval(need=1, roles=("security",), scopes=("withdraw",))
KEY: dict[str, Any] = {"account": "desk", "scopes": ["read"], "allow": ["10.0.0.1"]}
WIDE = KEY | {"scopes": ["withdraw"], "why": "payouts <b>\u202e now"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield one Chromium for all of them."""
    if (why := chromium.missing()) is not None:
        pytest.skip(why)
    with chromium.browsing() as found:
        yield found


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """Yield a gateway whose pages can be reached."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    origin = f"http://localhost:{port}"
    made = Gateway(tmp_path, rules={"key.create": RULE}, origin=origin)
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", port)))
        stack.enter_context(hosted(made.site, listener, "the pages"))
        yield made


def link(gateway: Gateway, path: str, body: Any = None, uid: int = OWNER) -> str:
    """Return the link that a command opens."""
    opened: str = gateway.post(path, body, uid).json()["link"]
    return opened


def test_a_passkey_is_made_and_used_in_a_browser(browser: Browser, gateway: Gateway) -> None:
    with browser.tab() as tab:
        tab.open(link(gateway, "/mfa/passkeys", {"label": "laptop"}))
        assert tab.text("title") == "Enrol a passkey" and "laptop" in tab.text("facts")
        assert tab.press() == "The passkey laptop of owner is in force."
        [shown] = gateway.get("/mfa")["passkeys"]
        assert shown["unlocks"]
        gateway.aged(1_000, "passkey")
        assert gateway.post("/keys", KEY).status_code == 401
        again = link(gateway, "/mfa/passkeys/step-up")
        tab.open(again)
        assert "has stepped up by passkey" in tab.press()
        assert gateway.post("/keys", KEY).status_code == 200
        tab.open(again)
        assert "was used" in tab.text("problem")


def test_an_approval_is_read_and_signed_in_a_browser(browser: Browser, gateway: Gateway) -> None:
    with browser.tab() as owner, browser.tab() as tab:
        owner.open(link(gateway, "/mfa/passkeys", {"label": "laptop"}))
        assert "in force" in owner.press()
        assert gateway.post("/mfa/security/reset").status_code == 200
        tab.open(link(gateway, "/mfa/passkeys", {"label": "blue"}, SECURITY))
        assert "in force" in tab.press()
        gateway.aged(10, "passkey", "admin")
        assert gateway.post("/keys", WIDE, ADMIN).json()["code"] == "approval_required"
        [asked] = gateway.get("/approvals")
        tab.open(link(gateway, f"/approvals/{asked['id']}/passkey", uid=SECURITY))
        shown = tab.text("facts")
        assert "withdraw" in shown and "10.0.0.1" in shown and "desk" in shown
        # Nothing in it is markup, and nothing turns the writing round.
        assert "payouts <b>\\u{202e} now" in shown
        assert tab.value("document.querySelectorAll('#facts b').length") == 0
        # Another's passkey is not even offered by the browser.
        owner.open(link(gateway, f"/approvals/{asked['id']}/passkey", uid=SECURITY))
        assert "no passkey was used" in owner.press().lower()
        assert tab.press() == f"The request {asked['id']} is approved."
        assert gateway.get("/approvals")[0]["standing"] == "approved"


def test_who_cannot_verify_themself_is_told(browser: Browser, gateway: Gateway) -> None:
    with browser.tab(isUserVerified=False) as tab:
        tab.open(link(gateway, "/mfa/passkeys", {"label": "laptop"}))
        assert "needs your fingerprint, face or PIN" in tab.press()
        assert gateway.get("/mfa")["passkeys"] == []


def test_an_authenticator_without_a_prf_is_enrolled_and_known_as_one(
    browser: Browser, gateway: Gateway
) -> None:
    with browser.tab(hasPrf=False) as tab:
        tab.open(link(gateway, "/mfa/passkeys", {"label": "old"}))
        assert "in force" in tab.press()
        assert [one["unlocks"] for one in gateway.get("/mfa")["passkeys"]] == [False]


def test_a_page_that_needs_a_prf_says_so_and_sends_nothing(
    browser: Browser, gateway: Gateway
) -> None:
    with browser.tab(hasPrf=False) as tab:
        tab.open(link(gateway, "/mfa/passkeys", {"label": "old"}))
        tab.press()
        [kept] = gateway.keys.factors.passkeys.of("owner")
        taken: list[bytearray] = []

        def take(_way: Way, released: bytearray) -> str:
            taken.append(released)
            return "open"

        gateway.site._ceremonies = page = SealPage(
            gateway.party, "seal.open", "owner", "gw1", [new_way(kept, "localhost")], take
        )
        tab.open(page.opened["link"])
        said = tab.press()
        assert "has no PRF" in said and "--unlock-recovery" in said
        assert taken == [] and not page.wait(0)


def test_no_site_can_embed_the_page(browser: Browser, gateway: Gateway) -> None:
    with browser.tab() as tab:
        opened = link(gateway, "/mfa/passkeys", {"label": "laptop"})
        tab.do("Page.navigate", url="data:text/html,<iframe></iframe>")
        tab.until("document.querySelector('iframe')")
        tab.value(f"document.querySelector('iframe').src = {opened!r}")
        tab.value("new Promise((done) => { document.querySelector('iframe').onload = done; })")
        # What was not embedded has not opened the link: it is still good.
        tab.open(opened)
        assert tab.text("title") == "Enrol a passkey"
