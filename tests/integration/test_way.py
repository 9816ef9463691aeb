"""An operator elsewhere reaches the admin API through the gateway, with every control before it."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.stage import ringfence, running
from ringfence.api.reach import reach
from ringfence.client import RingfenceKey
from ringfence.client.httpx import RingfenceAuth
from ringfence.engine import LedgerReader
from tests import forked
from tests.attested import attestation

NEVER = "http://127.0.0.1:9"
LISTENER = """listeners:
  - name: admin
    address: "127.0.0.1:0"
    dialect: ringfence-admin
    tls: {certificate: tls/server.pem, key: tls/server.key}
"""


@dataclass(frozen=True)
class Gateway:
    """A running gateway with a listener for operators, and keys of some of them."""

    state: Path
    url: str
    keys: dict[str, RingfenceKey]

    @property
    def config(self) -> list[str]:
        return ["-c", str(self.state / "ringfence.yaml")]

    def ask(
        self, who: str | None, method: str, path: str, fields: Any = None, **more: Any
    ) -> httpx.Response:
        """Send one request, signed by `who`'s key."""
        auth = None if who is None else RingfenceAuth(self.keys[who])
        trusting = ssl.create_default_context(cafile=self.state / "tls" / "ca.pem")
        with httpx.Client(verify=trusting, auth=auth, base_url=self.url) as client:
            return client.request(method, path, json=fields, headers=more.get("headers"))

    def refusal(self, *asked: Any, **more: Any) -> tuple[int, str]:
        """Return status and code of a request that is refused."""
        answer = self.ask(*asked, **more)
        return answer.status_code, answer.json()["code"]

    def local(self, *arguments: str) -> dict[str, Any]:
        """Run a command beside the gateway."""
        return ringfence(*arguments[:2], *self.config, *arguments[2:])


def new_key(gateway: Gateway, file: Path, account: str, *more: str) -> RingfenceKey:
    made = gateway.local(
        "key", "create", "--account", account, "--allow", "127.0.0.0/8",
        "--generate-key", str(file), *more,
    )  # fmt: skip
    return RingfenceKey.read(made["key_id"], file)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    # So deep that no Unix socket in it can be named as it lies.
    folder = tmp_path_factory.mktemp("way") / ("deep" * 25)
    state = folder / "state"
    ringfence("init", "--listen", "127.0.0.1:0", "--upstream", NEVER, str(state))
    file = state / "ringfence.yaml"
    file.write_text(file.read_text().replace("listeners:\n", LISTENER, 1))
    with running(folder / "gateway.log", "serve", "-c", str(file)) as ready:
        made = Gateway(state, f"https://{ready['addresses'][0]}", {})
        for role in ("owner", "support"):
            made.local("principal", "create", role, "--kind", "operator", "--role", role)
            key = new_key(made, folder / f"{role}.pem", role, "--scope", "admin")
            made.keys[role] = key
        made.keys["trader"] = new_key(made, folder / "trader.pem", "desk", "--scope", "trade")
        yield made
    assert "Traceback" not in (folder / "gateway.log").read_text()


def decisions(gateway: Gateway, operation: str) -> list[dict[str, Any]]:
    """Return the ledger's decisions on an operation so far."""
    read = LedgerReader(gateway.state / "ledger", 0).read(100_000)
    entries = [json.loads(entry) for _, entry in read]
    return [one for one in entries if one.get("operation") == operation]


def test_an_operator_elsewhere_does_what_its_role_may(gateway: Gateway) -> None:
    assert gateway.ask("owner", "GET", "/status").json()["ledger"]["healthy"]
    made = gateway.ask("owner", "POST", "/principals", {"name": "fund", "kind": "account"})
    assert (made.status_code, made.json()["name"]) == (200, "fund")
    told = gateway.local("principal", "show", "fund")["history"][0]
    assert told["who"] == f"owner (key {gateway.keys['owner'].key_id})"
    stopped = gateway.ask(
        "support", "POST", f"/keys/{gateway.keys['trader'].key_id}/suspend", {"why": "asked to"}
    )
    assert stopped.json()["state"] == "suspended"
    gateway.ask("owner", "POST", f"/keys/{gateway.keys['trader'].key_id}/resume", {"why": ""})


def test_a_role_that_may_not_is_refused_as_at_the_socket(gateway: Gateway) -> None:
    body = {"name": "other", "kind": "account"}
    assert gateway.refusal("support", "POST", "/principals", body) == (403, "role_missing")


