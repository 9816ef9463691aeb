"""Scenarios about what only a gateway does: refusing, holding off a flood, many credentials, two threads."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.contender import Contender
from bench.drive import Answer, Work, driving
from bench.gateway import Setting, credentials, keep_keys, lay, set_up
from bench.server import BenchError, free_address
from bench.stage import Job, Stage
from bench.table import Row, Table, cpu_us, median_of, paired, rate

__all__ = ["flood", "forged", "many_credentials", "plainly", "threads"]

FLOOD_FROM = "127.0.1.{}"
"""One for each round: who flooded in one is kept out in the next."""
FLOOD_PER_S = 12_000
"""Twice the edge budget that a gateway is shipped with; more would only take the load's core away."""
GOOD_FROM = [f"127.0.0.{n}" for n in range(11, 19)]
"""Good traffic comes from several addresses, so that none of them is over the edge budget itself."""
SETTLED_MS = 1200
"""Longer than the edge's window: by then the budget is used up."""
LONGER_MS = 2000
"""So long the flood outlasts what it is beside: signing takes a while before that begins."""

Done = dict[str, Table]


def forged(stage: Stage, _done: Done) -> list[Table]:
    """Measure how fast wrong signatures are refused, against how fast good ones are served."""
    jobs: dict[str, Job] = {}
    for one in stage.contenders:
        if one.checks:
            jobs[f"{one.name}, good"] = partial(ask, stage, one, forged=False)
            jobs[f"{one.name}, forged"] = partial(ask, stage, one, forged=True)
    answers = stage.interleave("forged", jobs)
    rows = []
    for name, found in answers.items():
        good = answers[name.replace(", forged", ", good")]
        rows.append(Row(name, found, paired(found, good, rate)))
    notes = []
    for row in rows:
        busy = median_of(row.answers, lambda one: one.busy)
        if row.name.endswith("forged") and busy < 0.9:
            notes.append(f"{row.name}: its core was {busy:.0%} busy, it could refuse faster")
    title = "orders with a wrong signature, the edge budget out of reach"
    return [Table("forged", title, "/s", "× good", rows, notes)]


def ask(stage: Stage, one: Contender, _round: int, *, forged: bool) -> Answer:
    """Drive `one` with good or forged orders as fast as it answers."""
    return stage.measure(one, "order", forged=forged)


def flood(stage: Stage, _done: Done) -> list[Table]:
    """Measure good orders beside forged ones from another address, with the shipped edge budget."""
    setting = Setting(shipped_edge=True)
    with stage.gateway("ringfence", setting) as gateway:
        contenders = [one for one in stage.contenders if one.name == "nginx + Lua"] + [gateway]
        floods: dict[str, list[Answer]] = {one.name: [] for one in contenders}
        jobs: dict[str, Job] = {}
        for one in contenders:
            jobs[f"{one.name}, alone"] = partial(good, stage, one)
            jobs[f"{one.name}, flooded"] = partial(flooded, stage, one, floods[one.name])
        answers = stage.interleave("flood", jobs)
    rows = []
    for name, found in answers.items():
        alone = answers[name.replace(", flooded", ", alone")]
        rows.append(Row(name, found, paired(found, alone, rate)))
    notes = [
        f"{name} answered the flood {median_of(seen, rate):,.0f} times per second"
        for name, seen in floods.items()
    ]
    notes.append("the flood is sent from core 0 as well, which costs everybody a part")
    notes.append("Ringfence has the shipped edge budget and bans here; nginx + Lua has none")
    title = f"good orders beside {FLOOD_PER_S:,} forged ones per second from one other address"
    return [Table("flood", title, "good/s", "× alone", rows, notes)]


def good(stage: Stage, one: Contender, _round: int) -> Answer:
    """Drive `one` with good orders from several addresses."""
    warm_ms = max(stage.pace.warm_ms, SETTLED_MS)
    return stage.measure(one, "order", sources=GOOD_FROM, warm_ms=warm_ms, tolerant=True)


