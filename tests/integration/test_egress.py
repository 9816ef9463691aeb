"""Unmodified clients with worthless keys trade at a venue that verifies the real signature."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ccxt
import pytest
from binance.client import Client

from demo.stage import key, ringfence, running
from demo.trade import SYMBOL, client, trade
from ringfence.engine import read_ledger
from tests import forked
from tests.integration.websocket import connect

VENUE_SECRET = secrets.token_urlsafe(48)
VENUE_KEY = "venue-key-1"
HOME = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
FAR_BELOW = 20_000


@dataclass(frozen=True, slots=True)
class Firm:
    """Where the firm's gateway is, and what its bots and its operator have."""

    gateway: str
    venue: str
    folder: Path
    state: Path
    bot: Any
    other: Any
    stranger: Any

    def client(self, key: Any) -> Any:
        return client(self.gateway, self.state / "tls" / "ca.pem", key.key_id, key.secret)

    @property
    def config(self) -> str:
        return str(self.state / "ringfence.yaml")


def put(config: str, secret: str, *more: str) -> dict[str, Any]:
    """Put the venue key as an operator's script does: the secret on standard input."""
    command = ["vault", "put", "main", "--dialect", "binance"]
    command += ["--key-id", VENUE_KEY, "-c", config, "--json", *more]
    done = forked.run(command, typed=secret)
    assert done.returncode == 0, done.stderr
    assert secret not in done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firm]:
    folder = tmp_path_factory.mktemp("firm")
    state, own = folder / "state", folder / "venue-keys.json"
    own.write_text(
        json.dumps([{"key_id": VENUE_KEY, "account": "the firm", "secret": VENUE_SECRET}])
    )
    with running(
        folder / "venue.log", "venue", "serve", "--listen", "127.0.0.1:0", "--keys", str(own)
    ) as venue:
        ringfence(
            "init", "--egress", "--listen", "127.0.0.1:0",
            "--upstream", venue["url"], str(state),
        )  # fmt: skip
        config = state / "ringfence.yaml"
        text = config.read_text().replace("    desk: main", "    desk: main\n    lab: main")
        config.write_text(text + "\nwithdrawals: {lock_s: 0}\n")
        scopes = ["read", "trade", "withdraw"]
        accounts = {"bot": "desk", "other": "lab", "stranger": "nobody"}
        keys = {name: key(state, who, scopes, "127.0.0.0/8") for name, who in accounts.items()}
        put(str(config), VENUE_SECRET, "--why", "first key")
        ringfence(
            "address", "add", "-c", str(config), "--account", "desk", "--asset", "BTC",
            "--network", "BTC", "--address", HOME, "--max", "0.5", "--why", "home",
        )  # fmt: skip
        with running(folder / "gateway.log", "serve", "-c", str(config)) as gateway:
            url = f"https://{gateway['addresses'][0]}"
            yield Firm(url, venue["url"], folder, state, **keys)


def test_ccxt_trades_with_a_worthless_key(firm: Firm) -> None:
    assert [line for line in trade(firm.client(firm.bot)) if not line.right] == []


def test_the_worthless_key_is_worth_nothing_at_the_venue(firm: Firm) -> None:
    direct = client(firm.venue, firm.state / "tls" / "ca.pem", firm.bot.key_id, firm.bot.secret)
    with pytest.raises(ccxt.ExchangeError, match="Invalid Api-Key ID"):
        direct.fetch_balance()


def test_python_binance_trades_and_sees_the_firm_s_account(firm: Firm) -> None:
    verify = {"verify": str(firm.state / "tls" / "ca.pem")}
    binance = Client(firm.other.key_id, firm.other.secret, ping=False, requests_params=verify)
    binance.API_URL = f"{firm.gateway}/api"
    placed = binance.order_limit_buy(symbol="BTCUSDT", quantity="0.01", price=str(FAR_BELOW))
    # Two bots of two accounts act for the firm, which is one account at the venue.
    seen = firm.client(firm.bot).fetch_open_orders(SYMBOL)
    assert str(placed["orderId"]) in {order["id"] for order in seen}
    gone = binance.cancel_order(symbol="BTCUSDT", orderId=placed["orderId"])
    assert gone["status"] == "CANCELED"


def test_market_streams_go_through(firm: Firm) -> None:
    trusting = ssl.create_default_context(cafile=str(firm.state / "tls" / "ca.pem"))
    url = f"{firm.gateway.replace('https', 'wss')}/ws/btcusdt@depth5"
    with connect(url, ssl=trusting) as opened:
        assert json.loads(opened.recv(timeout=5))["bids"]