@pytest.mark.parametrize("path", ["/status", "/principals"])
def test_nobody_gets_in_unsigned(gateway: Gateway, path: str) -> None:
    assert gateway.refusal(None, "GET", path) == (401, "signature_missing")


def test_refusals_are_problems_whoever_refuses(gateway: Gateway) -> None:
    new = {"name": "other", "kind": "account"}
    answers = [
        (gateway.ask(None, "GET", "/status"), "urn:ringfence:refusal:signature_missing"),
        (gateway.ask("owner", "GET", "/keys/none"), "urn:ringfence:error:key_unknown"),
        (gateway.ask("support", "POST", "/principals", new), "urn:ringfence:error:role_missing"),
    ]
    for answer, kind in answers:
        assert answer.headers["content-type"] == "application/problem+json"
        told = answer.json()
        assert (told["type"], told["status"]) == (kind, answer.status_code)
        assert told["type"].endswith(f":{told['code']}") and told["title"] and told["detail"]


def test_who_watches_from_elsewhere_sees_itself(gateway: Gateway) -> None:
    seen = gateway.ask("support", "GET", "/top").json()
    assert seen["traffic"]["permitted"]["admin.read"] > 0
    assert seen["status"]["ledger"]["healthy"]


def test_what_calls_itself_attested_outside_is_not(gateway: Gateway) -> None:
    forged = {"X-Ringfence-Attestation": "e30.e30.e30"}
    code = gateway.refusal(None, "GET", "/status", headers=forged)
    assert code == (401, "signature_missing")


def test_a_trader_s_key_opens_nothing_here(gateway: Gateway) -> None:
    assert gateway.refusal("trader", "GET", "/status") == (403, "scope_missing")


def test_an_endpoint_that_is_not_offered_is_no_route(gateway: Gateway) -> None:
    for path in ("/volumes/2026-01/drop", "/seal/rewrap", "/vault", "/erase"):
        assert gateway.refusal("owner", "POST", path, {}) == (404, "route_unknown")


def test_a_signature_is_good_for_one_change_with_one_body(gateway: Gateway) -> None:
    body = b'{"name":"once","kind":"account"}'
    url = f"{gateway.url}/principals"
    signed = gateway.keys["owner"].sign("POST", url, body)
    fields = {**signed, "Content-Type": "application/json"}
    trusting = ssl.create_default_context(cafile=gateway.state / "tls" / "ca.pem")
    with httpx.Client(verify=trusting) as client:
        changed = client.post(url, content=body.replace(b"once", b"evil"), headers=fields)
        assert (changed.status_code, changed.json()["code"]) == (401, "signature_body")
        assert client.post(url, content=body, headers=fields).status_code == 200
        again = client.post(url, content=body, headers=fields)
        assert (again.status_code, again.json()["code"]) == (401, "replay_seen")


def test_a_suspended_operator_is_out_at_once_and_so_is_a_revoked_key(gateway: Gateway) -> None:
    assert gateway.ask("support", "GET", "/keys").status_code == 200
    gateway.ask("owner", "POST", "/principals/support/suspend", {"why": "lost laptop"})
    assert gateway.refusal("support", "GET", "/keys") == (401, "credential_suspended")
    gateway.ask("owner", "POST", "/principals/support/resume", {"why": "found"})
    assert gateway.ask("support", "GET", "/keys").status_code == 200
    gateway.local("key", "revoke", "--compromised", gateway.keys["support"].key_id)
    assert gateway.refusal("support", "GET", "/keys") == (401, "credential_revoked")


def test_only_an_owner_makes_keys_for_operators(gateway: Gateway, tmp_path: Path) -> None:
    gateway.local("principal", "create", "admin", "--kind", "operator", "--role", "admin")
    gateway.keys["admin"] = new_key(gateway, tmp_path / "a.pem", "admin", "--scope", "admin")
    pem = gateway.local("key", "show", gateway.keys["admin"].key_id)["public_key"]
    body = {"account": "owner", "scopes": ["admin"], "allow": ["127.0.0.0/8"]}
    body["public_key"] = pem.replace("\n", " ")
    assert gateway.refusal("admin", "POST", "/keys", body) == (403, "role_missing")
    rotated = {"overlap_us": 0, "public_key": body["public_key"]}
    path = f"/keys/{gateway.keys['owner'].key_id}/rotate"
    assert gateway.refusal("admin", "POST", path, rotated) == (403, "role_missing")
    made = gateway.ask("owner", "POST", "/keys", body)
    assert (made.status_code, made.json()["requires"]) == (200, ["native"])


