"""`ringfence witness serve`: cosign what continues, refuse forks and rollbacks."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from typing import Annotated

import typer

from ringfence.cli.say import JsonOption, say_json
from ringfence.errors import FileError

__all__ = ["serve"]

BACKLOG = 256


def serve(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The witness's folder.")] = Path(),
    listen: Annotated[str, typer.Option(help="Where it listens.")] = "127.0.0.1:8470",
    tls_cert: Annotated[Path | None, typer.Option(help="A certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Run a witness (C2SP tlog-witness) until SIGTERM. Prints one line when it is ready."""
    import uvicorn

    from ringfence.witness import Folder, State, app

    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise typer.BadParameter(f"{listen!r} is not HOST:PORT, such as 127.0.0.1:8470")
    if (tls_cert is None) != (tls_key is None):
        raise typer.BadParameter("--tls-cert and --tls-key go together")
    files = Folder(folder)
    made = app(State(files.state_file), files.cosigner(), files.logs())
    try:
        listener = socket.create_server((host.strip("[]"), int(port)), backlog=BACKLOG)
    except OSError as e:
        raise FileError(f"cannot listen on {listen}: {e.strerror}") from e
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn ends on them and then raises them again, which would look like a crash.
        signal.signal(number, lambda *_: None)
    scheme = "https" if tls_cert else "http"
    url = f"{scheme}://{host}:{listener.getsockname()[1]}"
    say_json({"url": url}) if as_json else print(f"witness on {url}", flush=True)
    config = uvicorn.Config(
        made, log_level="warning", ssl_certfile=tls_cert, ssl_keyfile=tls_key, lifespan="off"
    )
    uvicorn.Server(config).run(sockets=[listener])
