"""`listeners` and `issuers`: where clients connect, and whose word besides their own is taken."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ringfence.config.section import FileName, Name, Section, wrong

__all__ = ["Issuer", "Listener"]


def read_address(text: str) -> str:
    """Check `host:port` with a numeric host; IPv6 in brackets; port 0 lets the system choose."""
    host, _, port = text.rpartition(":")
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        bracketed = host.startswith("[") and host.endswith("]")
        if ("." in host) == bracketed or not port.isdecimal() or int(port) not in range(65536):
            raise ValueError
    except ValueError:
        raise wrong("is not an address", "write 127.0.0.1:8443 or [::1]:8443") from None
    return text


AUTHORITY = re.compile(
    r"(?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?|\[[0-9a-f:.]+\](?::[0-9]{1,5})?",
    re.IGNORECASE,
)


def read_authority(text: str) -> str:
    """Check a name that clients connect by, perhaps with its port."""
    if not AUTHORITY.fullmatch(text):
        raise wrong("is no name", "write HOST or HOST:PORT, as in gw.example:8443 or *.gw.example")
    return text


class Tls(Section):
    """PEM files of a listener. `client_ca` holds the roots that clients' certificates lead to."""

    certificate: FileName
    key: FileName
    client_ca: FileName | None = None
    client_auth: Literal["optional", "required"] | None = None
    """Whether a client must present a certificate; with `client_ca` only."""

    @model_validator(mode="after")
    def knows_whom_to_believe(self) -> Self:
        """Refuse asking for certificates that nothing could verify."""
        if self.client_auth is not None and self.client_ca is None:
            raise wrong("asks for certificates", "name a file of roots in client_ca", "client_auth")
        return self


class ProxyProtocol(Section):
    """The balancers before a listener, which say whose each connection is; nobody else connects."""

    networks: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...],
        Field(min_length=1, max_length=256, strict=False, alias="from"),
    ]
    """In CIDR form."""


class Listener(Section):
    """One address that clients connect to. Either `tls`, or `plain: true` in so many words."""

    name: Name
    address: Annotated[str, AfterValidator(read_address)]
    dialect: Annotated[str, Field(min_length=1)]
    tls: Tls | None = None
    plain: bool = False
    http2: bool = True
    """Whether HTTP/2 is offered on TLS; `plain` is HTTP/1.1 only."""
    authorities: (
        Annotated[
            tuple[Annotated[str, AfterValidator(read_authority)], ...],
            Field(min_length=1, max_length=64, strict=False),
        ]
        | None
    ) = None
    """What it is called by those who sign for a name. Left out: the names in its certificate, or
    without TLS its address."""

    dpop_nonce_s: Annotated[int, Field(ge=5, le=3600)] | None = None
    """For how many seconds a nonce is good that proofs must carry; left out: they need none."""

    proxy_protocol: ProxyProtocol | None = None
    """Version 2, on each connection; left out: clients connect themselves."""

    @model_validator(mode="after")
    def says_how(self) -> Self:
        """Refuse plain HTTP that nobody asked for."""
        if self.tls is None and not self.plain:
            raise wrong("has no tls", "name a certificate and a key, or say plain: true", "tls")
        if self.tls is not None and self.plain:
            raise wrong("is true, and there is tls too", "keep one of the two", "plain")
        return self


class Issuer(Section):
    """Whose access tokens are taken (RFC 9068), and whom each subject of theirs acts as."""

    name: Name
    issuer: Annotated[str, Field(min_length=1)]
    """What a token's `iss` says."""
    audience: Annotated[str, Field(min_length=1)]
    """What its `aud` says, alone or in a list."""
    jwks: FileName
    """A JSON Web Key Set with the issuer's public keys."""
    algorithms: Annotated[
        tuple[Literal["ES256", "EdDSA", "RS256"], ...], Field(min_length=1, strict=False)
    ] = ("ES256", "EdDSA")
    subject: Annotated[str, Field(min_length=1)] = "sub"
    """The claim that says who acts."""
    credentials: Annotated[dict[str, str], Field(min_length=1)]
    """What it says, and the id of the credential that acts then."""
    max_lifetime_s: Annotated[int, Field(ge=1, le=86_400)] = 3600
    dpop: Literal["required", "optional"] = "required"
    """Whether a token is only good with a proof (RFC 9449)."""
