"""`admin.pages`: where operators use passkeys, and whom those passkeys are for."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from ringfence.config.section import FileName, Section, wrong

__all__ = ["Pages", "PagesTls"]

HOST = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z][a-z0-9-]{0,62}")
LOCAL = "localhost"


def read_origin(text: str) -> str:
    """Check an origin as a browser writes it: nothing in it that it would leave out."""
    try:
        url = urlsplit(text)
        port = "" if url.port is None else f":{url.port}"
        usual = {"https": 443, "http": 80}.get(url.scheme)
        fine = text == f"{url.scheme}://{url.hostname}{port}" and url.port not in (0, usual)
        fine = fine and HOST.fullmatch(url.hostname or "") is not None and usual is not None
    except ValueError:
        fine = False
    if not fine:
        raise wrong("is no origin", "write https://gw.example:8444, in lower case, no path")
    if text.startswith("http:") and urlsplit(text).hostname != LOCAL:
        raise wrong("is not https", f"browsers keep passkeys to https, and to http://{LOCAL}")
    return text


def read_listen(text: str) -> str:
    """Check `host:port` with a numeric host and a port."""
    host, _, port = text.rpartition(":")
    try:
        version = ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).version
        if host.startswith("[") != (version == 6) or not 0 < int(port) < 65_536:
            raise ValueError
    except ValueError:
        raise wrong("is not an address", "write 127.0.0.1:8444 or [::1]:8444") from None
    return text


class PagesTls(Section):
    """PEM files."""

    certificate: FileName
    key: FileName


class Pages(Section):
    """Pages for a browser. Without `tls` on loopback only: the browser's, or a proxy's with TLS.

    `origin` is what the browser's address bar shows, `rp_id` its host or a domain above it.
    """

    listen: Annotated[str, AfterValidator(read_listen)]
    origin: Annotated[str, AfterValidator(read_origin)]
    rp_id: Annotated[str, Field(min_length=1, max_length=253)]
    tls: PagesTls | None = None

    @model_validator(mode="after")
    def fits_together(self) -> Self:
        """Refuse what no browser would take, and pages that others could read on their way."""
        host = urlsplit(self.origin).hostname or ""
        above = host == self.rp_id or (host.endswith(f".{self.rp_id}") and "." in self.rp_id)
        if not above:
            raise wrong("is not the origin's host", f"write {host}, or a domain above it", "rp_id")
        address = ipaddress.ip_address(self.listen.rpartition(":")[0].strip("[]"))
        if self.tls is None and not address.is_loopback:
            raise wrong("is not on loopback", "name a certificate and a key in tls", "listen")
        if self.tls is not None and not self.origin.startswith("https:"):
            raise wrong("is http, and there is tls", "write https://, or leave tls out", "origin")
        return self
