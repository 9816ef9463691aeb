"""`ringfence dialect`: which there are, how each signs, what one makes of a captured message."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from ringfence import config, engine
from ringfence.cli.say import JsonOption, pairs, say_json, table
from ringfence.config.problem import nearest
from ringfence.config.text import read_document
from ringfence.errors import DialectMissingError, FileError, MessageError
from ringfence.identity.keypair import read_public_key

__all__ = ["list_dialects", "show", "test"]

SECRET = "RINGFENCE_SECRET"  # noqa: S105
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A dialect; see `dialect list`.")]


def list_dialects(as_json: JsonOption = False) -> None:
    """List the dialects that come with Ringfence."""
    rows = [summary(name) for name in config.shipped_dialects()]
    if as_json:
        say_json([{key: row[key] for key in ("name", "holes", "frames")} for row in rows])
    else:
        heads = ["name", "signature", "not covered", "frames", "routes"]
        cells = [
            [
                row["name"],
                row["scheme"]["algorithms"][0] if row["scheme"] else "nothing is signed",
                row["holes"],
                row["frames"],
                len(row["routes"]),
            ]
            for row in rows
        ]
        table(heads, cells)


def show(name: NameArgument, as_json: JsonOption = False) -> None:
    """Show how a dialect signs, and what its signature does not cover."""
    said = summary(name)
    if as_json:
        say_json(said)
        return
    scheme = said["scheme"]
    if scheme is None:
        pairs([("name", said["name"]), ("signed", "nothing: it has market data only")])
    else:
        places = [(f"{what} in", place) for what, place in scheme["places"].items()]
        pairs(
            [
                ("name", said["name"]),
                ("signed", " + ".join(scheme["payload"])),
                ("algorithms", scheme["algorithms"]),
                *places,
                ("not covered", said["holes"]),
                ("frames", said["frames"]),
            ]
        )
        print(
            "What is not covered, Ringfence binds by spending a signature once (docs/adr/0004).\n"
        )
    heads = ["method", "path", "operation", "signed", "stream", "weight"]
    table(heads, [[route[head] for head in heads] for route in said["routes"]])


def test(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A captured request or frame.")],
    name: Annotated[str, typer.Option("--dialect", metavar="NAME", help="The dialect.")],
    secret_file: Annotated[
        Path | None,
        typer.Option(help=f"A file with the secret, or the public key in PEM; or ${SECRET}."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show every step from a captured message to its verdict. The secret is never shown."""
    dialect = written(name)
    key = secret(secret_file)
    text = content(file)
    if text.lstrip().startswith(b"{"):
        seen = engine.verify_frame(dialect, utf8(text, file), key)
        if seen is None:
            raise MessageError(f"{file} is no signed message of {name}")
    else:
        seen = engine.verify_request(dialect, captured(utf8(text, file), file), key)
    if as_json:
        say_json(seen)
    else:
        tell(seen)
    if not seen["verified"]:
        raise typer.Exit(1)


def tell(seen: dict[str, Any]) -> None:
    for number, (piece, text) in enumerate(seen.get("steps", []), start=1):
        print(f"{number:>3}  {piece}: {shown(text)}")
    rows = [("signed", shown(seen["payload"]))]
    if seen["otherwise"] is not None:
        rows.append(("or, unescaped", shown(seen["otherwise"])))
    rows += [
        ("key", seen["key_id"]),
        ("signature", seen["signature"]),
        ("time_us", str(seen["time_us"])),
        ("window_us", str(seen["window_us"])),
        ("verdict", "verified" if seen["verified"] else seen["code"]),
    ]
    pairs(rows)


def shown(text: str) -> str:
    """Return text on one line, each line end as `\\n`."""
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def captured(text: str, file: Path) -> engine.Request:
    """Read a request as it stood on the wire; line ends may be those of an editor."""
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    first, *lines = head.split("\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/"):
        raise MessageError(f"{file}:1: not `METHOD TARGET HTTP/1.1`")
    headers = []
    for number, line in enumerate((line for line in lines if line), start=2):
        name, colon, value = line.partition(":")
        if not colon:
            raise MessageError(f"{file}:{number}: not `Name: value`")
        headers.append((name, value.strip()))
    # An editor ends the last line; a form or JSON body never ends with one.
    return engine.Request(words[0], words[1], headers, body.rstrip("\n").encode())


def secret(file: Path | None) -> engine.Secret:
    """Return the key from the file or the environment, never from the command line."""
    if file is not None:
        raw = content(file).rstrip(b"\r\n")
    elif SECRET in os.environ:
        raw = os.environ[SECRET].encode()
    else:
        hint = f"give --secret-file, or set {SECRET}"
        raise MessageError("there is no secret to verify with", hint=hint)
    if b"-----BEGIN" in raw:
        return engine.Secret(*read_public_key(raw))
    return engine.Secret("hmac-sha256", raw)


def content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as e:
        raise FileError(f"cannot read {file}: {e.strerror}") from e


def utf8(raw: bytes, file: Path) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as e:
        raise MessageError(f"{file} is not UTF-8 text (byte {e.start})") from e


def summary(name: str) -> dict[str, Any]:
    return engine.check_dialect(written(name))


def written(name: str) -> dict[str, Any]:
    shipped = config.shipped_dialects()
    if name not in shipped:
        hint = nearest(name, list(shipped))
        raise DialectMissingError(f"no dialect {name} is shipped", hint=hint)
    value: dict[str, Any] = read_document(shipped[name]).value
    return value
