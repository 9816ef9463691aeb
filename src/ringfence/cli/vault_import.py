"""`ringfence vault import`: what another vault exported for this one, all of it or nothing."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ringfence import config as configuration
from ringfence import engine
from ringfence.cli.attach import attached
from ringfence.cli.key import WhyOption
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, pairs, say_json
from ringfence.cli.unlock import unlock
from ringfence.cli.vault import vaults
from ringfence.errors import ExportError, FileError, RunningError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from ringfence.identity.export import Head
    from ringfence.identity.shard import Shard

__all__ = ["import_file"]


def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What the other side exported.")],
    key: Annotated[Path, typer.Option(help="The private key that it is sealed to.")],
    config: ConfigOption = DEFAULT_CONFIG,
    sha256: Annotated[
        str | None, typer.Option(help="FILE's SHA-256, as the other side says it is.")
    ] = None,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take venue keys or a shard into a state folder whose gateway does not run.

    What is there already is never overwritten.
    """
    from ringfence.api.export_files import words
    from ringfence.identity.export import MAX_BYTES, digest, opened, read_head

    try:
        raw = file.read_bytes() if file.stat().st_size <= MAX_BYTES else b""
    except OSError as e:
        raise FileError(f"cannot read {file}: {e.strerror}") from e
    found = digest(raw)
    confirmed(read_head(raw), found, sha256)
    head, content = opened(raw, private_key(key), time.time_ns() // 1_000)
    about: dict[str, str | int] = {"what": words(head.what), "sha256": found}
    about |= {"from": head.gateway, "approval": head.approval}
    if "shard" in head.what:
        take_shard(config, content, about, why)
    else:
        take_keys(config, content, about, why)
    if as_json:
        say_json({"what": head.what, "from": head.gateway, "sha256": found})
        return
    print(f"taken in: {words(head.what)}")
    print(f"Remove {file} and {key}: together they are what was taken in.")


def confirmed(head: Head, found: str, said: str | None) -> None:
    """Make sure that somebody says that this file is the one: anybody can seal to a public key.

    Raises:
        ExportError: `export_unconfirmed`: it is another, or nobody is there to say.
    """
    from ringfence.api.export_files import words

    if said is not None:
        if said.strip().lower() != found:
            hint = "take what the other side sent, or its SHA-256, again"
            code = "export_unconfirmed"
            raise ExportError(f"this file's SHA-256 is {found}", hint=hint, code=code)
        return
    if not sys.stdin.isatty():
        hint = f"ask the other side for its SHA-256, and give it: --sha256 {found[:8]}…"
        raise ExportError("nobody says whose file this is", hint=hint, code="export_unconfirmed")
    made = datetime.fromtimestamp(head.made_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M UTC")
    pairs([("what", words(head.what)), ("from", f"{head.gateway}, {made}"), ("sha256", found)])
    typer.confirm("\nDoes the other side name this very SHA-256?", abort=True)


def private_key(path: Path) -> X25519PrivateKey:
    """Return a recipient's private key.

    Raises:
        SealError: the file cannot be read, or others may use it.
        ExportError: `export_recipient`: it is none.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    from ringfence.identity.seal.unlock import read_private, wiped

    with wiped(read_private(path, "private key")) as text:
        try:
            key = load_pem_private_key(text, password=None)
        except (ValueError, TypeError):
            key = None
    if not isinstance(key, X25519PrivateKey):
        hint = "name the KEYFILE of `ringfence vault recipient`"
        raise ExportError(f"{path} is no X25519 key", hint=hint, code="export_recipient")
    return key


def take_keys(config: Path, content: bytes, about: dict[str, str | int], why: str) -> None:
    """Take venue keys into the vault."""
    from ringfence.api import AskedVault
    from ringfence.identity.vault import opened_key

    try:
        keys = [opened_key(row) for row in json.loads(content)]
    except (ValueError, KeyError, TypeError):
        raise ExportError("the export holds no venue keys", code="export_damaged") from None
    with vaults(config) as service:
        if not isinstance(service, AskedVault):
            raise runs()
        service.take_in(keys, about, why)


def take_shard(config: Path, content: bytes, about: dict[str, str | int], why: str) -> None:
    """Make a folder without a master key that of one shard."""
    from ringfence.api import ensure_owner
    from ringfence.identity import Store
    from ringfence.identity.derivation import Places
    from ringfence.identity.opened import key_files, laid
    from ringfence.identity.seal.folder import open_folder, rewrap, sealing
    from ringfence.identity.shard import Shard

    shard = Shard.decode(content)
    with attached(config) as (folder, gateway, who):
        if gateway is not None:
            raise runs()
        loaded = configuration.load(config)
        store = Store(loaded.store())
        ensure_owner(store.principals, folder.path.stat().st_uid)
        with sealing(folder), open_folder(folder, unlock(loaded)) as opening:
            shard.needs_key(folder, store)
            with laid(loaded, opening, root=shard.subtree(Places(loaded.store()))) as state:
                alone = engine.Engine(state.snapshot()).event_alone
                alone("vault.imported", told(about, shard, who, why))
            shard.install(folder, store, who, why)
            if opening is not None:
                rewrap(folder, opening, None, key_files(loaded))


def told(about: dict[str, str | int], shard: Shard, who: str, why: str) -> dict[str, Any]:
    """Return what the ledger says of a shard that comes in."""
    from ringfence.api.telling import read_why

    why = read_why(why)
    return {**about, "shard": shard.key.shard, "who": who} | ({"why": why} if why else {})


def runs() -> RunningError:
    """Return what is said while a gateway runs."""
    hint = "stop it first: it starts with all of what was taken in"
    return RunningError("a gateway runs in this folder", hint=hint)
