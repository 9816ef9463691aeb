"""What is done to principals and keys holds on the running gateway when the command returns."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from typing import Any

import ccxt
import pyotp
import pytest

from demo.attack import Key
from demo.stage import Stage
from demo.trade import client
from ringfence import engine
from ringfence.api import Client, NewKey, NewPrincipal, Successor
from ringfence.errors import KeyTextError, PrincipalStateError, StepUpError
from tests import forked


@pytest.fixture(scope="module")
def admin(stage: Stage) -> Client:
    """Return the admin API, with acme, its account desk and the sub-account desk-1."""
    made = Client(stage.state / "admin.sock")
    made.create_principal(NewPrincipal("acme", "organisation"))
    made.create_principal(NewPrincipal("desk", "account", "acme"))
    made.create_principal(NewPrincipal("desk-1", "sub-account", "desk"))
    return made


def create(admin: Client, account: str) -> Key:
    """Return a new HMAC key that may read and trade."""
    made = admin.create(NewKey(account, ["read", "trade"], ["127.0.0.0/8"]))
    return Key(made["key_id"], made["secret"])


def reads(stage: Stage, key: Key) -> bool:
    """Tell whether a key is let through."""
    try:
        client(stage.gateway, stage.ca, key.key_id, key.secret).fetch_balance()
    except ccxt.ExchangeError:
        return False
    return True


def test_suspending_a_principal_stops_every_key_below_it_and_no_other(
    stage: Stage, admin: Client
) -> None:
    below = [create(admin, account) for account in ("desk", "desk-1")]
    own = create(admin, "desk-1")
    admin.step(own.key_id, "suspend", "by itself")
    assert [reads(stage, key) for key in (*below, own, stage.trader)] == [True, True, False, True]
    changed = admin.step_principal("acme", "suspend", "audit")
    assert changed["effective_us"] < 10_000
    assert [reads(stage, key) for key in (*below, own, stage.trader)] == [False] * 3 + [True]
    # Neither resuming nor describing a key brings it back, and none is made there.
    admin.step(own.key_id, "resume", "")
    admin.rescope(below[0].key_id, ["read"], "")
    assert not reads(stage, own) and not reads(stage, below[0])
    with pytest.raises(PrincipalStateError, match="acme is suspended"):
        create(admin, "desk-1")
    admin.step(own.key_id, "suspend", "by itself")
    admin.step_principal("acme", "resume", "")
    assert [reads(stage, key) for key in (*below, own)] == [True, True, False]


def test_no_read_passes_that_began_after_a_principal_s_suspension(
    stage: Stage, admin: Client
) -> None:
    key = create(admin, "desk")
    passed: list[float] = []
    over = threading.Event()

    def read() -> None:
        exchange = client(stage.gateway, stage.ca, key.key_id, key.secret)
        while not over.is_set():
            began = time.monotonic()
            try:
                exchange.fetch_balance()
            except ccxt.ExchangeError:
                continue
            passed.append(began)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    while len(passed) < 5:
        time.sleep(0.01)
    admin.step_principal("desk", "suspend", "")
    returned = time.monotonic()
    time.sleep(0.3)
    over.set()
    for reader in readers:
        reader.join()
    admin.step_principal("desk", "resume", "")
    assert passed and max(passed) <= returned


def test_both_keys_are_good_for_the_overlap_and_then_the_new_one(
    stage: Stage, admin: Client
) -> None:
    old = create(admin, "bob")
    made = admin.rotate(old.key_id, Successor(overlap_us=3_000_000, why="yearly"))
    new = Key(made["key_id"], made["secret"])
    assert (made["predecessor"], made["generation"]) == (old.key_id, 2)
    assert new.secret != old.secret
    assert reads(stage, old) and reads(stage, new)
    time.sleep(max(0.0, made["predecessor_expires_us"] / 1e6 - time.time()) + 0.1)
    assert [reads(stage, old), reads(stage, new)] == [False, True]


def test_scopes_shrink_at_once(stage: Stage, admin: Client) -> None:
    key = create(admin, "bob")
    exchange = client(stage.gateway, stage.ca, key.key_id, key.secret)
    order = ("BTC/USDT", "limit", "buy", 0.01, 20_000)
    exchange.create_order(*order)
    admin.rescope(key.key_id, ["read"], "")
    with pytest.raises(ccxt.ExchangeError):
        exchange.create_order(*order)
    assert reads(stage, key)


def test_an_end_comes_sooner_at_once(admin: Client, stage: Stage) -> None:
    key = create(admin, "bob")
    now_us = time.time_ns() // 1_000
    admin.expire(key.key_id, now_us + 2_000_000, "")
    with pytest.raises(KeyTextError, match="would have expired"):
        admin.expire(key.key_id, now_us, "")
    time.sleep(max(0.0, (now_us + 2_000_000) / 1e6 - time.time()) + 0.1)
    assert not reads(stage, key)


def test_every_step_is_in_the_ledger_with_who_and_why(stage: Stage, admin: Client) -> None:
    key = create(admin, "bob")
    for asked in ("suspend", "resume", "compromise", "destroy"):
        admin.step(key.key_id, asked, f"to {asked}")
    told = [change["state"] for change in admin.one(key.key_id)["history"]]
    assert told == ["active", "suspended", "active", "compromised", "destroyed"]
    assert not reads(stage, key)


def mfa(stage: Stage, *words: str, code: str = "") -> Any:
    """Run `ringfence mfa` as an operator would, a code typed in; return what it answers."""
    config = str(stage.state / "ringfence.yaml")
    done = forked.run(["mfa", *words, "-c", config, "--json"], typed=code + "\n")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def enrol(stage: Stage) -> pyotp.TOTP:
    """Enrol an app: the secret comes out, its code goes in."""
    words = [sys.executable, "-m", "ringfence", "mfa", "totp", "--json", "-c"]
    with subprocess.Popen(
        [*words, str(stage.state / "ringfence.yaml")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdin and running.stdout
        app = pyotp.TOTP(json.loads(running.stdout.readline())["secret"])
        print(app.now(), file=running.stdin, flush=True)
        assert json.loads(running.stdout.readline())["totp"]
    assert running.returncode == 0
    return app


def test_once_a_factor_is_enrolled_more_needs_a_step_up(stage: Stage, admin: Client) -> None:
    key, lasting = create(admin, "bob"), create(admin, "bob")
    admin.rescope(key.key_id, ["read"], "")
    admin.expire(lasting.key_id, time.time_ns() // 1_000 + 60_000_000, "")
    enrol(stage)
    codes = mfa(stage, "recovery")
    # The enrolment was a step-up; without the app nothing but a new one is left.
    mfa(stage, "remove", "totp")
    for more in (
        lambda: create(admin, "bob"),
        lambda: admin.rescope(key.key_id, ["read", "trade"], ""),
        lambda: admin.expire(lasting.key_id, time.time_ns() // 1_000 + 120_000_000, ""),
        lambda: admin.rotate(key.key_id, Successor(overlap_us=0)),
    ):
        with pytest.raises(StepUpError) as refused:
            more()
        assert refused.value.strengths == ("totp", "passkey") and refused.value.max_age_s in (
            300,
            900,
        )
    admin.step(key.key_id, "deactivate", "taking away needs none")
    enrol(stage)
    admin.expire(lasting.key_id, time.time_ns() // 1_000 + 120_000_000, "")
    assert reads(stage, create(admin, "bob"))
    assert mfa(stage, "step-up", "--recovery", code=codes[0])["step_up"]["by"] == "recovery"
    with pytest.raises(StepUpError):
        create(admin, "bob")
    entries = engine.LedgerReader(stage.state / "ledger", 0).read(100_000)
    told = [json.loads(content).get("event", "") for _, content in entries]
    assert [name for name in told if name.startswith(("factor.", "step_up."))] == [
        "factor.enrolled",
        "factor.enrolled",
        "factor.removed",
        "factor.enrolled",
        "step_up.proved",
    ]