def flooded(stage: Stage, one: Contender, floods: list[Answer], number: int) -> Answer:
    """As `good`, while the flood goes on; add what the flood saw to `floods`."""
    work = Work(
        target=one.plain,
        kind="order",
        credentials=stage.ground.credentials,
        run_ms=max(stage.pace.warm_ms, SETTLED_MS) + stage.pace.run_ms + LONGER_MS,
        warm_ms=0,
        rate=FLOOD_PER_S,
        forged=True,
        shed=True,
        sources=[FLOOD_FROM.format(number + 1)],
    )
    with driving(work, stage.upstream.process.pid) as seen:
        answer = good(stage, one, number)
    floods.extend(seen)
    return answer


def many_credentials(stage: Stage, _done: Done) -> list[Table]:
    """Measure few and many credentials; every request of the many has another one than the last."""
    many = stage.pace.many
    base = lay(stage.ground.folder / "many", stage.ground.upstream)
    keys = credentials(base, many, lambda n: stage.said(f"credentials: {n:,} of {many:,} made"))
    per_credential = weighed(stage, many)
    tables = []
    with stage.gateway(f"ringfence strict, {many} keys", Setting(), base) as gateway:
        few = next(one for one in stage.contenders if one.name == "ringfence strict")
        for kind in ("order", "read"):
            jobs: dict[str, Job] = {
                "10 credentials": partial(by, stage, few, kind, stage.ground.credentials),
                f"{many:,} credentials": partial(by, stage, gateway, kind, keys),
            }
            answers = stage.interleave(f"credentials, {kind}s", jobs)
            base_answers = answers["10 credentials"]
            rows = [
                Row(name, found, paired(found, base_answers, rate))
                for name, found in answers.items()
            ]
            used = min(sum(one.completed for one in list(answers.values())[1]), many)
            notes = [f"{used:,} of the {many:,} were used while it was measured"]
            title = f"signed {kind}s by few and by many credentials, ringfence strict"
            numbers: dict[str, float] = {
                "credentials": many,
                "bytes_per_credential": round(per_credential),
            }
            if kind == "order":
                notes.append(
                    f"{per_credential:.0f} bytes of memory for each credential in the engine"
                )
            key = "credentials" if kind == "order" else "credentials-reads"
            tables.append(Table(key, title, "/s", "× 10", rows, notes, numbers))
    return tables


def by(stage: Stage, one: Contender, kind: str, keys: Path, number: int) -> Answer:
    """Drive `one` with these keys, each round beginning further on, so that all have their turn."""
    lines = keys.read_text().splitlines(keepends=True)
    first = len(lines) * number // stage.pace.rounds
    turned = keep_keys(stage.ground.folder / "turned-keys", lines[first:] + lines[:first])
    return stage.measure(one, kind, credentials=turned)


def weighed(stage: Stage, count: int) -> float:
    """Return the bytes that a credential takes in the engine, weighed in a process of its own."""
    stage.said("credentials: weighing them")
    folder = lay(stage.ground.folder / "weighed", stage.ground.upstream)
    addresses = free_address(stage.ground.taken), free_address(stage.ground.taken)
    set_up(folder, Setting(), *addresses)
    command = [sys.executable, "-m", "bench.memory", str(folder.config), str(count)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"credentials cannot be weighed: {done.stderr.strip()}")
    return float(done.stdout)


def plainly(stage: Stage, one: Contender, kind: str, _round: int) -> Answer:
    """Drive `one` as fast as it answers."""
    return stage.measure(one, kind)


def threads(stage: Stage, _done: Done) -> list[Table]:
    """Measure CPU time for each request with one and two engine threads, both free on both cores."""
    one_thread = Setting(cores="0,1")
    tables = []
    with (
        stage.gateway("1 thread", one_thread) as single,
        stage.gateway("2 threads", replace(one_thread, threads=2)) as double,
    ):
        for kind in ("order", "read"):
            jobs: dict[str, Job] = {
                one.name: partial(plainly, stage, one, kind) for one in (single, double)
            }
            answers = stage.interleave(f"threads, {kind}s", jobs)
            alone = answers["1 thread"]
            rows = [
                Row(name, found, paired(found, alone, cpu_us)) for name, found in answers.items()
            ]
            title = f"signed {kind}s by one and two engine threads, ringfence strict"
            notes = ["both cores are shared with load and upstream: only the CPU times compare"]
            key = "threads" if kind == "order" else "threads-reads"
            tables.append(Table(key, title, "/s", "CPU × 1 thread", rows, notes))
    return tables
