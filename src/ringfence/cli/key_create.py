"""`ringfence key create`: a new credential, whose secret is shown once."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ringfence.cli.key import WhyOption, keys, rows
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, pairs, say_json
from ringfence.config.folder import write_private
from ringfence.errors import (
    ConfigError,
    EngineError,
    FileError,
    KeyExistsError,
    KeyTextError,
    RoleError,
    ShardError,
    StepUpError,
)

__all__ = ["create", "expiry_us", "pem_text", "public_half", "say_created"]

UNITS_US = {"m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
HMAC = "hmac-sha256"


def create(
    account: Annotated[str, typer.Option(help="Whose orders these are.")],
    scope: Annotated[
        list[str], typer.Option(help="read, trade, withdraw, transfer or keys; an operator: admin.")
    ],
    allow: Annotated[list[str], typer.Option(help="A network that may use it (CIDR), or any.")],
    config: ConfigOption = DEFAULT_CONFIG,
    key_id: Annotated[str | None, typer.Option(help="An id of your own.")] = None,
    expires: Annotated[
        str | None, typer.Option(help="When it ends: 2027-01-31T00:00:00Z, or in 90d, 12h, 30m.")
    ] = None,
    algorithm: Annotated[
        str | None,
        typer.Option(help="hmac-sha256, ed25519, rsa-pkcs1-sha256 or ecdsa-p256-sha256."),
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option(help="PEM file with the client's public key.")
    ] = None,
    hmac: Annotated[
        bool, typer.Option("--hmac", help="A shared secret, for clients that sign with no other.")
    ] = False,
    generate_key: Annotated[
        Path | None, typer.Option(help="Write a new private key here and register its half.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="PEM file: the credential is this client certificate.")
    ] = None,
    require: Annotated[
        list[str] | None, typer.Option(help="native: take no signature that covers less.")
    ] = None,
    require_certificate: Annotated[
        list[Path] | None,
        typer.Option(help="PEM file: good only on connections with this client certificate."),
    ] = None,
    pre_active: Annotated[
        bool, typer.Option("--pre-active", help="Not good until `key resume`.")
    ] = False,
    shard: Annotated[
        int | None,
        typer.Option(min=0, max=2**31 - 1, help="The shard of a new account's HMAC secrets."),
    ] = None,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Create a credential: Ed25519, whose private half stays with the client; or --hmac.

    An HMAC secret is shown now and never again.
    """
    from ringfence.api import NewKey

    expires_us = expiry_us(expires, time.time_ns() // 1_000)
    own = None if certificate is None else pem_text(certificate)
    pems = [pem_text(path) for path in require_certificate or []]
    kind = chosen(algorithm, hmac, own, (public_key, generate_key))
    with public_half(kind, public_key, generate_key) as pem, keys(config) as service:
        wanted = NewKey(
            account,
            scope,
            allow,
            key_id,
            expires_us,
            pem,
            pre_active,
            why,
            own,
            require or [],
            pems,
            shard,
        )
        created = service.create(wanted)
    created["private_key_file"] = None if generate_key is None else str(generate_key)
    say_created(created, generate_key, as_json)


def say_created(created: dict[str, Any], generate_key: Path | None, as_json: bool) -> None:
    """Show a new credential, and its secret this once.

    Raises:
        EngineError: the running engine did not take it.
    """
    if as_json:
        say_json(created)
    else:
        pairs(rows(created))
        if created["secret"] is not None:
            pairs([("secret", created["secret"])])
            print("\nKeep the secret now: it will not be shown again.")
        if generate_key is not None:
            pairs([("private key", generate_key)])
    if (failure := created["engine_error"]) is not None:
        hint = "the credential is in the store; the gateway takes it when it starts again"
        raise EngineError(f"the running engine did not take it: {failure}", hint=hint)


def chosen(
    algorithm: str | None, hmac: bool, certificate: str | None, files: tuple[Path | None, ...]
) -> str | None:
    """Return the algorithm that was asked for; None: whatever the file says.

    Raises:
        KeyTextError: the options contradict each other, or name no key.
    """
    if hmac and algorithm not in (None, HMAC):
        raise KeyTextError(f"--hmac and --algorithm {algorithm} are both given", hint="keep one")
    if hmac or algorithm == HMAC:
        if certificate is not None or any(file is not None for file in files):
            raise KeyTextError("an HMAC key has no file", hint="leave --hmac or the file out")
        return HMAC
    if certificate is None and all(file is None for file in files):
        hint = "add --public-key FILE, or --generate-key FILE for a new pair; a client that"
        hint += " signs with a shared secret needs --hmac"
        raise KeyTextError(f"{algorithm or 'ed25519'} needs a public key", hint=hint)
    return algorithm


@contextmanager
def public_half(
    algorithm: str | None, given: Path | None, new: Path | None
) -> Iterator[str | None]:
    """Yield the public key's PEM text, or None for HMAC. A new private key goes if it is refused.

    Raises:
        KeyTextError: the options contradict each other.
        FileError: a file cannot be read or written.
    """
    from ringfence.identity.keypair import make_pair, read_public_key

    if given is None and new is None:
        if algorithm not in (None, HMAC):
            hint = "add --public-key FILE, or --generate-key FILE for a new pair"
            raise KeyTextError(f"{algorithm} needs a public key", hint=hint)
        yield None
    elif given is not None and new is not None:
        raise KeyTextError("--public-key and --generate-key are both given", hint="keep one")
    elif given is not None:
        pem = pem_text(given)
        found = read_public_key(pem.encode())[0]
        if algorithm not in (None, found):
            raise KeyTextError(f"{given} is {found}, not {algorithm}", hint="leave --algorithm out")
        yield pem
    elif new is not None:
        private, public = make_pair(algorithm or "ed25519")
        write_private(new, private)
        try:
            yield public.decode()
        except (
            ConfigError,
            FileError,
            KeyExistsError,
            KeyTextError,
            RoleError,
            ShardError,
            StepUpError,
        ):
            # Only these say for sure that the other half is registered nowhere.
            new.unlink(missing_ok=True)
            raise


def expiry_us(text: str | None, now_us: int) -> int | None:
    """Read a time with its zone, or a duration from `now_us` on, as microseconds since the epoch.

    Raises:
        KeyTextError: it is neither, or says no zone.
    """
    if text is None:
        return None
    if lasts := re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", text):
        return now_us + int(lasts[1]) * UNITS_US[lasts[2]]
    hint = "write 2027-01-31T00:00:00Z, or how long: 90d, 12h, 30m"
    try:
        end = datetime.fromisoformat(text)
    except ValueError as e:
        raise KeyTextError(f"{text!r} is not a time", hint=hint) from e
    if end.tzinfo is None:
        raise KeyTextError(f"{text!r} does not say its zone", hint=hint)
    return int(end.timestamp()) * 1_000_000


def pem_text(path: Path) -> str:
    """Return a PEM file's text.

    Raises:
        FileError: it cannot be read.
    """
    try:
        return path.read_text("ascii")
    except (OSError, ValueError) as e:
        raise FileError(f"cannot read {path} as PEM text") from e
