"""What it costs that several gateways share a limit: by their own table, by leases, and asking every time."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from functools import partial
from typing import Any

from bench.drive import LOAD_CORE
from bench.gateway import SIGNATURES, Setting
from bench.server import BenchError, free_address, serving
from bench.special import plainly
from bench.stage import Job, Stage
from bench.table import Row, Table, paired, rate

__all__ = ["sharing"]

OUT_OF_REACH = 1_000_000_000
LEASE = 10_000
WINDOW_MS = 1_000
DEADLINE_MS = 1_000
"""What is slow here is to be measured, not refused."""

Done = dict[str, Table]


def sharing(stage: Stage, _done: Done) -> list[Table]:
    """Measure orders with one limit for each key: of the gateway alone, leased, and exact."""
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        raise BenchError("neither valkey-server nor redis-server is installed")
    with ExitStack() as running:
        address = free_address(stage.ground.taken)
        host, _, port = address.rpartition(":")
        command = [program, "--bind", host, "--port", port, "--save", "", "--daemonize", "no"]
        log = stage.ground.folder / "valkey.log"
        running.enter_context(serving("valkey", LOAD_CORE, command, [address], log, 10.0))
        url = f"redis://{address}"
        shared = limit(across="cluster")
        settings = {
            "one gateway's own": setting(url, "own", limit()),
            "lease": setting(url, "lease", {**shared, "mode": "lease", "lease": LEASE}),
            "exact": setting(url, "exact", shared),
            "exact, and signatures": setting(url, "signatures", shared, "cluster"),
        }
        jobs: dict[str, Job] = {}
        for name, one in settings.items():
            gateway = running.enter_context(stage.gateway(f"ringfence, {name}", one))
            jobs[name] = partial(plainly, stage, gateway, "order")
        answers = stage.interleave("cluster", jobs)
    own = answers["one gateway's own"]
    rows = [Row(name, found, paired(found, own, rate)) for name, found in answers.items()]
    notes = ["the server shares a core with load and upstream"]
    title = "signed orders with one limit for each key, by how gateways share it"
    return [Table("cluster", title, "/s", "× own", rows, notes)]


def setting(url: str, prefix: str, limit: dict[str, Any], signatures: str = "node") -> Setting:
    """Return that of a gateway which reaches the server, whether or not it asks there."""
    capacity = {"capacity_per_credential": SIGNATURES, "capacity": SIGNATURES}
    sections = {
        "cluster": {"url": url, "prefix": prefix, "deadline_ms": DEADLINE_MS},
        "freshness": capacity | {"across": signatures},
    }
    return Setting(limits=[limit], sections=sections)


def limit(**shared: Any) -> dict[str, Any]:
    """Return a limit that is never reached."""
    return {
        "name": "orders",
        "subject": "credential",
        "counts": "orders",
        "quota": OUT_OF_REACH,
        "window_ms": WINDOW_MS,
    } | shared
