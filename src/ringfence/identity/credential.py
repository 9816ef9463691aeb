"""A credential as the store keeps it: who it speaks for, what it may do, and from where.

Reads no clock. Times are microseconds since the Unix epoch (UTC).
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ringfence.errors import KeyTextError, StoreError
from ringfence.identity.certificate import certificate_pem
from ringfence.identity.derivation import Place
from ringfence.identity.keypair import public_pem
from ringfence.identity.secret import RootKey

__all__ = [
    "ADMIN",
    "ALGORITHMS",
    "ANY",
    "HMAC",
    "NATIVE",
    "SCOPES",
    "X509",
    "Change",
    "Credential",
    "iso",
    "read_allow",
    "read_key_id",
    "read_scopes",
]

SCOPES = ("read", "trade", "withdraw", "transfer", "keys", "admin")
ADMIN = "admin"
"""The scope of an operator's keys, and of nobody else's."""
X509 = "x509"
"""The algorithm of a credential that is a client certificate: TLS proves it, it signs nothing."""
NATIVE = "native"
HMAC = "hmac-sha256"
"""The only algorithm whose secret is derived; of all others the store has a public key."""
ALGORITHMS = (
    HMAC,
    "ed25519",
    "rsa-pkcs1-sha256",
    "ecdsa-p256-sha256",
    "secp256k1-eip712",
)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ANY = "any"
EVERYWHERE = ("0.0.0.0/0", "::/0")
"""What `any` means to the engine."""


@dataclass(frozen=True, slots=True)
class Credential:
    """One API key. `public_key` is None for HMAC, whose secret is derived when it is needed.

    `generation` counts the secrets that an HMAC credential has had. Of a client certificate,
    `public_key` is the certificate in DER and `key_id` SHA-256 of that in hexadecimal.
    `native` demands the native signature, `certificates` (SHA-256 in hexadecimal) that one of
    them is on the connection. `predecessor` is the credential that it takes over from.
    """

    key_id: str
    account: str
    algorithm: str
    scopes: tuple[str, ...]
    allow: tuple[str, ...]
    state: str
    created_us: int
    expires_us: int | None = None
    public_key: bytes | None = None
    generation: int = 1
    native: bool = False
    certificates: tuple[str, ...] = ()
    predecessor: str | None = None
    used_us: int | None = None

    @property
    def derived(self) -> bool:
        """Whether its secret is derived: HMAC."""
        return self.algorithm == HMAC

    @property
    def verifiable(self) -> bool:
        """Whether there is, or can be, what verifies its signatures: it was not destroyed."""
        return self.state != "destroyed" and (self.derived or self.public_key is not None)

    def requires(self) -> list[str]:
        """Return what it demands beside its signature, as people read it."""
        native = [NATIVE] if self.native else []
        return [*native, *(f"certificate:{thumbprint}" for thumbprint in self.certificates)]

    def shown(self) -> dict[str, Any]:
        """Return what people and `--json` see: no secret."""
        key = self.public_key
        return {
            "key_id": self.key_id,
            "account": self.account,
            "algorithm": self.algorithm,
            "scopes": list(self.scopes),
            "allow": list(self.allow),
            "requires": self.requires(),
            "state": self.state,
            "created_us": self.created_us,
            "expires_us": self.expires_us,
            "used_us": self.used_us,
            "generation": self.generation,
            "predecessor": self.predecessor,
            "public_key": None if key is None else self.shown_key(key),
        }

    def shown_key(self, key: bytes) -> str:
        """Return the PEM text of a public key or certificate."""
        return certificate_pem(key) if self.algorithm == X509 else public_pem(self.algorithm, key)

    def for_engine(
        self,
        master: RootKey,
        *,
        held: bool = False,
        standing: Mapping[str, Any] | None = None,
        place: Place | None = None,
    ) -> dict[str, Any]:
        """Return what the engine takes, with the material that verifies signatures.

        `held`: its account, or a principal above that, is out of use. `standing`: what the account
        is and stands under (`Tree.standing`). `place`: where its secret stands in the tree of
        keys, if that is known already.
        Raises:
            StoreError: its key was destroyed.
        """
        if self.derived:
            material = master.secret(self.key_id, self.generation, place).encode()
        elif self.algorithm == X509:
            material = bytes.fromhex(self.key_id)
        elif self.public_key is not None:
            material = self.public_key
        else:
            raise StoreError(f"the key of credential {self.key_id} was destroyed")
        return {
            "key_id": self.key_id,
            "material": base64.b64encode(material).decode(),
            "account": self.account,
            "expires_us": self.expires_us,
            "held": held,
            "standing": standing,
            **self.rights(),
        }

    def rights(self) -> dict[str, Any]:
        """Return of what the engine takes all that says nothing of whose it is."""
        return {
            "algorithm": self.algorithm,
            "scopes": list(self.scopes),
            "allow": list(EVERYWHERE if self.allow == (ANY,) else self.allow),
            "demands": {
                "coverage": "whole" if self.native else "venue",
                "certificates": list(self.certificates),
            },
            "state": self.state,
        }


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a credential's life: who brought it from `before` into `state`, why and when.

    `before` is None for its creation. `what` says in words what else than the state changed.
    `approvals` are those that it rests on. `serial` is never used twice in a store.
    """

    serial: int
    key_id: str
    before: str | None
    state: str
    who: str
    why: str
    time_us: int
    what: str = ""
    approvals: tuple[str, ...] = ()

    def shown(self) -> dict[str, Any]:
        """Return what people and `--json` see."""
        names = ("before", "state", "what", "who", "why", "time_us")
        return {**{name: getattr(self, name) for name in names}, "approvals": list(self.approvals)}


