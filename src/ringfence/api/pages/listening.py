"""The pages' listener: a port of its own, apart from the engine's and from the admin API."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ringfence.api.hosting import hosted
from ringfence.api.pages import Ceremonies, Site
from ringfence.config.pages import Pages
from ringfence.errors import FileError

__all__ = ["listening", "tls_of"]

MOST = 64
"""Connections at once; operators are few."""


def tls_of(pages: Pages, lies: Callable[[str], str]) -> ssl.SSLContext | None:
    """Return what the pages' TLS is made with; None: they have none. `lies` tells where a file is.

    Raises:
        FileError: certificate and key cannot be used.
    """
    if pages.tls is None:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        made.load_cert_chain(lies(pages.tls.certificate), lies(pages.tls.key))
    except (OSError, ssl.SSLError) as e:
        raise FileError(f"the pages' certificate and key cannot be used: {e}") from e
    return made


@contextmanager
def listening(ceremonies: Ceremonies, pages: Pages, tls: ssl.SSLContext | None) -> Iterator[None]:
    """Serve the pages as long as the context lasts.

    Raises:
        FileError: the address cannot be listened at.
    """
    host, _, port = pages.listen.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    try:
        listener = socket.create_server((host, int(port)), family=family)
    except OSError as e:
        hint = "admin.pages.listen in the configuration names it"
        raise FileError(f"cannot listen at {pages.listen}: {e.strerror}", hint=hint) from e
    site = Site(ceremonies, pages.origin)
    with listener, hosted(site, listener, "the pages", tls=tls, most=MOST):
        yield
