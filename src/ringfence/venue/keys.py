"""API keys that the paper venue holds itself: it verifies what they signed, as a real one does.

Written from the venues' documentation, without the gateway's engine, so that it proves what the
gateway signs. It remembers no signatures, but Kraken's nonces: venues do likewise.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from starlette.requests import Request
from starlette.websockets import WebSocket

from ringfence.venue.exchange import VenueRefusal

__all__ = [
    "LISTEN_KEY",
    "VERIFIED",
    "KeyBook",
    "VenueKey",
    "binance_frame",
    "bybit_frame",
    "deribit_frame",
    "okx_frame",
    "read_keys",
]

WINDOW_MS = 5_000
WINDOW_MAX_MS = 60_000
AHEAD_MS = 1_000
OKX_WINDOW_MS = 30_000
COINBASE_S = 120
"""How long a token is good."""
LISTEN_KEY = "/fapi/v1/listenKey"
"""Where Binance's futures want the key alone: no signature, and no parameter."""

Public = Ed25519PublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class VenueKey:
    """One API key: whose it is, and the HMAC secret or public key that verifies it."""

    key_id: str
    account: str
    check: str | Public = field(repr=False)
    passphrase: str | None = field(default=None, repr=False)

    def verifies(self, payload: bytes, signature: str, *, base: int = 16) -> bool:
        """Tell whether `signature` was made of `payload`; HMAC-SHA256 in base 16 or 64."""
        if isinstance(self.check, str):
            made = hmac.digest(self.check.encode(), payload, "sha256")
            text = made.hex() if base == 16 else base64.b64encode(made).decode()
            return hmac.compare_digest(text.encode(), signature.encode())
        try:
            raw = base64.b64decode(signature, validate=True)
            if isinstance(self.check, Ed25519PublicKey):
                self.check.verify(raw, payload)
            else:
                self.check.verify(raw, payload, padding.PKCS1v15(), SHA256())
        except (InvalidSignature, binascii.Error):
            return False
        return True


class KeyBook:
    """Tells who is behind a private request by the venue's own keys. No attestation counts."""

    def __init__(self, keys: Mapping[str, VenueKey], venue: str = "binance") -> None:
        self.keys = keys
        self.nonces: dict[str, int] = {}
        """The last nonce of each key, where the venue asks for one that grows."""
        self._verify = VERIFIED[venue]

    def account(self, request: Request, body: bytes) -> str:
        """Return the account that acts.

        Raises:
            VenueRefusal: with the venue's own codes.
        """
        return self._verify(self, request, body).account

    def listener(self, _socket: WebSocket) -> str:
        """Return nobody: who listens logs on by a message."""
        return ""


def binance(book: KeyBook, request: Request, body: bytes) -> VenueKey:
    """Source: Binance spot API docs, "Request security"."""
    key_id = request.headers.get("x-mbx-apikey", "")
    if not key_id:
        raise VenueRefusal(-2014, "API-key format invalid.", 401)
    key = book.keys.get(key_id)
    if key is None:
        raise VenueRefusal(-2008, "Invalid Api-Key ID.", 401)
    if request.url.path == LISTEN_KEY:
        if request.url.query or body:
            raise VenueRefusal(-1101, "Too many parameters; expected '0'.")
        return key
    rest, values = split(query_of(request), body.decode("latin-1"))
    check_time(values)
    if "signature" not in values:
        raise missing("signature")
    if not key.verifies(rest.encode("latin-1"), unquote_plus(values["signature"])):
        raise VenueRefusal(-1022, "Signature for this request is not valid.")
    return key


def bybit(book: KeyBook, request: Request, body: bytes) -> VenueKey:
    """Source: Bybit v5 API docs, "Integration guidance"."""
    said = request.headers
    key = book.keys.get(said.get("x-bapi-api-key", ""))
    if key is None:
        raise VenueRefusal(10003, "API key is invalid.")
    stamp, window = said.get("x-bapi-timestamp", ""), said.get("x-bapi-recv-window", "")
    if not stamp.isdecimal() or not window.isdecimal():
        raise VenueRefusal(10002, "The request time exceeds the time window range.")
    now_ms = time.time_ns() // 1_000_000
    if not now_ms - int(window) <= int(stamp) < now_ms + AHEAD_MS:
        raise VenueRefusal(10002, "The request time exceeds the time window range.")
    asked = query_of(request).encode("latin-1") if request.method == "GET" else body
    payload = f"{stamp}{key.key_id}{window}".encode() + asked
    if not key.verifies(payload, said.get("x-bapi-sign", "")):
        raise VenueRefusal(10004, "Error sign, please check your signature generation algorithm.")
    return key


