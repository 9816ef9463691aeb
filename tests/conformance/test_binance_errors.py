"""Each refusal makes ccxt raise its own right exception, and none reads as a ban."""

from __future__ import annotations

import json
import re
from typing import Any

import ccxt
import pytest

from ringfence.config.load import shipped_dialects
from ringfence.config.text import read_document
from ringfence.engine import refusal_codes

ERRORS: dict[str, Any] = read_document(shipped_dialects()["binance"]).value["errors"]
HINTS = {code.code: code.hint for code in refusal_codes()}

RAISES = {
    "AuthenticationError": """credential_missing credential_unknown credential_not_active
        credential_suspended credential_revoked credential_expired credential_session_ended
        shard_isolated
        credential_certificate credential_native signature_missing signature_algorithm
        signature_malformed signature_invalid signature_field signature_coverage
        signature_parameter signature_digest signature_body signature_twofold
        signature_authority credential_unbound token_unknown signature_nonce""",
    "InvalidNonce": """time_missing time_malformed time_stale time_ahead window_too_large
        replay_seen""",
    "PermissionDenied": """address_not_allowed scope_missing policy_forbids step_up_required
        funds_rule_missing address_locked funds_max""",
    "DDoSProtection": "connections_exhausted edge_rate banned budget_exceeded venue_limited",
    "RateLimitExceeded": "budget_exceeded.orders",
    "InvalidOrder": """number_inexact number_inexact.quantity number_inexact.quoteOrderQty
        number_inexact.icebergQty price_invalid price_tick price_band quantity_invalid quantity_lot
        quantity_min quantity_max quantity_unbounded notional_min notional_max
        sequence_illegal""",
    "BadSymbol": "instrument_unknown",
    "OrderNotFound": "order_unknown",
    "BadRequest": """http_malformed http_header_too_large http_body_too_large http_timeout
        http_flood http_method_unknown http_target_invalid http_framing_ambiguous
        http_upgrade_unsupported route_unknown route_retired form_malformed form_duplicate
        form_parameter_unknown form_parameter_missing form_parameter_invalid form_batch_too_long
        order_side_invalid order_type_unknown order_field_missing
        number_inexact.amount quantity_invalid.amount""",
    # Nothing was sent, or it was a read: trying again is right.
    # And never that the client's own key is bad, where it is the gateway's that is.
    "OperationFailed": """internal venue_unreachable venue_timeout venue_malformed venue_key_missing
        venue_key_refused""",
    # -1008, Binance's word for "not executed, try later": ccxt knows it on Binance's own host only.
    "ExchangeError": """edge_full budget_full replay_full ledger_unavailable store_stale draining
        shard_draining cluster_unavailable overloaded""",
    # What became of an order is not known: ccxt says so, and does not send it again by itself.
    "RequestTimeout": "venue_outcome_unknown",
}
EXPECTED = {code: raised for raised, codes in RAISES.items() for code in codes.split()}
URLS = ["https://gateway/api/v3/order", "https://gateway/sapi/v1/capital/config/getall"]


def body(name: str) -> str:
    """Return what a refusal called `name` is answered with."""
    answer = ERRORS["by_code"][name]
    hint = HINTS[name.partition(".")[0]]
    message = answer["message"].replace("{hint}", hint).replace("{field}", "quantity")
    text: str = ERRORS["body"]
    return text.replace("{code}", str(answer["code"])).replace("{message}", json.dumps(message))


def raised(name: str, url: str, *, authenticated: bool) -> str:
    exchange = ccxt.binance({"apiKey": "k", "secret": "s"})
    exchange.options["hasAlreadyAuthenticatedSuccessfully"] = authenticated
    text, status = body(name), ERRORS["by_code"][name]["status"]
    with pytest.raises(ccxt.BaseError) as error:
        # In this order `fetch` calls them.
        exchange.handle_errors(status, "", url, "POST", {}, text, json.loads(text), {}, "")
        exchange.handle_http_status_code(status, "", url, "POST", text)
    return type(error.value).__name__


def test_every_code_is_answered() -> None:
    assert set(EXPECTED) == set(ERRORS["by_code"])


@pytest.mark.parametrize("name", ERRORS["by_code"])
def test_ccxt_raises_the_right_exception_on_every_route(name: str) -> None:
    seen = {raised(name, url, authenticated=known) for url in URLS for known in (False, True)}
    assert seen == {EXPECTED[name]}


@pytest.mark.parametrize("name", ERRORS["by_code"])
def test_nothing_but_a_ban_reads_as_one(name: str) -> None:
    answer = ERRORS["by_code"][name]
    assert (answer["status"] == 418) == (name == "banned")
    # ccxt takes -2015 for overload once it has authenticated.
    assert answer["code"] != -2015
    reads_so = re.search(r"\bban", body(name).lower().replace("the band", ""))
    assert (reads_so is not None) == (name == "banned")
    assert HINTS[name.partition(".")[0]] in body(name)
