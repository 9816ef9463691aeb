"""`python -m bench`: exit code 0 when it measured, 1 when --assert missed a target, 2 when something failed."""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import report
from bench.cluster import sharing
from bench.decide import decide
from bench.dialects import dialects
from bench.idle import idle
from bench.ledger import ledger
from bench.limits import accuracy, cost
from bench.machine import facts
from bench.overload import overload
from bench.plot import plot
from bench.policy import policy
from bench.scenarios import Closed, latency
from bench.server import BenchError
from bench.shards import shards
from bench.special import flood, forged, many_credentials, threads
from bench.stage import Pace, Stage, standing
from bench.streams import streams
from bench.table import Table
from bench.targets import Verdict, judge
from bench.unlogged import recording

__all__ = ["main"]

HERE = Path(__file__).parent
RESULTS = HERE / "results"
RECORDED = HERE.parent / "docs"
FULL = Pace(rounds=5, run_ms=3000, warm_ms=500, many=100_000)
QUICK = Pace(rounds=1, run_ms=250, warm_ms=100, many=2_500)
VERSION = 1
INTERRUPTED = 130

Scenario = Callable[[Stage, dict[str, Table]], list[Table]]
SCENARIOS: dict[str, tuple[str, Scenario]] = {
    one.key: (one.title, one.run)
    for one in (
        Closed("orders", "signed orders, 32 connections", "order"),
        Closed("reads", "signed reads, 32 connections", "read"),
        Closed("tls-orders", "signed orders over TLS 1.3, 32 connections", "order", tls=True),
        Closed("tls-reads", "signed reads over TLS 1.3, 32 connections", "read", tls=True),
        Closed("http2-orders", "signed orders over HTTP/2, 4 × 8 streams", "order", True, 4, 8),
        Closed("http2-reads", "signed reads over HTTP/2, 4 × 8 streams", "read", True, 4, 8),
        Closed("thousand", "signed orders, 1,000 connections", "order", connections=1000),
    )
} | {
    "latency": ("latencies at half of one's own maximum, and of nginx's", latency),
    "forged": ("how fast wrong signatures are refused", forged),
    "flood": ("good orders beside a flood of forged ones", flood),
    "overload": ("cancels beside five times as many orders as can be done", overload),
    "credentials": ("10 and 100,000 credentials", many_credentials),
    "limits": ("what passes of a client that asks for more than its quota", accuracy),
    "limits-cost": ("what a limit costs that is never reached", cost),
    "shards": ("orders of one shard while another asks for ten times its budget", shards),
    "cluster": ("what it costs that gateways share a limit", sharing),
    "threads": ("CPU time with one and two engine threads", threads),
    "streams": ("messages over WebSocket in a second, from the venue and to it", streams),
    "idle": ("20,000 idle WebSockets, and the memory of each", idle),
    "recording": ("orders and reads with and without the ledger", recording),
    "dialects": ("verifying by each dialect, beside the bare primitive", dialects),
    "decide": ("deciding on messages of one and of several orders", decide),
    "policy": ("decisions of 10, 100 and 1,000 policies, evaluated and kept", policy),
    "ledger": ("the ledger by itself, beside its disk", ledger),
}


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="bench", description="Measure Ringfence beside its peers."
    )
    parser.add_argument("--quick", action="store_true", help="see that it works: under a minute")
    parser.add_argument(
        "--only", action="append", choices=SCENARIOS, metavar="SCENARIO", help="may be repeated"
    )
    parser.add_argument("--rounds", type=int, help="interleaved rounds instead of 5")
    parser.add_argument("--list", action="store_true", help="name the scenarios")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--record", action="store_true", help="keep them in docs/ as well")
    parser.add_argument(
        "--assert", action="store_true", dest="strict", help="fail if a target is missed"
    )
    said = parser.parse_args()
    if said.record and said.quick:
        parser.error("a quick run is not worth recording")
    return said


