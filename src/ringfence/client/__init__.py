"""Sign requests natively, for a gateway that checks every byte of them.

Usable without the gateway: needs only `cryptography`, and the HTTP library that you have.

    from ringfence.client import RingfenceKey
    from ringfence.client.httpx import RingfenceAuth

    key = RingfenceKey.read("KEYID", "alice.pem")
    client = httpx.Client(base_url="https://gateway:8443", auth=RingfenceAuth(key))
"""

from __future__ import annotations

from ringfence.client.key import WINDOW_SECONDS, RingfenceKey
from ringfence.client.message import digest, signature_base

__all__ = ["WINDOW_SECONDS", "RingfenceKey", "digest", "signature_base"]
