"""`ringfence key rotate`, `scope` and `expire`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ringfence.cli.key import KeyArgument, WhyOption, keys, moment, say_changed
from ringfence.cli.key_create import expiry_us, pem_text, public_half, say_created
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption
from ringfence.errors import KeyTextError

__all__ = ["expire", "rotate", "scope"]


def rotate(
    key_id: KeyArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    overlap: Annotated[
        str, typer.Option(help="How long both are good: 24h, 7d, 30m, or 0 for not at all.")
    ] = "24h",
    public_key: Annotated[
        Path | None, typer.Option(help="PEM file with the client's new public key.")
    ] = None,
    generate_key: Annotated[
        Path | None, typer.Option(help="Write a new private key here and register its half.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="PEM file with the client's new certificate.")
    ] = None,
    new_id: Annotated[str | None, typer.Option("--key-id", help="The successor's id.")] = None,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Give a credential a successor; the old one ends after the overlap.

    HMAC needs no file: its next generation is derived, and its secret is shown this once.
    """
    from ringfence.api import Successor

    overlap_us = span_us(overlap)
    own = None if certificate is None else pem_text(certificate)
    with keys(config) as service:
        algorithm = service.one(key_id)["algorithm"]
        with public_half(algorithm if generate_key else None, public_key, generate_key) as pem:
            created = service.rotate(key_id, Successor(overlap_us, pem, own, new_id, why))
    created["private_key_file"] = None if generate_key is None else str(generate_key)
    say_created(created, generate_key, as_json)
    if not as_json:
        print(f"\n{key_id} is good until {moment(created['predecessor_expires_us'])}")


def scope(
    key_id: KeyArgument,
    scope: Annotated[list[str], typer.Option(help="All that it may do from now on.")],
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Put other scopes in the place of a credential's: fewer at once, more by step-up."""
    with keys(config) as service:
        changed = service.rescope(key_id, scope, why)
    say_changed(f"{key_id} may {', '.join(changed['scopes'])}", changed, as_json)


def expire(
    key_id: KeyArgument,
    when: Annotated[str, typer.Argument(help="2027-01-31T00:00:00Z, or in 90d, 12h, 30m.")],
    config: ConfigOption = DEFAULT_CONFIG,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let a credential end at another time: sooner at once, later by step-up."""
    end_us = expiry_us(when, time.time_ns() // 1_000)
    with keys(config) as service:
        changed = service.expire(key_id, end_us or 0, why)
    say_changed(f"{key_id} ends {moment(changed['expires_us'])}", changed, as_json)


def span_us(text: str) -> int:
    """Read how long something lasts, in µs.

    Raises:
        KeyTextError: it is no such time.
    """
    try:
        return 0 if text == "0" else expiry_us(text, 0) or 0
    except KeyTextError:
        raise KeyTextError(f"{text!r} is no span", hint="write 24h, 7d, 30m or 0") from None
