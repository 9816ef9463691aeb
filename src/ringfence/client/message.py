"""What is signed of a request: RFC 9421 with the coverage that the gateway fixes, and RFC 9530.

Pure: no clock, no randomness, no key. docs/native.md has the rules.
"""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import urlsplit

__all__ = ["digest", "signature_base"]

PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}
"""What is left out of the authority (RFC 9421 2.2.3)."""


def digest(body: bytes) -> str:
    """Return the value of Content-Digest for `body`."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def authority(url: str) -> str:
    """Return the host of `url` as it is signed: in lower case, with a port that is not its own.

    Raises:
        ValueError: `url` is not an absolute URL of HTTP or WebSocket.
    """
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is not an absolute http, https, ws or wss URL")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    own = parts.port in (None, PORTS[parts.scheme])
    return host.lower() if own else f"{host.lower()}:{parts.port}"


def signature_base(
    method: str, url: str, parameters: str, content_digest: str | None = None
) -> tuple[str, str]:
    """Return (what Signature-Input says behind the label, the text that is signed).

    `url` is as it is sent: escapes stay what they are. `parameters` begin with `;`.
    Raises:
        ValueError: `url` is not absolute.
    """
    parts = urlsplit(url)
    lines = {
        "@method": method,
        "@authority": authority(url),
        "@path": parts.path or "/",
        "@query": f"?{parts.query}",
    }
    if content_digest is not None:
        lines["content-digest"] = content_digest
    covered = " ".join(f'"{name}"' for name in lines)
    signed = f"({covered}){parameters}"
    lines["@signature-params"] = signed
    return signed, "\n".join(f'"{name}": {value}' for name, value in lines.items())
