"""The admin API does what its OpenAPI document says, whatever a client makes of that document."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import booleans
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from demo.stage import ringfence, running
from ringfence.identity.export import Recipient

CHECKED = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
]
GENERATED = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
NEVER = "http://127.0.0.1:9"

RECIPIENT = Recipient.of(X25519PrivateKey.generate()).line()

# Bodies that would do; `{NAMES}` stand for what is there, or all would be refused for what is not.
MAY: dict[str, Any] = {"scopes": ["read"], "allow": ["127.0.0.0/8"]}
NO_KEY = {"public_key": None, "certificate": None, "key_id": None}
BODIES: dict[str, dict[str, Any]] = {
    "POST /principals": {"name": "{fresh}", "kind": "account"}
    | dict.fromkeys(["parent", "role", "uid"]),
    "POST /principals/{name}/move": {"parent": None},
    "POST /keys": {"account": "desk", "expires_us": None, "requires": []}
    | {"require_certificates": []}
    | MAY
    | NO_KEY,
    "POST /keys/{key_id}/scopes": {"scopes": ["read"]},
    "POST /keys/{key_id}/rotate": NO_KEY,
    "POST /keys/{key_id}/expire": {"expires_us": 4_000_000_000_000_000},
    # An address that nobody in these tests comes from.
    "POST /bans": {"target": "192.0.2.1", "seconds": 60, "reach": "all"},
    "POST /bans/lift": {"target": "192.0.2.1"},
    "POST /shards/move": {"principal": "{there}", "shard": 2},
    "POST /holds": {"name": "{fresh}", "since": None, "until": None},
    "POST /vault": {"name": "{fresh}", "key_id": "at-{fresh}", "dialect": "binance"}
    | {"secret": secrets.token_urlsafe(32), "passphrase": None},
    "POST /addresses": {"account": "{there}", "asset": "BTC", "address": "{fresh}", "label": ""}
    | dict.fromkeys(["network", "tag", "max_amount"]),
    "POST /exports/shares": {"threshold": 3, "count": 5},
    "POST /exports/files": {"venue_keys": [], "shard": 7, "recipient": RECIPIENT},
    "POST /erase": {"address": "127.0.0.1", "until": None},
}
BEFORE = {
    "POST /keys/{key_id}/destroy": ["POST /keys/{key_id}/revoke"],
    "POST /principals/{name}/close": ["POST /keys/{key_id}/revoke", "POST /keys/{key_id}/destroy"],
    "POST /holds/{name}/lift": ["POST /holds"],
    "POST /vault/{name}/remove": ["POST /vault"],
}
"""What has to be done first."""
NOTHING_FOR = {
    "POST /volumes/{month}/drop",
    "POST /erase",
    "POST /policies/load",
    "POST /seal/rewrapped",
}
"""The only volume is the newest, no client was seen, there are no policies, and no seal."""
NO_FACTOR_FOR = {
    "POST /mfa/totp/confirm",
    "POST /mfa/totp/remove",
    "POST /mfa/recovery",
    "POST /mfa/step-up",
    "POST /mfa/accounts/{name}/step-up",
    "POST /mfa/{name}/reset",
    "POST /mfa/passkeys",
    "POST /mfa/passkeys/remove",
    "POST /mfa/passkeys/step-up",
    "POST /mfa/accounts/{name}/passkey",
    "GET /mfa/links/{link}",
    "POST /seal/passkeys",
    "GET /seal/passkeys/{link}",
    "POST /approvals/{name}/passkey",
    "GET /approvals/{name}",
    "POST /approvals/{name}/approve",
    "POST /approvals/{name}/reject",
    "POST /approvals/{name}/execute",
}
"""Nobody has a factor that these need, or is another operator; and the gateway has no pages."""


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Yield a client on the admin socket of a gateway that signs for a venue: every endpoint."""
    folder: Path = tmp_path_factory.mktemp("openapi")
    state = folder / "state"
    ringfence("init", "--egress", "--listen", "127.0.0.1:0", "--upstream", NEVER, str(state))
    config = state / "ringfence.yaml"
    config.write_text(config.read_text() + "\nshards: {count: 4}\n")
    with running(folder / "gateway.log", "serve", "-c", str(config)):
        transport = httpx.HTTPTransport(uds=str(state / "admin.sock"))
        with httpx.Client(transport=transport, base_url="http://ringfence") as client:
            yield client
    assert "Traceback" not in (folder / "gateway.log").read_text()


