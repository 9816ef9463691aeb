"""No message waits for Python: orders are answered while nothing of it can run."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from demo.attack import Key, order_text, post, signed
from demo.stage import ringfence
from ringfence.identity import MasterKey
from ringfence.identity.credential import Credential
from ringfence.venue.server import PaperVenue, VenueConfig, read_attestation_key

HELD_US = 1_500_000
ORDERS = 20
GATEWAY = """
import ctypes, json, sys, threading, time
from pathlib import Path
from ringfence import config
from ringfence.engine import Engine

ticks = 0

def tick():
    global ticks
    while True:
        ticks += 1
        time.sleep(0.001)

asked = json.loads(sys.stdin.readline())
engine = Engine(config.load(Path(asked["config"])).snapshot())
address = engine.start(asked["credentials"])[0]
threading.Thread(target=tick, daemon=True).start()
time.sleep(0.05)
print(json.dumps({"address": address, "ticks": ticks}), flush=True)
before = ticks
# What is called by PyDLL keeps the interpreter's lock: no other thread of Python runs meanwhile.
ctypes.PyDLL(None).usleep(asked["held_us"])
print(json.dumps({"ticks": ticks - before}), flush=True)
sys.stdin.readline()
engine.stop(100)
"""


def trader() -> tuple[Key, dict[str, Any]]:
    """Return a key as its owner has it, and as the engine does."""
    master = MasterKey(secrets.token_bytes(32))
    made = Credential(
        key_id="held-key-0001",
        account="alice",
        algorithm="hmac-sha256",
        scopes=("trade",),
        allow=("127.0.0.0/8",),
        state="active",
        created_us=time.time_ns() // 1000,
    )
    secret = master.secret(made.key_id, made.generation)
    return Key(made.key_id, secret), made.for_engine(master)


def test_orders_are_answered_while_python_stands_still(tmp_path: Path) -> None:
    state, venue = tmp_path / "state", PaperVenue(VenueConfig())
    key, credential = trader()
    words = ("--profile", "binance-spot", "--plain", "--listen", "127.0.0.1:0")
    ringfence("init", *words, "--upstream", venue.url, str(state))
    venue.trust(read_attestation_key(state / "keys" / "attestation.key"))
    venue.start()
    asked = {
        "config": str(state / "ringfence.yaml"),
        "credentials": [credential],
        "held_us": HELD_US,
    }
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", GATEWAY], stdin=pipe, stdout=pipe, text=True
    ) as process:
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        started = json.loads(process.stdout.readline())
        since = time.monotonic()
        with httpx.Client(base_url=f"http://{started['address']}", trust_env=False) as http:
            for number in range(ORDERS):
                body = signed(f"newClientOrderId=held-{number}&{order_text()}", key.secret)
                assert post(http, key, body).status_code == 200
        took = time.monotonic() - since
        held = json.loads(process.stdout.readline())
        process.stdin.close()
    venue.stop()
    assert started["ticks"] > 0
    assert held["ticks"] <= 1, "Python ran meanwhile, so nothing was shown"
    assert took < HELD_US / 1e6
