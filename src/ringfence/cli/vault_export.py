"""`ringfence vault recipient`, `vault export ask|take`: what leaves one vault for another."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ringfence.cli.attach import attached
from ringfence.cli.key import WhyOption
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, pairs, say_json
from ringfence.config.folder import write_private
from ringfence.errors import ExportError, FileError

__all__ = ["ask", "recipient", "take"]

NO_GATEWAY = "owners have to ask it and approve there: start the gateway first"


def recipient(
    key: Annotated[Path, typer.Argument(metavar="KEYFILE", help="Where to put the private key.")],
    as_json: JsonOption = False,
) -> None:
    """Make the key that an export is sealed to, on the machine that it is for.

    KEYFILE stays there; KEYFILE.pub goes to who exports. Compare fingerprints by another way.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from ringfence.config.certificate import private_pem
    from ringfence.identity.export import Recipient

    public = key.with_name(f"{key.name}.pub")
    if public.exists():
        raise FileError(f"{public} is there already", hint="name another file")
    made = X25519PrivateKey.generate()
    own = Recipient.of(made)
    write_private(key, private_pem(made))
    write_private(public, f"{own.line()}\n".encode())
    if as_json:
        said = {"key": str(key), "public": str(public), "recipient": own.line()}
        say_json({**said, "fingerprint": own.fingerprint})
        return
    pairs([("private key", key), ("public key", public), ("fingerprint", own.fingerprint)])


def ask(
    to: Annotated[Path, typer.Option(help="The recipient's KEYFILE.pub.")],
    config: ConfigOption = DEFAULT_CONFIG,
    key: Annotated[list[str] | None, typer.Option(help="A venue key, by its name.")] = None,
    shard: Annotated[
        int | None, typer.Option(min=0, max=2**31 - 1, help="Or a shard: subtree and credentials.")
    ] = None,
    why: WhyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Ask for an export of venue keys, or of a shard. Another owner must approve it."""
    from ringfence.api.export_files import NewExport

    try:
        line = to.read_text("ascii")
    except (OSError, ValueError):
        raise FileError(f"cannot read {to} as text") from None
    with attached(config) as (_folder, gateway, _who):
        if gateway is None:
            raise ExportError("no gateway runs that could be asked", hint=NO_GATEWAY)
        asked = gateway.ask_export(NewExport(line, key or [], shard, why))
    if as_json:
        say_json(asked)
        return
    until = datetime.fromtimestamp(asked["expires_us"] / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
    print(f"asked for as {asked['id']}, sealed to {asked['parameters']['fingerprint']}")
    print(f"Another owner runs `ringfence approval approve {asked['id']}` until {until} UTC;")
    print(f"then you: `ringfence vault export take {asked['id']} --out FILE`")


def take(
    name: Annotated[str, typer.Argument(metavar="ID", help="The approved request's id.")],
    out: Annotated[Path, typer.Option(help="A new file for what is exported.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Take what was approved, once. Only the recipient's private key opens the file."""
    from ringfence.api.export_files import ACT

    with attached(config) as (_folder, gateway, _who):
        if gateway is None:
            raise ExportError("no gateway runs that could be asked", hint=NO_GATEWAY)
        if (act := gateway.approval(name)["act"]) != ACT:
            hint = f"`ringfence approval execute {name}`"
            raise ExportError(f"{name} is no export, but {act}", hint=hint)
        if out.exists() or not out.parent.is_dir():
            # An approval is spent by one execution, whatever becomes of its answer.
            raise FileError(f"{out} cannot be written", hint="name a new file in a folder")
        done = gateway.execute_approval(name)
    write_private(out, base64.b64decode(done.pop("file")))
    if as_json:
        say_json({**done, "out": str(out)})
        return
    pairs([("what", done["what"]), ("sealed to", done["fingerprint"]), ("sha256", done["sha256"])])
    print(f"\n{out} is good for 24 hours. Tell the other side the SHA-256 by another way.")