def iso(time_us: int | None) -> str:
    """Return a time as people read it, in UTC: 2027-01-31T00:00:00Z; "never" for None."""
    if time_us is None:
        return "never"
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_key_id(text: str) -> str:
    """Check a credential's id.

    Raises:
        KeyTextError: it is not 8 to 64 letters, digits, '_' or '-'.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{8,64}", text):
        hint = "use 8 to 64 letters, digits, '_' and '-', or leave it out"
        raise KeyTextError(f"{text!r} is not a credential id", hint=hint)
    return text


def read_scopes(words: Sequence[str]) -> tuple[str, ...]:
    """Return scopes in our order, each once.

    Raises:
        KeyTextError: there is none, one is unknown, or `admin` is not alone.
    """
    hint = "scopes: " + ", ".join(SCOPES)
    if not words:
        raise KeyTextError("a credential without a scope could do nothing", hint=hint)
    for word in words:
        if word not in SCOPES:
            raise KeyTextError(f"{word!r} is not a scope", hint=hint)
    if ADMIN in words and set(words) != {ADMIN}:
        said = "whoever administers does not trade with the same key"
        raise KeyTextError(said, hint=f"leave {ADMIN} out, or everything else")
    return tuple(scope for scope in SCOPES if scope in words)


def read_allow(words: Sequence[str], scopes: Sequence[str]) -> tuple[str, ...]:
    """Return networks in canonical form, each once, in the order given; or ("any",).

    Raises:
        KeyTextError: there is none, or one is no network; nobody is allowed by silence. Everybody
            is only allowed by the word `any`, and never to withdraw or to administer.
    """
    hint = "write --allow 203.0.113.7 or --allow 2001:db8::/48; `any` is every address"
    if not words:
        raise KeyTextError("a credential that no address may use is of no use", hint=hint)
    if ANY in words:
        if "withdraw" in scopes:
            hint = "name the addresses that may withdraw"
            raise KeyTextError("a credential that may withdraw is not for any address", hint=hint)
        if ADMIN in scopes:
            hint = "name the addresses that may administer"
            raise KeyTextError("a credential that administers is not for any address", hint=hint)
        return (ANY,)
    try:
        networks = dict.fromkeys(ipaddress.ip_network(word) for word in words)
    except ValueError as e:
        raise KeyTextError(f"not a network: {e}", hint=hint) from e
    everything = [network for network in joined(networks) if network.prefixlen == 0]
    if everything:
        said = f"together they are every address: {everything[0]}"
        raise KeyTextError(said, hint="if that is meant, write any")
    return tuple(str(network) for network in networks)


def joined(networks: Iterable[Network]) -> list[Network]:
    """Return the same addresses in as few networks as can be."""
    four = [one for one in networks if isinstance(one, ipaddress.IPv4Network)]
    six = [one for one in networks if isinstance(one, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)]
