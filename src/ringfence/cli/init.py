"""`ringfence init`: lay a state folder with configuration, keys, certificate and store."""

from __future__ import annotations

import base64
import os
import platform
import re
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ringfence.cli.say import JsonOption, pairs, say_json
from ringfence.cli.unlock import unlock
from ringfence.cli.vault_seal import elsewhere
from ringfence.config.folder import Folder, write_private
from ringfence.errors import ConfigError, FileError

if TYPE_CHECKING:
    from ringfence.config import Loaded

__all__ = ["init"]

ATTESTATION_BYTES = 32


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to lay.")],
    upstream: Annotated[str, typer.Option(help="The venue, as https://HOST.")],
    profile: Annotated[str, typer.Option(help="A shipped starting point.")] = "binance-spot",
    listen: Annotated[str, typer.Option(help="Where clients connect.")] = "127.0.0.1:8443",
    node: Annotated[str | None, typer.Option(help="The gateway's name.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Listen without TLS.")] = False,
    egress: Annotated[
        bool, typer.Option("--egress", help="Stand before a firm's bots, and sign for the venue.")
    ] = False,
    seal: Annotated[
        str, typer.Option(help="folder, passphrase, file:PATH, pkcs11:URI or transit:URL.")
    ] = "folder",
    for_shard: Annotated[
        bool, typer.Option("--for-shard", help="Without a master key: `vault import` brings one.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Lay a state folder. Nothing that exists is overwritten."""
    from ringfence import config, engine
    from ringfence.config.profile import fill
    from ringfence.identity.secret import MASTER_BYTES

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileError(f"{folder} is there already and not empty", hint="name a new folder")
    name = node or default_node()
    # Built beside its place and renamed: what is there is whole, or not there.
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as e:
        raise FileError(f"cannot create {folder}: {e.strerror}") from e
    try:
        text = fill(
            profile, node=name, listen=listen, upstream=upstream, plain=plain, egress=egress
        )
        lay(Folder(draft), text, None if plain else listen)
        if not for_shard:
            write_private(
                Folder(draft).master_key, secrets.token_hex(MASTER_BYTES).encode() + b"\n"
            )
        loaded = config.load(draft / "ringfence.yaml")
        config.check(loaded)
        seal_with(seal, Folder(draft), loaded, folder)
        vkey = engine.ledger_vkey(
            Path(loaded.path(loaded.config.ledger.key)), loaded.config.ledger.origin
        )
        draft.replace(folder)
    except ConfigError as e:
        # The draft is about to go: name the lines as they would have been.
        problems = [what.replace(str(draft), str(folder)) for what in e.problems]
        said = e.hint if e.hint != ConfigError.hint else "nothing was laid; correct the options"
        raise ConfigError(problems, hint=said) from e
    except OSError as e:
        raise FileError(f"cannot create {folder}: {e.strerror}") from e
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    report(folder, name, vkey, plain, as_json, seal, for_shard)


def seal_with(word: str, draft: Folder, loaded: Loaded, folder: Path) -> None:
    """Seal the keys of what was laid, unless the folder itself is to be all that keeps them."""
    from ringfence.identity.opened import key_files
    from ringfence.identity.seal.folder import rewrap
    from ringfence.identity.seal.kek import make_kek

    if word == "folder":
        return
    elsewhere(word, folder)
    source = unlock()
    kek = make_kek(word, source)
    try:
        rewrap(draft, None, kek, key_files(loaded))
    finally:
        source.forget()
        kek.close()


def lay(folder: Folder, text: str, tls: str | None) -> None:
    """Write everything into the empty `folder`; `tls` is the address to certify."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from ringfence.api import ensure_owner
    from ringfence.config.certificate import issue, private_pem
    from ringfence.identity import Store

    write_private(folder.config, text.encode())
    attestation = base64.b64encode(secrets.token_bytes(ATTESTATION_BYTES)) + b"\n"
    write_private(folder.path / "keys" / "attestation.key", attestation)
    write_private(folder.path / "keys" / "ledger.key", private_pem(Ed25519PrivateKey.generate()))
    if tls is not None:
        files = issue(tls)
        write_private(folder.path / "tls" / "ca.pem", files.ca)
        write_private(folder.path / "tls" / "server.pem", files.certificate)
        write_private(folder.path / "tls" / "server.key", files.key)
    (folder.path / "ledger").mkdir(mode=0o700)
    ensure_owner(Store.create(folder.store).principals, os.getuid())


def report(
    folder: Path, node: str, vkey: str, plain: bool, as_json: bool, seal: str, for_shard: bool
) -> None:
    """Say what was laid and what comes next."""
    file = folder / "ringfence.yaml"
    ca = None if plain else str(folder / "tls" / "ca.pem")
    if as_json:
        answer = {"folder": str(folder), "config": str(file), "node": node}
        say_json({**answer, "ca": ca, "ledger_vkey": vkey})
        return
    pairs([("configuration", file), ("clients trust", ca), ("ledger vkey", vkey)])
    if ca is not None:
        print("\nThe certificate is for development: it is signed by a CA made just now. Replace")
        print(f"{folder / 'tls'}/server.pem and server.key by your own before others connect.")
    if seal == "folder":
        print(
            "\nThe keys lie in the folder in the clear, for its owner alone: who has a copy of it"
        )
        print("has them. `ringfence vault rewrap --to …` seals them under a key from elsewhere.")
    print(f"\nKeep the ledger vkey elsewhere: it proves later that {node}'s ledger is unchanged.")
    if for_shard:
        print(
            "Next: ringfence vault recipient KEYFILE\n"
            f"      ringfence vault import FILE --key KEYFILE -c {file}"
        )
        return
    print(
        f"Next: ringfence key create -c {file} --account NAME --scope read --scope trade"
        f" --allow 127.0.0.1/32 --hmac\n      ringfence serve -c {file}"
    )


def default_node() -> str:
    """Return this host's short name where it can be a node's name."""
    host = platform.node().split(".")[0]
    return host if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", host) else "gw1"