def test_nobody_on_the_machine_gets_in_without_the_engine(gateway: Gateway) -> None:
    key = base64.b64decode((gateway.state / "keys" / "attestation.key").read_text())
    forged = attestation(key, "GET", "/status", b"", int(time.time()))
    way = gateway.state / "way.sock"
    assert way.stat().st_mode & 0o077 == 0
    with reach(way) as name:
        transport = httpx.HTTPTransport(uds=name)
        with httpx.Client(transport=transport, base_url="http://ringfence") as client:
            # The key that the venue may know is another one.
            for fields in ({}, {"X-Ringfence-Attestation": forged}):
                answer = client.get("/status", headers=fields)
                assert answer.status_code == 403
                assert answer.json()["code"] == "attestation_invalid"


def test_each_request_is_a_decision_in_the_ledger(gateway: Gateway) -> None:
    gateway.ask("owner", "POST", "/principals", {"name": "noted", "kind": "account"})
    last = decisions(gateway, "admin.change")[-1]
    assert last["account"] == "owner" and last["proof"] == "native"
    assert last["credential"] == gateway.keys["owner"].key_id
    assert last["path"] == "/principals"


def remote(gateway: Gateway, who: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command elsewhere: in a folder without any gateway."""
    key = gateway.keys[who]
    words = ["--gateway", gateway.url, "--key-id", key.key_id, "--ca", gateway.state / "tls/ca.pem"]
    words += ["--key-file", gateway.state.parent / f"{who}.pem", *arguments]
    return forked.run([*map(str, words)], cwd=gateway.state.parent)


def test_commands_go_elsewhere(gateway: Gateway) -> None:
    told = remote(gateway, "owner", "status", "--json")
    assert json.loads(told.stdout)["ledger"]["healthy"]
    file = gateway.state.parent / "new.pem"
    words = ["--account", "fresh", "--scope", "read", "--allow", "10.0.0.1"]
    made = remote(gateway, "owner", "key", "create", *words, "--generate-key", str(file), "--json")
    key_id = json.loads(made.stdout)["key_id"]
    assert file.is_file()
    done = remote(gateway, "owner", "key", "suspend", key_id, "--why", "tried", "--json")
    assert json.loads(done.stdout)["state"] == "suspended"
    assert gateway.local("key", "show", key_id)["state"] == "suspended"


def test_what_works_on_files_does_not_go_elsewhere(gateway: Gateway) -> None:
    for words in (["serve"], ["vault", "list"], ["ledger", "verify", "."]):
        refused = remote(gateway, "owner", *words)
        assert refused.returncode == 1 and "works on this machine's files" in refused.stderr
    refused = remote(gateway, "trader", "key", "list")
    assert refused.returncode == 1 and "[scope_missing]" in refused.stderr


def test_a_gateway_that_signs_for_a_venue_offers_it_too(tmp_path: Path) -> None:
    state = tmp_path / "state"
    ringfence("init", "--egress", "--listen", "127.0.0.1:0", "--upstream", NEVER, str(state))
    file = state / "ringfence.yaml"
    file.write_text(file.read_text().replace("listeners:\n", LISTENER, 1))
    with running(tmp_path / "gateway.log", "serve", "-c", str(file)) as ready:
        made = Gateway(state, f"https://{ready['addresses'][0]}", {})
        made.local("principal", "create", "boss", "--kind", "operator", "--role", "owner")
        made.keys["boss"] = new_key(made, tmp_path / "boss.pem", "boss", "--scope", "admin")
        # No venue key is there, and none is needed.
        assert made.ask("boss", "GET", "/vault").json() == []
        body = {"name": "fund", "kind": "organisation"}
        assert made.ask("boss", "POST", "/principals", body).json()["name"] == "fund"
        body = {"name": "desk", "kind": "account"}
        made.ask("boss", "POST", "/principals", body)
        moved = made.ask("boss", "POST", "/principals/desk/move", {"parent": "fund"})
        assert moved.json()["parent"] == "fund"
        assert made.refusal(None, "GET", "/vault") == (401, "signature_missing")
