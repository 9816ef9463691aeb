"""Who receives: a syslog server over TLS, an OTLP collector, a webhook.

A batch is delivered when the receiver has said so: by 2xx over HTTP; over syslog, which has no
answer, by ending the TLS session after it has read all of it.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from ringfence.errors import FileError, LedgerError
from ringfence.ledger.export import Record
from ringfence.ledger.export.lines import otlp, syslog

__all__ = ["Receiver", "Unreached", "receiver"]

TIMEOUT_SECONDS = 10.0
SYSLOG_TLS_PORT = 6514
"""RFC 5425 4.1."""
OTLP_PATH = "/v1/logs"

Receiver = Callable[[Sequence[Record]], None]
"""Delivers a batch, or raises Unreached."""


class Unreached(Exception):  # noqa: N818  a state of the world, tried again; not shown to users
    """The receiver did not take a batch. It is sent again, whole."""


@dataclass(frozen=True, slots=True)
class Channel:
    """How to reach an HTTP receiver."""

    secure: bool
    host: str
    port: int | None
    path: str
    tls: ssl.SSLContext
    token: str | None


def receiver(url: str, ca: Path | None = None, token_file: Path | None = None) -> Receiver:
    """Return the receiver at `url`.

    `syslog+tls://HOST[:PORT]`, `otlp+http[s]://HOST[:PORT][/PATH]`, `webhook+http[s]://...`.
    `ca` is a PEM file that its certificate must lead to, in place of the system's roots.

    Raises:
        LedgerError: `url` is none of these.
        FileError: `ca` or `token_file` cannot be read.
    """
    parts = urlsplit(url)
    kind, _, carrier = parts.scheme.partition("+")
    if not parts.hostname or (kind, carrier) not in KINDS:
        hint = "syslog+tls://HOST:PORT, otlp+https://HOST:PORT or webhook+https://HOST:PORT/PATH"
        raise LedgerError(f"{url} is no receiver", hint=hint, code="ledger_ship")
    if parts.username or parts.password:
        hint = "put the token into a file that only you can read: --token-file FILE"
        raise LedgerError("a receiver's URL holds no secret", hint=hint, code="ledger_ship")
    return KINDS[kind, carrier](parts, context(ca), token(token_file))


def context(ca: Path | None) -> ssl.SSLContext:
    """Return the TLS that a receiver must speak: 1.2 or later, its certificate verified."""
    try:
        made = ssl.create_default_context(cafile=None if ca is None else str(ca))
    except OSError as e:
        raise FileError(f"cannot read the certificates {ca}: {e.strerror or e}") from e
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def token(file: Path | None) -> str | None:
    """Return the bearer token in `file`."""
    if file is None:
        return None
    try:
        return file.read_text("ascii").strip()
    except (OSError, ValueError) as e:
        raise FileError(f"cannot read the token file {file}: {e}") from e


def to_syslog(parts: SplitResult, tls: ssl.SSLContext, _token: str | None) -> Receiver:
    """Return a receiver by RFC 5425: each message with its length in octets before it."""
    host, port = str(parts.hostname), parts.port or SYSLOG_TLS_PORT

    def send(records: Sequence[Record]) -> None:
        messages = [syslog(record).rstrip("\n").encode() for record in records]
        content = b"".join(b"%d %s" % (len(message), message) for message in messages)
        try:
            plain = socket.create_connection((host, port), TIMEOUT_SECONDS)
            with tls.wrap_socket(plain, server_hostname=host) as connection:
                connection.sendall(content)
                # Our close_notify stands behind the last message: who answers it has read that.
                closing_with(connection)
        except OSError as e:
            raise Unreached(f"{host}:{port}: {e}") from e

    return send


def closing_with(connection: ssl.SSLSocket) -> None:
    """End the session and wait until the other side has.

    Raises:
        OSError: it broke off instead.
    """
    try:
        connection.unwrap().close()
    except ssl.SSLEOFError:
        # The connection's end alone: had it not read everything, its system would have reset it.
        return


def to_http(
    form: Callable[[Sequence[Record]], bytes],
    parts: SplitResult,
    tls: ssl.SSLContext,
    bearer: str | None,
    default_path: str,
) -> Receiver:
    """Return a receiver that takes `form` by POST and answers 2xx."""
    path = parts.path if parts.path not in ("", "/") else default_path
    path += f"?{parts.query}" if parts.query else ""
    secure = parts.scheme.endswith("https")
    channel = Channel(secure, str(parts.hostname), parts.port, path, tls, bearer)
    return lambda records: post(channel, form(records))


def post(channel: Channel, body: bytes) -> None:
    """Send one request.

    Raises:
        Unreached: there is no answer, or it is not 2xx.
    """
    connection: http.client.HTTPConnection
    if channel.secure:
        connection = http.client.HTTPSConnection(
            channel.host, channel.port, timeout=TIMEOUT_SECONDS, context=channel.tls
        )
    else:
        connection = http.client.HTTPConnection(channel.host, channel.port, timeout=TIMEOUT_SECONDS)
    headers = {"Content-Type": "application/json"}
    if channel.token is not None:
        headers["Authorization"] = f"Bearer {channel.token}"
    with closing(connection):
        try:
            connection.request("POST", channel.path, body, headers)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as e:
            raise Unreached(f"{channel.host}: {e}") from e
    if not 200 <= response.status < 300:
        raise Unreached(f"{channel.host} answered {response.status}")


def otlp_batch(records: Sequence[Record]) -> bytes:
    """Return one ExportLogsServiceRequest for all records."""
    whole = [json.loads(otlp(record))["resourceLogs"][0] for record in records]
    logs = [one["scopeLogs"][0]["logRecords"][0] for one in whole]
    whole[0]["scopeLogs"][0]["logRecords"] = logs
    return json.dumps({"resourceLogs": whole[:1]}, separators=(",", ":")).encode()


def webhook_batch(records: Sequence[Record]) -> bytes:
    """Return a JSON array of {index, leaf_hash, entry}."""
    rows = [{"index": r.index, "leaf_hash": r.leaf, "entry": r.entry} for r in records]
    return json.dumps(rows, separators=(",", ":")).encode()


KINDS: dict[tuple[str, str], Callable[[SplitResult, ssl.SSLContext, str | None], Receiver]] = {
    ("syslog", "tls"): to_syslog,
    ("otlp", "http"): partial(to_http, otlp_batch, default_path=OTLP_PATH),
    ("otlp", "https"): partial(to_http, otlp_batch, default_path=OTLP_PATH),
    ("webhook", "http"): partial(to_http, webhook_batch, default_path="/"),
    ("webhook", "https"): partial(to_http, webhook_batch, default_path="/"),
}
