"""API keys that the paper venue holds itself: it verifies what they signed, as a real one does.

Written from Binance's documentation ("Request security"), without the gateway's engine, so that it
proves what the gateway signs. It remembers no signatures: Binance does not, either.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote_plus

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from starlette.requests import Request

from ringfence.venue.exchange import VenueRefusal

__all__ = ["KeyBook", "VenueKey", "read_keys"]

WINDOW_MS = 5_000
WINDOW_MAX_MS = 60_000
AHEAD_MS = 1_000

Public = Ed25519PublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class VenueKey:
    """One API key: whose it is, and the HMAC secret or public key that verifies it."""

    key_id: str
    account: str
    check: str | Public = field(repr=False)

    def verifies(self, payload: bytes, signature: str) -> bool:
        """Tell whether `signature` was made of `payload` with this key."""
        if isinstance(self.check, str):
            made = hmac.new(self.check.encode(), payload, hashlib.sha256).hexdigest()
            return hmac.compare_digest(made, signature)
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

    def __init__(self, keys: Mapping[str, VenueKey]) -> None:
        self._keys = keys

    def account(self, request: Request, body: bytes) -> str:
        """Return the account that acts.

        Raises:
            VenueRefusal: with Binance's own codes: -2014, -2008, -1102, -1021, -1022.
        """
        key_id = request.headers.get("x-mbx-apikey", "")
        if not key_id:
            raise VenueRefusal(-2014, "API-key format invalid.", 401)
        key = self._keys.get(key_id)
        if key is None:
            raise VenueRefusal(-2008, "Invalid Api-Key ID.", 401)
        query = request.scope["query_string"].decode("latin-1")
        rest, values = split(query, body.decode("latin-1"))
        check_time(values)
        if "signature" not in values:
            raise missing("signature")
        if not key.verifies(rest.encode("latin-1"), unquote_plus(values["signature"])):
            raise VenueRefusal(-1022, "Signature for this request is not valid.")
        return key.account


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

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a list.
    """
    keys: dict[str, VenueKey] = {}
    for row in json.loads(path.read_text()):
        if not isinstance(row, dict) or not {"key_id", "account"} <= row.keys():
            raise ValueError(f"{path} is not a list of keys with key_id and account")
        check = row.get("secret") or read_public(str(row.get("public_key", "")))
        keys[str(row["key_id"])] = VenueKey(str(row["key_id"]), str(row["account"]), check)
    return keys


def read_public(text: str) -> Public:
    key = load_pem_public_key(text.encode())
    if isinstance(key, Ed25519PublicKey | rsa.RSAPublicKey):
        return key
    raise ValueError("a public key is Ed25519 or RSA")