@pytest.fixture(scope="module")
def schema(admin: httpx.Client) -> Any:
    """Return the document as the gateway serves it."""
    load_all_checks()
    return schemathesis.openapi.from_dict(admin.get("/openapi.json").raise_for_status().json())


class Asking:
    """Asks one endpoint what schemathesis thinks of, half of the time about what is there."""

    numbers = count()

    def __init__(self, admin: httpx.Client, label: str) -> None:
        """Make a principal and a key for the endpoint to be about, and do what comes before."""
        self.admin, self.label, self.answered = admin, label, set[int]()
        self.there = {
            "name": f"name-{next(self.numbers)}",
            "month": "2026-11",
            "link": "00",
            "shard": "1",
        }
        self.do("POST /principals", {"name": self.there["name"]})
        made = self.do("POST /keys", {"account": self.there["name"], **MAY})
        self.there["key_id"] = made["key_id"]
        place = {"account": self.there["name"], "asset": "BTC", "address": "bc1qhome"}
        self.there["address_id"] = self.do("POST /addresses", place)["id"]
        for earlier in BEFORE.get(label, []):
            about = {"name": self.there["name"]} if "name" in BODIES.get(earlier, {}) else {}
            self.do(earlier, self.body(earlier) | about)

    def do(self, label: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask an endpoint what it has to take."""
        path = label.removeprefix("POST ").format_map(self.there)
        answer: dict[str, Any] = self.admin.post(path, json=body).raise_for_status().json()
        return answer

    def body(self, label: str) -> dict[str, Any]:
        """Return a body that an endpoint takes."""
        fresh = f"name-{next(self.numbers)}"
        body = BODIES.get(label, {}) | {"why": "tried"}
        return {
            name: value.format(fresh=fresh, there=self.there["name"])
            if isinstance(value, str)
            else value
            for name, value in body.items()
        }

    def asker(self) -> Callable[[schemathesis.Case[Any], bool], None]:
        """Return a function of its own, as `given` wants one."""

        def ask(case: schemathesis.Case[Any], real: bool) -> None:
            if real:
                case.path_parameters = {n: self.there[n] for n in case.path_parameters or {}}
                if isinstance(case.body, dict):
                    case.body |= self.body(self.label)
            sent = case.as_transport_kwargs(base_url="http://ringfence")
            answer = self.admin.request(**{k: what for k, what in sent.items() if k != "cookies"})
            self.answered.add(answer.status_code)
            checks: list[Any] = [CHECKS.get_one(name) for name in CHECKED]
            case.validate_response(answer, checks=checks)

        return ask


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_one_that_the_document_describes(
    schema: Any, admin: httpx.Client, mode: GenerationMode
) -> None:
    taken = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        # A request without a body has nothing that could be wrong.
        if mode is GenerationMode.NEGATIVE and "requestBody" not in operation.definition.raw:
            continue
        asking = Asking(admin, operation.label)
        cases = given(case=operation.as_strategy(generation_mode=mode), real=booleans())
        GENERATED(cases(asking.asker()))()
        taken |= {operation.label} if 200 in asking.answered else set()
    if mode is GenerationMode.POSITIVE:
        every = {found.ok().label for found in schema.get_all_operations()}
        assert every - taken == NOTHING_FOR | NO_FACTOR_FOR
