"""The server of Valkey or Redis that several gateways share (docs/cluster.md)."""

from __future__ import annotations

from typing import Annotated, Any, Self
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from ringfence.config.section import Name, Section, wrong

__all__ = ["Cluster"]

SCHEMES = ("redis", "rediss", "unix")
PORT = 6379


def read_url(text: Any) -> Any:
    """Check that it names a server. A password may be in it: nothing repeats it."""
    hint = "write redis://host:6379, rediss://user:password@host:6379/0 or unix:///run/valkey.sock"
    if not isinstance(text, str) or not names_server(text):
        raise wrong("is not a URL of Valkey or Redis", hint)
    return text


def names_server(text: str) -> bool:
    """Tell whether all of a URL can be understood."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return False
    if url.scheme not in SCHEMES or url.fragment or not printable(text):
        return False
    if url.scheme == "unix":
        return is_socket(url)
    database = url.path.removeprefix("/")
    return bool(url.hostname) and not url.query and port != 0 and is_database(database)


def is_socket(url: SplitResult) -> bool:
    """Tell whether it names a socket's path, and nothing else."""
    return not url.netloc and not url.query and url.path.startswith("/") and len(url.path) > 1


def is_database(text: str) -> bool:
    """Tell whether it is a database's number, or none."""
    return text == "" or (text.isascii() and text.isdecimal() and len(text) <= 5)


def printable(text: str) -> bool:
    """Tell whether there is nothing in it that a URL has escaped."""
    return all("!" <= character <= "~" for character in text)


class Cluster(Section):
    """Where it is, and how long a message waits for it. One `prefix` is one cluster."""

    url: Annotated[SecretStr, BeforeValidator(read_url)]
    ca: str | None = None
    """A PEM file of roots that the server's certificate leads to; left out, the system's."""
    prefix: Name = "ringfence"
    """What all names of ours on the server begin with."""
    nodes: Annotated[int, Field(ge=1, le=1_024)] | None = None
    """How many gateways there are: what `on_loss: local_share` divides by."""
    deadline_ms: Annotated[int, Field(ge=1, le=1_000)] = 50
    """After so long without an answer the server counts as lost."""

    @property
    def is_secure(self) -> bool:
        """Whether it is reached by TLS."""
        return self.url.get_secret_value().startswith("rediss:")

    def server(self) -> dict[str, Any]:
        """Return where it is, and what is shown there, as the engine takes it. Holds a secret."""
        url = urlsplit(self.url.get_secret_value())
        if url.scheme == "unix":
            return {"socket": unquote(url.path)}
        host = url.hostname or ""
        name = f"[{host}]" if ":" in host else host
        shown = {"user": url.username, "password": url.password}
        return {
            "address": f"{name}:{url.port or PORT}",
            "host": host if self.is_secure else None,
            "database": int(url.path.removeprefix("/") or 0),
            **{field: unquote(text) for field, text in shown.items() if text},
        }

    @model_validator(mode="after")
    def believes_somebody(self) -> Self:
        """Refuse roots that nothing would be checked by."""
        if self.ca is not None and not self.is_secure:
            raise wrong("says nothing without TLS", "write a rediss:// URL, or leave it out", "ca")
        return self
