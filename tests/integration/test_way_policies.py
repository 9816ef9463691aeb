"""An operator elsewhere whom policies want a step-up from is told which, and may then give it."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pyotp

from demo.stage import ringfence, running
from ringfence.api import Client
from ringfence.config.folder import Folder
from ringfence.identity import Store
from ringfence.identity.factor import Factors
from ringfence.identity.opened import open_master
from tests.integration.test_way import LISTENER, NEVER, Gateway, new_key, remote

POLICIES = """
permit (principal is Operator, action in [Action::"admin.read", Action::"admin.prove"], resource);
permit (principal is Operator, action == Action::"admin.change", resource)
when { context has stepUp && context.stepUp.strength == "totp" && context.stepUp.age < 300 };
permit (principal is Operator, action == Action::"key.create", resource)
when { context has stepUp && context.stepUp.strength == "passkey" && context.stepUp.age < 60 };
"""
PREFIX = 'Ringfence error="insufficient_user_authentication"'


def challenge(answer: httpx.Response) -> str | None:
    """Return what a refused request is told would do; None: it is not refused."""
    if answer.status_code == 200:
        return None
    assert (answer.status_code, answer.json()["code"]) == (401, "step_up_required"), answer.text
    return answer.headers["www-authenticate"].removeprefix(f"{PREFIX}, ")


def aged(state: Path, operator: str, seconds: int) -> None:
    """Let an operator's last step-up lie back by so long; no gateway runs."""
    folder = Folder(state)
    factors = Factors(Store(folder.store).database, open_master(folder))
    factors.keep_step_up(operator, "totp", time.time_ns() // 1_000 - seconds * 1_000_000)


def test_what_would_do_is_told_through_the_pipeline_and_does(tmp_path: Path) -> None:
    state = tmp_path / "state"
    ringfence("init", "--listen", "127.0.0.1:0", "--upstream", NEVER, str(state))
    file = state / "ringfence.yaml"
    text = file.read_text().replace("listeners:\n", LISTENER, 1)
    file.write_text(f"{text}\npolicy: {{path: a.cedar}}\n")
    permissive = POLICIES + "permit (principal, action, resource);"
    (state / "a.cedar").write_text(permissive)
    serve = ("serve", "-c", str(file))
    with running(tmp_path / "log", *serve):
        here = Gateway(state, "", {})
        root = Client(state / "admin.sock").principals()[0]["name"]
        mine = new_key(here, tmp_path / f"{root}.pem", root, "--scope", "admin")
        admin = Client(state / "admin.sock")
        app = pyotp.TOTP(admin.begin_totp()["secret"])
        admin.confirm_totp(app.at(int(time.time()) - 30))
    (state / "a.cedar").write_text(POLICIES)
    aged(state, root, 301)

    def change(gateway: Gateway, name: str) -> str | None:
        body = {"name": name, "kind": "account"}
        return challenge(gateway.ask(root, "POST", "/principals", body))

    with running(tmp_path / "log", *serve) as ready:
        gateway = Gateway(state, f"https://{ready['addresses'][0]}", {root: mine})
        wanted = 'acr_values="totp", max_age=299'
        assert change(gateway, "fund") == wanted
        told = remote(gateway, root, "principal", "create", "fund")
        assert "[step_up_required]" in told.stderr and "totp, no older than 299 s" in told.stderr
        proof = {"kind": "totp", "code": app.now()}
        assert challenge(gateway.ask(root, "POST", "/mfa/step-up", proof)) is None
        assert change(gateway, "fund") is None
        # What the admin API itself asks the policies is told the same way.
        key = {"account": "fund", "scopes": ["read"], "allow": ["10.0.0.1"]}
        refused = challenge(gateway.ask(root, "POST", "/keys", key))
        assert refused == 'acr_values="passkey", max_age=59'
    with running(tmp_path / "log", *serve) as ready:
        # A start forgets no operator's proof.
        gateway = Gateway(state, f"https://{ready['addresses'][0]}", {root: mine})
        assert change(gateway, "fund-2") is None
