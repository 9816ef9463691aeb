"""Native signatures for websockets: `connect(uri, additional_headers=handshake(key, uri))`.

Each connection needs its own signature: call it anew for each.
"""

from __future__ import annotations

from ringfence.client.key import RingfenceKey

__all__ = ["handshake"]


def handshake(key: RingfenceKey, uri: str) -> dict[str, str]:
    """Return the header fields that sign the opening handshake of the WebSocket at `uri`.

    Raises:
        ValueError: `uri` is not absolute.
    """
    return key.sign("GET", uri)
