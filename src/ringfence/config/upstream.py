"""`upstream`: where the venue has its API, and where its WebSockets."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from ringfence.config.section import FileName, Milliseconds, Section, wrong

__all__ = ["Upstream", "WebSockets"]

SEGMENTS = re.compile(r"/|(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+/?")
PATH_LENGTH = 256


def is_bare(text: str, schemes: tuple[str, str]) -> bool:
    """Tell whether it is a URL of one of `schemes` that has a host and nothing behind it."""
    try:
        url = urlsplit(text)
        fine = url.scheme in schemes and bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    more = url.path not in ("", "/") or "?" in text or "#" in text
    return fine and text.isprintable() and "@" not in url.netloc and not more


def read_api(text: str) -> str:
    """Check an http or https URL that has a host and nothing behind it."""
    if not is_bare(text, ("http", "https")):
        raise wrong("is not a venue's address", "write https://HOST or http://HOST:PORT")
    return text.rstrip("/")


def read_websockets(text: str) -> str:
    """Check a ws or wss URL that has a host and nothing behind it."""
    if not is_bare(text, ("ws", "wss")):
        hint = "write wss://HOST or ws://HOST:PORT, and the path in `path`"
        raise wrong("is not where a venue has WebSockets", hint)
    return text.rstrip("/")


def read_path(text: str) -> str:
    """Check what paths begin with: whole parts, no query, nothing in them that is escaped."""
    dots = {".", ".."} & set(text.split("/"))
    if not SEGMENTS.fullmatch(text) or len(text) > PATH_LENGTH or dots:
        raise wrong("is not the beginning of a path", "write /ws, or / for all that is not listed")
    return text.rstrip("/") or "/"


class WebSockets(Section):
    """A host that has the WebSockets whose paths are `path`, or begin with it and a slash."""

    path: Annotated[str, AfterValidator(read_path)]
    url: Annotated[str, AfterValidator(read_websockets)]
    private: Annotated[str, AfterValidator(read_websockets)] | None = None
    """Another one for what is somebody's, where the venue keeps that apart."""


class Upstream(Section):
    """The venue. `ca` is a PEM file of roots; without it, the system's."""

    url: Annotated[str, AfterValidator(read_api)]
    websockets: Annotated[tuple[WebSockets, ...], Field(max_length=64, strict=False)] = ()
    """WebSockets that are not at `url`. The longest path counts."""
    ca: FileName | None = None
    connections: Annotated[int, Field(ge=1, le=65_536)] = 64
    connect_timeout_ms: Milliseconds = 1_000
    response_timeout_ms: Milliseconds = 10_000

    @property
    def urls(self) -> tuple[str, ...]:
        """All addresses, that of the API first."""
        hosts = (url for one in self.websockets for url in (one.url, one.private))
        return (self.url, *dict.fromkeys(url for url in hosts if url is not None))

    @property
    def is_secure(self) -> bool:
        """Whether one of them is reached over TLS."""
        return any(url.startswith(("https:", "wss:")) for url in self.urls)
