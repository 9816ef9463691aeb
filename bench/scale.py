"""`python -m bench.scale [COUNT] [ALGORITHM]`: how long a store of COUNT credentials takes to the engine.

Lays the store in a temporary folder (an account each, all under one organisation), then starts an engine from it as
`serve` does, and weighs it. Prints one line of JSON. The algorithm is ed25519, or hmac-sha256, whose secrets are derived.
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
from bench.memory import resident_bytes
from ringfence import config
from ringfence.engine import Engine
from ringfence.identity import Credential, Store, open_master
from ringfence.identity.bulk import engine_records
from ringfence.identity.credential import HMAC
from ringfence.identity.database import Database
from ringfence.identity.rows import row_of
from ringfence.identity.schema import CREDENTIAL, DERIVATION, PRINCIPAL

__all__ = ["main"]

BATCH = 20_000


def fill(place: Path, count: int, algorithm: str) -> None:
    """Put `count` credentials under one organisation, as rows: their histories are not read here."""
    top = {"name": "bench", "kind": "organisation", "created_us": 1}
    with Database(place).transaction(writes=True) as db:
        db.execute(insert(PRINCIPAL).values(top))
        for start in range(0, count, BATCH):
            names = [f"bench-{n}" for n in range(start, min(start + BATCH, count))]
            accounts = [{"name": name, "parent": "bench", "created_us": 1} for name in names]
            db.execute(insert(PRINCIPAL), accounts)
            made = [credential(name, algorithm) for name in names]
            db.execute(insert(CREDENTIAL), [row_of(one) for one in made])
            if algorithm == HMAC:
                places = [
                    {"key_id": one.key_id, "account": one.account, "shard": 0} for one in made
                ]
                db.execute(insert(DERIVATION), places)


def credential(account: str, algorithm: str) -> Credential:
    """Return a new credential. Any 32 bytes will do for a public key: nobody signs by them here."""
    return Credential(
        key_id=secrets.token_hex(16),
        account=account,
        algorithm=algorithm,
        scopes=("read", "trade"),
        allow=("127.0.0.0/8",),
        state="active",
        created_us=1,
        public_key=None if algorithm == HMAC else secrets.token_bytes(32),
    )


def measure(folder: Path, count: int, algorithm: str) -> dict[str, float | str]:
    """Return seconds of wall clock and processor, and the bytes of a credential before its first use."""
    laid = lay(folder / "state", "127.0.0.1:1")
    store = Store(laid.store)
    fill(laid.store, count, algorithm)
    engine = Engine(config.load(laid.config).snapshot())
    before = resident_bytes()
    began, busy = time.perf_counter(), time.process_time()
    master = open_master(laid)
    engine.start(engine_records(store, master), shards=master.shards())
    ended, busy = time.perf_counter() - began, time.process_time() - busy
    grown = resident_bytes() - before
    assert engine.status()["credentials"] == count
    engine.stop(0)
    return {
        "credentials": count,
        "algorithm": algorithm,
        "whole_s": round(ended, 2),
        "processor_s": round(busy, 2),
        "bytes_each": round(grown / count),
    }


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    algorithm = sys.argv[2] if len(sys.argv) > 2 else HMAC
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), count, algorithm)))


if __name__ == "__main__":
    main()
