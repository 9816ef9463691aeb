"""What a person asks for when a credential is to be made, and what it becomes. Reads no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ringfence.errors import KeyTextError
from ringfence.identity.certificate import ClientCertificate, read_certificate
from ringfence.identity.credential import (
    ADMIN,
    ANY,
    HMAC,
    NATIVE,
    X509,
    Credential,
    read_allow,
    read_key_id,
    read_scopes,
)
from ringfence.identity.keypair import public_pem, read_public_key
from ringfence.identity.principal import read_name
from ringfence.identity.secret import fresh_key_id

__all__ = ["NewKey", "bounded", "make"]


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a person asks for. `public_key` is PEM text; without it the key is HMAC.

    With `certificate` (PEM text), the credential is that certificate. `requires` may hold
    "native"; `require_certificates` are PEM texts, one of which must be on the connection. `shard`
    is where an HMAC secret stands; None: where the account's others do.
    """

    account: str
    scopes: Sequence[str]
    allow: Sequence[str]
    key_id: str | None = None
    expires_us: int | None = None
    public_key: str | None = None
    pre_active: bool = False
    why: str = ""
    certificate: str | None = None
    requires: Sequence[str] = ()
    require_certificates: Sequence[str] = ()
    shard: int | None = None


def make(wanted: NewKey, now_us: int, unbound_us: int | None = None) -> Credential:
    """Check what was asked for and return it as a credential.

    One that is good from any address ends after `unbound_us` at the latest.

    Raises:
        KeyTextError: something about it cannot be read.
    """
    named = None if wanted.key_id is None else read_key_id(wanted.key_id)
    expires_us = wanted.expires_us
    if wanted.certificate is not None:
        certificate = own_certificate(wanted, now_us)
        named, algorithm, material = certificate.thumbprint, X509, certificate.der
        expires_us = min(certificate.expires_us, expires_us or certificate.expires_us)
    elif wanted.public_key is not None:
        algorithm, material = read_public_key(wanted.public_key.encode())
        if algorithm == "secp256k1-eip712":
            named = own_address(public_pem(algorithm, material), named)
    else:
        algorithm, material = HMAC, None
    if wanted.shard is not None and algorithm != HMAC:
        hint = "leave --shard out: an account's public keys go wherever they are registered"
        raise KeyTextError(f"an {algorithm} key has no secret that stands in a shard", hint=hint)
    if expires_us is not None and expires_us <= now_us:
        raise KeyTextError("the credential would have expired", hint="name a time to come")
    scopes = read_scopes(wanted.scopes)
    allow = read_allow(wanted.allow, scopes)
    pems = [pem.encode() for pem in wanted.require_certificates]
    found = dict.fromkeys(read_certificate(pem, now_us).thumbprint for pem in pems)
    return Credential(
        key_id=named or fresh_key_id(),
        account=read_name(wanted.account),
        algorithm=algorithm,
        scopes=scopes,
        allow=allow,
        state="pre-active" if wanted.pre_active else "active",
        created_us=now_us,
        expires_us=bounded(expires_us, allow, now_us, unbound_us),
        public_key=material,
        # What administers is signed whole; the engine would take nothing less either.
        native=read_requires([*wanted.requires, *[NATIVE] * (ADMIN in scopes)], algorithm),
        certificates=tuple(found),
    )


def own_address(address: str, named: str | None) -> str:
    """Return the id of a wallet's credential: its address, which each signature recovers to.

    Raises:
        KeyTextError: it is to be called otherwise.
    """
    if named not in (None, address):
        raise KeyTextError("a wallet's id is its address", hint="leave the id out")
    return address


def own_certificate(wanted: NewKey, now_us: int) -> ClientCertificate:
    """Return the certificate that the credential is.

    Raises:
        KeyTextError: it cannot be, or something is asked for that only a key has.
    """
    if wanted.public_key is not None or wanted.key_id is not None:
        hint = "leave the key and the id out: its id is the certificate's SHA-256"
        raise KeyTextError("a certificate brings its own key and id", hint=hint)
    if wanted.requires or wanted.require_certificates:
        hint = "to have both, create a key and add --require-certificate"
        raise KeyTextError("a certificate is all the proof of itself", hint=hint)
    return read_certificate((wanted.certificate or "").encode(), now_us)


def read_requires(words: Sequence[str], algorithm: str) -> bool:
    """Tell whether the native signature is demanded.

    Raises:
        KeyTextError: something else is, or the key could not sign so.
    """
    for word in words:
        if word != NATIVE:
            raise KeyTextError(f"{word!r} cannot be required", hint=f"only {NATIVE} can")
    if words and algorithm != "ed25519":
        hint = "add --generate-key FILE, or --public-key with an Ed25519 key"
        raise KeyTextError(f"an {algorithm} key does not sign natively", hint=hint)
    return bool(words)


def bounded(
    expires_us: int | None, allow: Sequence[str], now_us: int, unbound_us: int | None
) -> int | None:
    """Return when a credential ends: sooner, where no address is bound."""
    if unbound_us is None or ANY not in allow:
        return expires_us
    latest_us = now_us + unbound_us
    return latest_us if expires_us is None else min(expires_us, latest_us)
