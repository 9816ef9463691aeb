"""A key encryption key in a HashiCorp Vault or OpenBao, behind its transit engine.

Named as `transit:https://HOST:8200/MOUNT/KEY`. The token comes as a passphrase would. Another
service is another module of this size: it needs `wrap` and `unwrap` with associated data.

Source: Vault API, "Transit secrets engine", encrypt and decrypt with `associated_data`
(read 2026-11).
"""

from __future__ import annotations

import base64
import binascii
import http.client
import ipaddress
import json
import re
import ssl
from typing import Any
from urllib.parse import urlsplit

from ringfence.errors import SealError
from ringfence.identity.seal.kek import wrong_key
from ringfence.identity.seal.unlock import Unlock

__all__ = ["TransitKek", "reach"]

TIMEOUT_SECONDS = 10
MAX_ANSWER = 65_536


def reach(url: str, unlock: Unlock) -> TransitKek:
    """Return the key behind a URL. Nothing is asked yet.

    Raises:
        SealError: the URL is none, or would carry the token in the clear.
    """
    parts = urlsplit(url)
    if re.fullmatch(r"(/[A-Za-z0-9_.-]+){2,}", parts.path) is None or parts.query or parts.username:
        raise SealError("the URL names no key", hint="transit:https://HOST:8200/transit/KEY")
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback(parts.hostname)):
        raise SealError("a token goes over https alone, or to this machine", hint="use https://")
    return TransitKek(url, unlock.read("token"))


def loopback(host: str | None) -> bool:
    """Tell whether a host is an address of this machine alone."""
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


class TransitKek:
    """A key that a service holds, and the token that may use it."""

    def __init__(self, url: str, token: bytearray) -> None:
        """Take the token, which `close` wipes."""
        self._url = url
        self._token = token

    def describe(self) -> dict[str, Any]:
        """As `Kek.describe`."""
        return {"kind": "transit", "url": self._url}

    def wrap(self, key: bytearray, about: bytes) -> bytes:
        """As `Kek.wrap`."""
        sent = {"plaintext": text(key), "associated_data": text(about)}
        answer = self._ask("encrypt", sent, "ciphertext")
        if not re.fullmatch(r"vault:v[0-9]+:[A-Za-z0-9+/=]+", answer):
            raise SealError("the transit service answers no ciphertext", code="seal_locked")
        return answer.encode()

    def unwrap(self, wrapped: bytes, about: bytes) -> bytearray:
        """As `Kek.unwrap`."""
        sent = {"ciphertext": wrapped.decode("ascii", "replace"), "associated_data": text(about)}
        try:
            answer = self._ask("decrypt", sent, "plaintext")
            return bytearray(base64.b64decode(answer, validate=True))
        except binascii.Error:
            raise wrong_key("transit key") from None

    def close(self) -> None:
        """As `Kek.close`."""
        self._token[:] = bytes(len(self._token))

    def _ask(self, verb: str, sent: dict[str, str], wanted: str) -> str:
        """Ask the service once.

        Raises:
            SealError: it cannot be reached, or refuses.
        """
        parts = urlsplit(self._url)
        mount, _, key = parts.path.strip("/").rpartition("/")
        made: http.client.HTTPConnection
        if parts.scheme == "https":
            trusted = ssl.create_default_context()
            made = http.client.HTTPSConnection(
                parts.netloc, timeout=TIMEOUT_SECONDS, context=trusted
            )
        else:
            made = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_SECONDS)
        head = {"X-Vault-Token": self._token.decode("latin-1"), "X-Vault-Request": "true"}
        try:
            made.request("POST", f"/v1/{mount}/{verb}/{key}", json.dumps(sent), head)
            answer = made.getresponse()
            status, content = answer.status, answer.read(MAX_ANSWER)
        except (OSError, http.client.HTTPException) as e:
            said = f"{parts.netloc} cannot be reached: {e or type(e).__name__}"
            raise SealError(said, code="seal_locked") from None
        finally:
            made.close()
        if status == http.client.BAD_REQUEST and verb == "decrypt":
            raise wrong_key("transit key")
        try:
            found = json.loads(content)["data"][wanted]
        except (ValueError, KeyError, TypeError):
            found = None
        if status != http.client.OK or not isinstance(found, str):
            # Its own words may repeat what was sent.
            raise SealError(f"{parts.netloc} refuses to {verb}: {status}", code="seal_locked")
        return found


def text(content: bytes | bytearray) -> str:
    """Return bytes as the service takes them."""
    return base64.b64encode(content).decode()
