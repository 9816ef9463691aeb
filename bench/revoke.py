"""`python -m bench.revoke [ROUNDS]`: whether anything is accepted that was asked after a suspension's return.

A gateway under load; beside the load one client reads with one key as fast as it is answered, and the
admin API suspends and resumes that key. Prints one line of JSON. Start with `make bench`: it builds the load.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import multiprocessing
import random
import socket
import sys
import tempfile
import time
from contextlib import ExitStack
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

from bench.drive import LOAD, LOAD_CORE, Work, driving
from bench.gateway import Setting, credentials, lay, ringfence
from bench.server import BenchError, free_address, serving
from ringfence.api import Client, NewKey

__all__ = ["main"]

LOAD_PER_S = 4_000
ROUND_S = 0.06
"""No round takes longer, on the slowest machine; the load lasts as long as all."""
Span = tuple[int, int]
"""Two times of CLOCK_MONOTONIC in nanoseconds, which all processes share."""


def read_on(address: str, key_id: str, secret: str, over: Event, told: Connection) -> None:
    """Read with a key until `over`; tell of each accepted read when it was asked and answered."""
    host, _, port = address.partition(":")
    accepted: list[Span] = []
    with socket.create_connection((host, int(port))) as opened:
        answers = opened.makefile("rb")
        told.send(None)
        while not over.is_set():
            query = f"timestamp={time.time_ns() // 1_000_000}"
            signed = hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()
            head = f"GET /api/v3/account?{query}&signature={signed} HTTP/1.1\r\nHost: bench\r\n"
            asked = time.monotonic_ns()
            opened.sendall(f"{head}X-MBX-APIKEY: {key_id}\r\n\r\n".encode())
            status, length = answers.readline().split()[1], 0
            while (line := answers.readline().lower().strip()) != b"":
                length = int(line.split(b":")[1]) if line.startswith(b"content-length") else length
            answers.read(length)
            if status == b"200":
                accepted.append((asked, time.monotonic_ns()))
    told.send(accepted)


def suspend_and_resume(admin: Client, key_id: str, rounds: int) -> tuple[list[Span], list[int]]:
    """Return when the key was out of use, and how long the engine took each time in microseconds."""
    out, took = [], []
    for _ in range(rounds):
        time.sleep(random.uniform(0, 0.002))
        changed = admin.step(key_id, "suspend", "bench")
        returned = time.monotonic_ns()
        took.append(changed["effective_us"])
        time.sleep(random.uniform(0, 0.002))
        out.append((returned, time.monotonic_ns()))
        admin.step(key_id, "resume", "bench")
    return out, took


def measure(folder: Path, rounds: int) -> dict[str, float]:
    """Run everything and count."""
    if not LOAD.is_file():
        raise BenchError(f"there is no load generator {LOAD.name}; start with `make bench`")
    with ExitStack() as stack:
        taken: set[str] = set()
        upstream_at = free_address(taken)
        base = lay(folder / "base", upstream_at)
        keys = credentials(base, 10, lambda _: None)
        command: list[str | Path] = [LOAD, "upstream", "--listen", upstream_at]
        log = folder / "upstream.log"
        upstream = stack.enter_context(serving("upstream", LOAD_CORE, command, [upstream_at], log))
        own = folder / "gateway"
        gateway = stack.enter_context(ringfence("group", base, own, Setting("group"), taken))
        admin = Client(own / "admin.sock")
        made = admin.create(NewKey("reader", ["read"], ["127.0.0.0/8"]))
        over = multiprocessing.Event()
        ours, theirs = multiprocessing.Pipe()
        reading = (gateway.plain, made["key_id"], made["secret"], over, theirs)
        reader = multiprocessing.Process(target=read_on, args=reading)
        lasts_ms = int(max(2.0, rounds * ROUND_S) * 1000)
        load = Work(gateway.plain, "order", keys, lasts_ms, 0, 8, rate=LOAD_PER_S)
        with driving(load, upstream.process.pid) as seen:
            reader.start()
            ours.recv()
            out, took = suspend_and_resume(admin, made["key_id"], rounds)
            over.set()
            accepted: list[Span] = ours.recv()
            reader.join()
    return count(out, took, accepted) | {"load_per_s": round(seen[0].rate)}


def count(out: list[Span], took: list[int], accepted: list[Span]) -> dict[str, float]:
    """Return what was late: accepted, though asked while the key was out of use."""
    late, last_us, at = 0, 0.0, 0
    for returned, resumed in out:
        while at < len(accepted) and accepted[at][1] < returned:
            at += 1
        # At most one was under way when the call returned; all later ones are late.
        for asked, answered in accepted[at:]:
            if asked >= resumed:
                break
            late += asked > returned
            last_us = max(last_us, (answered - returned) / 1000)
    return {
        "rounds": len(out),
        "accepted": len(accepted),
        "late": late,
        "last_answer_after_us": round(last_us),
        "effective_p50_us": sorted(took)[len(took) // 2],
        "effective_max_us": max(took),
    }


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), rounds)))


if __name__ == "__main__":
    main()