def over_websocket(firm: Firm, bot: Any) -> dict[str, Any]:
    """Place an order on the trading channel, signed by the bot's own key, and return the answer."""
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    order |= {"price": "20000.00", "quantity": "0.01", "apiKey": bot.key_id}
    every = {**order, "timestamp": str(time.time_ns() // 1_000_000)}
    text = "&".join(f"{name}={value}" for name, value in sorted(every.items()))
    every["signature"] = hmac.new(bot.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    trusting = ssl.create_default_context(cafile=str(firm.state / "tls" / "ca.pem"))
    with connect(f"{firm.gateway.replace('https', 'wss')}/ws-api/v3", ssl=trusting) as opened:
        opened.send(json.dumps({"id": 1, "method": "order.place", "params": every}))
        answer: dict[str, Any] = json.loads(opened.recv(timeout=5))
    return answer


def test_orders_on_a_trading_channel_are_signed_for_the_venue_too(firm: Firm) -> None:
    placed = over_websocket(firm, firm.bot)
    assert (placed["status"], placed["result"]["status"]) == (200, "NEW"), placed
    refused = over_websocket(firm, firm.stranger)
    assert "No venue key is there" in refused["error"]["msg"]


def test_an_account_without_a_venue_key_does_nothing_there(firm: Firm) -> None:
    stranger = firm.client(firm.stranger)
    with pytest.raises(ccxt.OperationFailed, match="No venue key is there"):
        stranger.fetch_balance()


def test_funds_go_home_and_nowhere_else(firm: Firm) -> None:
    bot = firm.client(firm.bot)
    bot.load_markets()
    with pytest.raises(ccxt.PermissionDenied, match="No rule lets"):
        bot.withdraw("BTC", 0.1, "bc1qthief000000000000000000000000000000000")
    with pytest.raises(ccxt.PermissionDenied, match="No rule lets"):
        bot.withdraw("BTC", 0.1, HOME)  # it names no network
    with pytest.raises(ccxt.PermissionDenied, match="above what the rule"):
        bot.withdraw("BTC", 0.6, HOME, params={"network": "BTC"})
    assert bot.withdraw("BTC", 0.1, HOME, params={"network": "BTC"})["id"]
    other = firm.client(firm.other)
    other.load_markets()
    with pytest.raises(ccxt.PermissionDenied, match="No rule lets"):
        other.withdraw("BTC", 0.1, HOME, params={"network": "BTC"})


def test_a_venue_key_that_is_refused_is_not_blamed_on_the_bot(firm: Firm) -> None:
    bot = firm.client(firm.bot)
    bot.load_markets()
    assert put(firm.config, "x" * 64, "--why", "a slip")["in_force"]
    with pytest.raises(ccxt.BaseError) as refused:
        bot.create_order(SYMBOL, "limit", "buy", 0.01, FAR_BELOW)
    assert not isinstance(refused.value, ccxt.AuthenticationError)
    assert "refused the gateway's own key, not yours" in str(refused.value)
    status = ringfence("status", "-c", firm.config)
    assert status["venue"]["keys"]["main"]["refused"]
    # Put right while it runs, and in force at once.
    assert put(firm.config, VENUE_SECRET)["in_force"]
    assert bot.create_order(SYMBOL, "market", "buy", 0.01)["status"] == "closed"


def test_a_removed_venue_key_signs_nothing(firm: Firm) -> None:
    bot = firm.client(firm.bot)
    bot.load_markets()
    ringfence("vault", "remove", "main", "-c", firm.config, "--why", "rotation")
    with pytest.raises(ccxt.OperationFailed, match="No venue key is there"):
        bot.create_order(SYMBOL, "limit", "buy", 0.01, FAR_BELOW)
    put(firm.config, VENUE_SECRET)
    assert bot.create_order(SYMBOL, "market", "buy", 0.01)["status"] == "closed"


def entries(state: Path, wanted: str) -> list[dict[str, Any]]:
    """Return the ledger's events of one kind, once there are any."""
    for _ in range(200):
        found = [json.loads(entry) for _, entry in read_ledger(state / "ledger", 0, 100_000)]
        if events := [one for one in found if one.get("event") == wanted]:
            return events
        time.sleep(0.02)
    raise AssertionError(f"the ledger has no {wanted}")


def test_the_ledger_tells_who_changed_which_key_and_why(firm: Firm) -> None:
    first = entries(firm.state, "vault.put")[0]["detail"]
    assert (first["key"], first["key_id"], first["why"]) == ("main", VENUE_KEY, "first key")
    assert "uid" in first["who"]
    assert entries(firm.state, "vault.removed")[0]["detail"]["why"] == "rotation"
    assert entries(firm.state, "venue.key_refused")[0]["detail"]["code"] == "-1022"


def test_the_secret_is_nowhere_to_be_read(firm: Firm) -> None:
    listed: Any = ringfence("vault", "list", "-c", firm.config)
    assert [one["key_id"] for one in listed] == [VENUE_KEY]
    assert VENUE_SECRET not in json.dumps(listed)
    files = [file for file in firm.folder.rglob("*") if file.is_file()]
    looked = [file for file in files if file.name != "venue-keys.json"]
    assert {"venues.sealed", "ringfence.db", "gateway.log"} <= {file.name for file in looked}
    for file in looked:
        assert VENUE_SECRET.encode() not in file.read_bytes(), file


def test_a_damaged_vault_stops_the_start_and_stays_as_it_is(firm: Firm) -> None:
    # A state folder of its own: the firm's is in use.
    other = firm.folder / "other"
    ringfence("init", "--egress", "--upstream", firm.venue, str(other))
    config, sealed = str(other / "ringfence.yaml"), other / "keys" / "venues.sealed"
    put(config, VENUE_SECRET)
    damaged = bytearray(sealed.read_bytes())
    damaged[-8] ^= 1
    sealed.write_bytes(damaged)
    for command in (["serve"], ["vault", "list"], ["vault", "remove", "main"]):
        done = forked.run([*command, "-c", config])
        assert done.returncode == 1
        assert "damaged, or sealed by another master key [vault_failed]" in done.stderr
    assert sealed.read_bytes() == damaged
