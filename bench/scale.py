"""`python -m bench.scale [COUNT]`: how long a store of COUNT credentials takes to the engine.

Lays the store in a temporary folder (Ed25519 keys, an account each, all under one organisation),
then starts an engine from it as `serve` does, and weighs it. Prints one line of JSON.
"""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import insert

from bench.gateway import lay
from bench.memory import weigh
from ringfence import config
from ringfence.engine import Engine
from ringfence.identity import Credential, Store, open_master
from ringfence.identity.bulk import engine_records
from ringfence.identity.database import Database
from ringfence.identity.rows import row_of
from ringfence.identity.schema import CREDENTIAL, PRINCIPAL

__all__ = ["main"]

BATCH = 20_000


def fill(place: Path, count: int) -> None:
    """Put `count` credentials under one organisation, as rows: their histories are not read here."""
    top = {"name": "bench", "kind": "organisation", "created_us": 1}
    with Database(place).transaction(writes=True) as db:
        db.execute(insert(PRINCIPAL).values(top))
        for start in range(0, count, BATCH):
            names = [f"bench-{n}" for n in range(start, min(start + BATCH, count))]
            accounts = [{"name": name, "parent": "bench", "created_us": 1} for name in names]
            db.execute(insert(PRINCIPAL), accounts)
            db.execute(insert(CREDENTIAL), [row_of(credential(name)) for name in names])


def credential(account: str) -> Credential:
    """Return a new credential. Any 32 bytes will do: nobody signs by them here."""
    return Credential(
        key_id=secrets.token_hex(16),
        account=account,
        algorithm="ed25519",
        scopes=("read", "trade"),
        allow=("127.0.0.0/8",),
        state="active",
        created_us=1,
        public_key=secrets.token_bytes(32),
    )


def measure(folder: Path, count: int) -> dict[str, float]:
    """Return seconds of wall clock and processor for each step, and the bytes of a credential."""
    laid = lay(folder / "state", "127.0.0.1:1")
    store = Store(laid.store)
    fill(laid.store, count)
    loaded = config.load(laid.config)
    began, busy = time.perf_counter(), time.process_time()
    records = engine_records(store, open_master(laid))
    read = time.perf_counter()
    engine = Engine(loaded.snapshot())
    engine.start(records)
    ended, busy = time.perf_counter(), time.process_time() - busy
    assert engine.status()["credentials"] == count
    engine.stop(0)
    return {
        "credentials": count,
        "read_s": round(read - began, 2),
        "start_s": round(ended - read, 2),
        "whole_s": round(ended - began, 2),
        "processor_s": round(busy, 2),
        "bytes_each": round(weigh(laid.config, min(count, 100_000))),
    }


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), count)))


if __name__ == "__main__":
    main()
