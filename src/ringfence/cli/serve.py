"""`ringfence serve`: run the gateway until SIGTERM or SIGINT, then drain."""

from __future__ import annotations

import hashlib
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from ringfence import config as configuration
from ringfence.cli.say import ConfigOption, JsonOption, say_json
from ringfence.config.folder import Folder
from ringfence.engine import Engine

__all__ = ["serve"]

DEFAULT_CONFIG = Path("ringfence.yaml")
STOP = {signal.SIGTERM, signal.SIGINT}


def serve(
    config: ConfigOption = DEFAULT_CONFIG,
    drain_ms: Annotated[
        int, typer.Option(min=0, max=600_000, help="How long open requests may take to end.")
    ] = 5_000,
    as_json: JsonOption = False,
) -> None:
    """Run the gateway in the foreground. Prints one line when it is ready."""
    from ringfence.api import KeyService
    from ringfence.api.server import app, serving
    from ringfence.identity import MasterKey, Store

    loaded = configuration.load(config)
    configuration.check(loaded)
    folder = Folder(loaded.folder)
    with folder.held():
        store, master = Store(folder.store), MasterKey.read(folder.master_key)
        # Blocked before any thread starts, so that every thread inherits it and only the
        # sigwait below receives them.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
        snapshot = loaded.snapshot()
        engine = Engine(snapshot)
        addresses = engine.start()
        try:
            # So that the ledger tells by which configuration its decisions were made.
            engine.event("config.loaded", {"sha256": hashlib.sha256(snapshot).hexdigest()})
            # Until this is done the gateway refuses by `credential_unknown`: it fails closed.
            engine.put_credentials([one.for_engine(master) for one in store.all()])
            keys = KeyService(store, master, engine)
            with serving(app(keys, engine), folder.socket):
                ready(addresses, loaded, folder, as_json)
                signal.sigwait(STOP)
                # A second signal ends at once whoever does not want to wait for the drain.
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        finally:
            engine.stop(drain_ms)


def ready(
    addresses: list[str], loaded: configuration.Loaded, folder: Folder, as_json: bool
) -> None:
    """Say where the gateway listens. Programs wait for this line."""
    if as_json:
        node, socket = loaded.config.node, str(folder.socket)
        say_json({"addresses": addresses, "node": node, "socket": socket})
        return
    for listener, address in zip(loaded.config.listeners, addresses, strict=True):
        scheme = "http" if listener.plain else "https"
        print(f"{listener.name}: {scheme}://{address} ({listener.dialect})")
    print(f"upstream: {loaded.config.upstream.url}")
    sys.stdout.flush()