def main() -> int:
    """Run the benchmark and return the exit code."""
    said = options()
    if said.list:
        for key, (title, _) in SCENARIOS.items():
            print(f"{key:<12} {title}")
        return 0
    pace = QUICK if said.quick else FULL
    if said.rounds is not None:
        pace = Pace(max(said.rounds, 1), pace.run_ms, pace.warm_ms, pace.many)
    wanted = [key for key in SCENARIOS if said.only is None or key in said.only]
    # So that no proxy outlives us: it ends what runs, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        require_machine()
        results, verdicts = run(wanted, pace, quiet=said.json)
    except BenchError as e:
        print(f"bench: {e}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    keep(results, record=said.record, quiet=said.json)
    if said.json:
        print(json.dumps(results, indent=1, ensure_ascii=False))
    if results["failed"]:
        return 2
    missed = [verdict for verdict in verdicts if not verdict.met]
    if said.strict:
        for verdict in missed:
            print(f"bench: missed {verdict.said()}", file=sys.stderr)
    return int(said.strict and bool(missed))


def require_machine() -> None:
    """Check what the benchmark stands on.

    Raises:
        BenchError: the machine has one core, or no taskset.
    """
    if len(os.sched_getaffinity(0) & {0, 1}) < 2:
        raise BenchError("cores 0 and 1 are needed: one for the contender, one for the load")
    if shutil.which("taskset") is None:
        raise BenchError("taskset (util-linux) is not installed")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run(wanted: list[str], pace: Pace, *, quiet: bool) -> tuple[dict[str, Any], list[Verdict]]:
    """Measure the scenarios; print each as it is done unless `quiet`."""
    done: dict[str, Table] = {}
    failed: dict[str, str] = {}
    load = os.getloadavg()[0]
    # Beside the sources and not in /tmp, which may be memory: the ledgers have to reach a disk.
    with (
        tempfile.TemporaryDirectory(dir=HERE, prefix=".run-") as made,
        report.Progress() as progress,
        standing(Path(made), pace, progress.said) as stage,
    ):
        machine = facts(Path(made), stage.versions, load)
        settings = {
            "rounds": pace.rounds,
            "run_ms": pace.run_ms,
            "warm_ms": pace.warm_ms,
            "quick": pace is QUICK,
        }
        if not quiet:
            report.conditions(machine, settings, stage.left_out)
        for place, key in enumerate(wanted):
            progress.part = f"{place + 1}/{len(wanted)}"
            try:
                tables = SCENARIOS[key][1](stage, done)
            except BenchError as e:
                # The others' numbers are as good as before.
                failed[key] = str(e)
                print(f"bench: {key}: {e}", file=sys.stderr)
                continue
            for table in tables:
                done[table.key] = table
                if not quiet:
                    report.show(table)
        left_out = dict(stage.left_out)
    verdicts = judge(done)
    if not quiet:
        report.show_verdicts(verdicts)
    results = {
        "version": VERSION,
        "machine": machine,
        "settings": settings,
        "left_out": left_out,
        "failed": failed,
        "scenarios": {key: table.content() for key, table in done.items()},
        "targets": [verdict.content() for verdict in verdicts],
    }
    return results, verdicts


def keep(results: dict[str, Any], *, record: bool, quiet: bool) -> None:
    """Write JSON and plot into results/, and into docs/ to `record` them."""
    RESULTS.mkdir(exist_ok=True)
    files = {"json": json.dumps(results, indent=1, ensure_ascii=False) + "\n"}
    (RESULTS / "latest.svg").unlink(missing_ok=True)
    if (drawing := plot(results)) is not None:
        files["svg"] = drawing
    for suffix, text in files.items():
        kept = [RESULTS / f"latest.{suffix}"]
        kept += [RECORDED / f"benchmark.{suffix}"] if record else []
        for path in kept:
            path.write_text(text)
            if not quiet:
                print(f"written: {path.relative_to(HERE.parent)}")


if __name__ == "__main__":
    sys.exit(main())
