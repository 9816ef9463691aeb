"""Each sign of a stolen key, through a real gateway: in its ledger, and in what `status` says."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from demo.attack import Key, order_text, post, signed
from demo.stage import Stage, ringfence, set_stage
from tests import forked

HOME, NEAR, FAR = "127.1.0.1", "127.1.0.2", "127.2.0.1"
CITIES = {"127.1.0.0/16": (52.5, 13.4, "DE"), "127.2.0.0/16": (35.7, 139.7, "JP")}
PATIENCE_S = 20


def located(text: str, state: Path) -> str:
    """Have the detector know where addresses are."""
    writer = MMDBWriter(4, "GeoLite2-City")
    for network, (north, east, country) in CITIES.items():
        place = {"latitude": north, "longitude": east, "accuracy_radius": 20}
        content = {"location": place, "country": {"iso_code": country}}
        writer.insert_network(IPSet([network]), content)
    writer.to_db_file(str(state / "city.mmdb"))
    return f"{text}\nwatch: {{takeover: {{geoip: city.mmdb}}}}\n"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with set_stage(tmp_path_factory.mktemp("takeover") / "demo", settle=located) as built:
        yield built


def order(
    stage: Stage, key: Key, source: str, secret: str | None = None, *, h2: bool = False
) -> int:
    """Place an order from the address `source`; return the answer's status."""
    tls = ssl.create_default_context(cafile=str(stage.ca))
    transport = httpx.HTTPTransport(verify=tls, local_address=source, http2=h2)
    with httpx.Client(base_url=stage.gateway, transport=transport) as http:
        return post(http, key, signed(order_text(), secret or key.secret)).status_code


def signs(stage: Stage, credential: str, wanted: str) -> list[str]:
    """Return what was found of a key, as a question to the ledger tells it, once `wanted` is."""
    question = (
        "SELECT event, json_extract_string(detail, '$.credential') AS credential "
        "FROM entries WHERE event LIKE 'takeover.%' ORDER BY \"index\""
    )
    until = time.monotonic() + PATIENCE_S
    while True:
        rows = asked(stage, question)
        found = [row["event"].removeprefix("takeover.") for row in rows]
        mine = [s for s, row in zip(found, rows, strict=True) if row["credential"] == credential]
        if wanted in mine:
            return mine
        assert time.monotonic() < until, mine
        time.sleep(0.1)


def asked(stage: Stage, question: str) -> list[dict[str, Any]]:
    """Ask the ledger, as people do."""
    done = forked.run(["ledger", "query", str(stage.state), question, "--json"])
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def said(stage: Stage) -> str:
    """Return what `ringfence status` warns of."""
    done = forked.run(["status", "-c", str(stage.state / "ringfence.yaml")])
    return " ".join(done.stderr.split())


def test_each_sign_is_told_with_what_to_do(stage: Stage) -> None:
    key = stage.trader
    assert said(stage) == ""
    assert order(stage, key, HOME) == 200
    assert order(stage, key, HOME, h2=True) == 200
    assert signs(stage, key.key_id, "client_new") == ["client_new"]
    assert order(stage, key, NEAR) == 200
    assert signs(stage, key.key_id, "address_new") == ["client_new", "address_new"]
    assert order(stage, key, FAR) == 200
    found = signs(stage, key.key_id, "network_new")
    assert set(found[2:]) == {"travel_impossible", "address_new", "network_new"}
    for _ in range(10):
        assert order(stage, key, HOME, "not-the-secret") == 400
    assert signs(stage, key.key_id, "signatures_failed")[-1] == "signatures_failed"
    warned = said(stage)
    assert "signatures_failed" in warned and f"`ringfence key suspend {key.key_id}`" in warned
    assert "travel_impossible 1" in warned


def test_a_right_signature_from_a_forbidden_address_is_a_sign(stage: Stage) -> None:
    assert order(stage, stage.elsewhere, HOME) == 403
    assert signs(stage, stage.elsewhere.key_id, "address_refused") == ["address_refused"]
    assert (
        ringfence("status", "-c", str(stage.state / "ringfence.yaml"))["watch"]["last"]["sign"]
        == "takeover.address_refused"
    )
