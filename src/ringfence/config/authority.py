"""The names that a listener goes by where nobody has listed them."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

__all__ = ["own_names"]


def own_names(address: str, certificate: Path | None) -> list[str]:
    """Return what clients may call a listener, each good with any port.

    With a certificate, the names in it: who verifies it connected by one of those. Without one,
    the host of `address`, and `localhost` where that is loopback. None where it listens everywhere:
    then nobody can tell what it is called but who configures it.
    """
    if certificate is not None:
        return certified(certificate)
    host = ipaddress.ip_address(address.rpartition(":")[0].strip("[]"))
    if host.is_unspecified:
        return []
    return [written(host), *(["localhost"] if host.is_loopback else [])]


def certified(path: Path) -> list[str]:
    """Return the DNS names and addresses in a PEM file's first certificate.

    None of a file that cannot be read: the engine says what is wrong with it.
    """
    try:
        own = x509.load_pem_x509_certificates(path.read_bytes())[0]
        names = own.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return []
    if not isinstance(names, x509.SubjectAlternativeName):
        return []
    addresses = names.get_values_for_type(x509.IPAddress)
    hosts = [written(a) for a in addresses if not hasattr(a, "network_address")]
    return [*names.get_values_for_type(x509.DNSName), *hosts]


def written(host: object) -> str:
    """Return an address as it stands in a Host field."""
    text = str(host)
    return f"[{text}]" if ":" in text else text