def okx(book: KeyBook, request: Request, body: bytes) -> VenueKey:
    """Source: OKX v5 API docs, "REST Authentication"."""
    said = request.headers
    key = book.keys.get(said.get("ok-access-key", ""))
    if key is None:
        raise VenueRefusal(50111, "Invalid OK-ACCESS-KEY", 401)
    if said.get("ok-access-passphrase") != key.passphrase:
        raise VenueRefusal(50105, "Request header OK-ACCESS-PASSPHRASE incorrect.", 401)
    stamp = said.get("ok-access-timestamp", "")
    try:
        then_ms = datetime.fromisoformat(stamp).timestamp() * 1_000
    except ValueError:
        raise VenueRefusal(50112, "Invalid OK-ACCESS-TIMESTAMP", 401) from None
    if abs(time.time_ns() / 1_000_000 - then_ms) > OKX_WINDOW_MS:
        raise VenueRefusal(50102, "Timestamp request expired", 401)
    payload = f"{stamp}{request.method}{target_of(request)}".encode("latin-1") + body
    if not key.verifies(payload, said.get("ok-access-sign", ""), base=64):
        raise VenueRefusal(50113, "Invalid Sign", 401)
    return key


def deribit(book: KeyBook, request: Request, body: bytes) -> VenueKey:
    """Source: Deribit API docs, "Authentication"."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    said = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    key = book.keys.get(said.get("id", ""))
    if scheme != "deri-hmac-sha256" or key is None:
        raise VenueRefusal(13004, "invalid_credentials")
    stamp, nonce = said.get("ts", ""), said.get("nonce", "")
    payload = f"{stamp}\n{nonce}\n{request.method}\n{target_of(request)}\n".encode("latin-1")
    fresh = stamp.isdecimal() and abs(time.time_ns() // 1_000_000 - int(stamp)) <= WINDOW_MS
    if not fresh or not nonce or not key.verifies(payload + body + b"\n", said.get("sig", "")):
        raise VenueRefusal(13004, "invalid_credentials")
    return key


def kraken(book: KeyBook, request: Request, body: bytes) -> VenueKey:
    """Source: Kraken REST API docs, "Authentication"; the nonce window is 0."""
    key = book.keys.get(request.headers.get("api-key", ""))
    if key is None or not isinstance(key.check, str):
        raise VenueRefusal(0, "EAPI:Invalid key")
    text = body.decode("latin-1")
    said = json.loads(text) if text.startswith("{") else dict(parse_qsl(text))
    nonce = str(said.get("nonce", ""))
    payload = request.url.path.encode() + hashlib.sha256(nonce.encode() + body).digest()
    made = hmac.digest(base64.b64decode(key.check), payload, "sha512")
    if not hmac.compare_digest(
        base64.b64encode(made).decode(), request.headers.get("api-sign", "")
    ):
        raise VenueRefusal(0, "EAPI:Invalid signature")
    if not nonce.isdecimal() or int(nonce) <= book.nonces.get(key.key_id, 0):
        raise VenueRefusal(0, "EAPI:Invalid nonce")
    book.nonces[key.key_id] = int(nonce)
    return key


def coinbase(book: KeyBook, request: Request, body: bytes) -> VenueKey:
    """Source: Coinbase CDP docs, "JWT authentication"; Ed25519 keys only."""
    refused = VenueRefusal(0, "Unauthorized", 401)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    payload, _, signature = token.rpartition(".")
    try:
        head, said = (json.loads(base64.b64decode(padded(part))) for part in payload.split("."))
    except ValueError:
        raise refused from None
    key = book.keys.get(str(head.get("kid")))
    if scheme != "Bearer" or key is None or head.get("alg") != "EdDSA":
        raise refused
    if not key.verifies(payload.encode(), padded(signature)):
        raise refused
    start, end, now = said.get("nbf", 0), said.get("exp", 0), time.time()
    asked = f"{request.method} {request.headers.get('host', '')}{request.url.path}"
    if said.get("sub") != key.key_id or asked not in (said.get("uri"), *said.get("uris", [])):
        raise refused
    if not start - AHEAD_MS / 1_000 <= now < end <= start + COINBASE_S:
        raise refused
    return key


def padded(text: str) -> str:
    """Return base64 for URLs as base64 is otherwise written."""
    return text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)


def kucoin(book: KeyBook, request: Request, body: bytes) -> VenueKey:
    """Source: KuCoin API docs, "Authentication"; from version 2 on the passphrase is signed."""
    said = request.headers
    key = book.keys.get(said.get("kc-api-key", ""))
    if key is None:
        raise VenueRefusal(400003, "KC-API-KEY not exists", 401)
    stamp = said.get("kc-api-timestamp", "")
    if not stamp.isdecimal() or abs(time.time_ns() // 1_000_000 - int(stamp)) > WINDOW_MS:
        raise VenueRefusal(400002, "Invalid KC-API-TIMESTAMP", 401)
    if said.get("kc-api-key-version", "") not in ("2", "3"):
        raise VenueRefusal(400009, "Invalid KC-API-KEY-VERSION", 401)
    phrase = (key.passphrase or "").encode()
    if not key.verifies(phrase, said.get("kc-api-passphrase", ""), base=64):
        raise VenueRefusal(400004, "Invalid KC-API-PASSPHRASE", 401)
    payload = f"{stamp}{request.method}{target_of(request)}".encode("latin-1") + body
    if not key.verifies(payload, said.get("kc-api-sign", ""), base=64):
        raise VenueRefusal(400005, "Invalid KC-API-SIGN", 401)
    return key


Keys = Mapping[str, VenueKey]


def binance_frame(keys: Keys, params: Mapping[str, Any]) -> VenueKey:
    """Return the key that signed a message of the WebSocket API.

    Source: web-socket-api.md, "Request security".
    """
    values = {name: str(value) for name, value in params.items()}
    signature = values.pop("signature", "")
    key = keys.get(values.get("apiKey", ""))
    if key is None:
        raise VenueRefusal(-2008, "Invalid Api-Key ID.", 401)
    check_time(values)
    payload = "&".join(f"{name}={value}" for name, value in sorted(values.items()))
    if not key.verifies(payload.encode(), signature):
        raise VenueRefusal(-1022, "Signature for this request is not valid.")
    return key


def okx_frame(keys: Keys, said: Mapping[str, Any]) -> VenueKey:
    """Return the key that a `login` is signed with. Source: OKX v5 API docs, "Login"."""
    key = keys.get(str(said.get("apiKey")))
    if key is None:
        raise VenueRefusal(60005, "Invalid apiKey")
    if said.get("passphrase") != key.passphrase:
        raise VenueRefusal(60024, "Wrong passphrase")
    stamp = str(said.get("timestamp"))
    if not stamp.isdecimal() or abs(time.time() - int(stamp)) > OKX_WINDOW_MS / 1_000:
        raise VenueRefusal(60006, "Timestamp request expired")
    payload = f"{stamp}GET/users/self/verify".encode()
    if not key.verifies(payload, str(said.get("sign")), base=64):
        raise VenueRefusal(60007, "Invalid sign")
    return key


def bybit_frame(keys: Keys, args: Sequence[Any]) -> VenueKey:
    """Return the key that an `auth` is signed with. Source: Bybit v5 API docs, "Connect"."""
    key_id, expires, signature = [*map(str, args), "", "", ""][:3]
    key = keys.get(key_id)
    if key is None:
        raise VenueRefusal(10003, "API key is invalid.")
    if not expires.isdecimal() or int(expires) <= time.time_ns() // 1_000_000:
        raise VenueRefusal(10002, "The request time exceeds the time window range.")
    if not key.verifies(f"GET/realtime{expires}".encode(), signature):
        raise VenueRefusal(10004, "Error sign, please check your signature generation algorithm.")
    return key


def deribit_frame(keys: Keys, said: Mapping[str, Any]) -> VenueKey:
    """Return the key of a `public/auth` by client signature. Source: Deribit API docs."""
    key = keys.get(str(said.get("client_id")))
    stamp, nonce, data = (str(said.get(name, "")) for name in ("timestamp", "nonce", "data"))
    fresh = stamp.isdecimal() and abs(time.time_ns() // 1_000_000 - int(stamp)) <= WINDOW_MS
    payload = f"{stamp}\n{nonce}\n{data}".encode()
    if key is None or not fresh or not key.verifies(payload, str(said.get("signature"))):
        raise VenueRefusal(13004, "invalid_credentials")
    return key


VERIFIED: dict[str, Callable[[KeyBook, Request, bytes], VenueKey]] = {
    "binance": binance,
    "binance-usdm": binance,
    "bybit": bybit,
    "coinbase": coinbase,
    "deribit": deribit,
    "kraken": kraken,
    "kucoin": kucoin,
    "okx": okx,
}
"""Venues whose signatures can be verified here, and how."""


def query_of(request: Request) -> str:
    """Return the query as it was sent."""
    return str(request.scope["query_string"].decode("latin-1"))


def target_of(request: Request) -> str:
    """Return path and query as they were sent."""
    query = query_of(request)
    return request.url.path + (f"?{query}" if query else "")


def split(query: str, body: str) -> tuple[str, dict[str, str]]:
    """Return what is signed (the query and the body as sent, less the signature) and all values."""
    values: dict[str, str] = {}
    signed = ""
    for text in (query, body):
        kept = []
        for pair in filter(None, text.split("&")):
            name, _, value = pair.partition("=")
            values[name] = value
            if name != "signature":
                kept.append(pair)
        signed += "&".join(kept)
    return signed, values


def check_time(values: Mapping[str, str]) -> None:
    """Refuse what is outside its window.

    Source: Binance spot API docs, "Timing security".
    """
    text, window = values.get("timestamp", ""), values.get("recvWindow", str(WINDOW_MS))
    if not text.isdecimal() or not window.isdecimal():
        raise missing("timestamp")
    now_ms, then_ms = time.time_ns() // 1_000_000, int(text)
    if then_ms >= 10**14:
        then_ms //= 1_000
    if int(window) > WINDOW_MAX_MS:
        raise VenueRefusal(-1021, "recvWindow must be less than 60000.")
    if then_ms >= now_ms + AHEAD_MS:
        message = "Timestamp for this request was 1000ms ahead of the server's time."
        raise VenueRefusal(-1021, message)
    if now_ms - then_ms > int(window):
        raise VenueRefusal(-1021, "Timestamp for this request is outside of the recvWindow.")


def missing(name: str) -> VenueRefusal:
    """Return the refusal of a request that lacks `name`."""
    message = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    return VenueRefusal(-1102, message)


def read_keys(path: Path) -> dict[str, VenueKey]:
    """Read a JSON list of keys: `key_id`, `account`, and `secret` (HMAC) or `public_key` (PEM).

    Where the venue has them, also `passphrase`.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a list.
    """
    keys: dict[str, VenueKey] = {}
    for row in json.loads(path.read_text()):
        if not isinstance(row, dict) or not {"key_id", "account"} <= row.keys():
            raise ValueError(f"{path} is not a list of keys with key_id and account")
        check = row.get("secret") or read_public(str(row.get("public_key", "")))
        key_id, account = str(row["key_id"]), str(row["account"])
        keys[key_id] = VenueKey(key_id, account, check, row.get("passphrase"))
    return keys


def read_public(text: str) -> Public:
    """Return a public key in PEM.

    Raises:
        ValueError: it is neither Ed25519 nor RSA.
    """
    key = load_pem_public_key(text.encode())
    if isinstance(key, Ed25519PublicKey | rsa.RSAPublicKey):
        return key
    raise ValueError("a public key is Ed25519 or RSA")
