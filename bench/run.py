"""Side by side in one run: plain proxies and Ringfence, each on core 1, load and upstream on core 0.

Rounds are interleaved, so that whatever else the machine does hits all contenders alike. Prints medians, ranges and
ratios to plain nginx, and writes results/latest.json. A peer that is not installed is named and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LOAD = (
    Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target")) / "release" / "ringfence-load"
)
UPSTREAM = "127.0.0.1:19000"
PORTS = {"nginx": 19001, "haproxy": 19002, "ringfence strict": 19003, "ringfence group": 19004}
KEYS = 10


@contextmanager
def process(core: int, *command: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server pinned to `core` until the block ends."""
    server = subprocess.Popen(
        ["taskset", "-c", str(core), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield server
    finally:
        server.terminate()
        server.wait(30)


def filled(template: str, folder: Path, listen: str) -> Path:
    """Write a peer's configuration into `folder` and return its path."""
    text = (HERE / template).read_text()
    for name, value in (("FOLDER", str(folder)), ("LISTEN", listen), ("UPSTREAM", UPSTREAM)):
        text = text.replace(f"@{name}@", value)
    path = folder / template
    path.write_text(text)
    return path


def ringfence(*arguments: str) -> Any:
    """Run a command with --json and return its answer."""
    command = [sys.executable, "-m", "ringfence", *arguments, "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def state(folder: Path, listen: str, mode: str) -> tuple[Path, Path]:
    """Lay a state folder with every control on and budgets out of reach; return configuration and keys."""
    ringfence(
        "init", "--profile", "binance-spot", "--plain", "--listen", listen,
        "--upstream", f"http://{UPSTREAM}", str(folder),
    )  # fmt: skip
    config = folder / "ringfence.yaml"
    text = re.sub(r"quota: \d+", "quota: 1000000000", config.read_text())
    text = text.replace("requests: 6000", "requests: 1000000000")
    text = re.sub(r"capacity_per_credential: \d+", "capacity_per_credential: 4000000", text)
    text = re.sub(r"capacity: \d+", "capacity: 16000000", text)
    config.write_text(text.replace("mode: strict", f"mode: {mode}"))
    rows = [
        ringfence(
            "key", "create", "-c", str(config), "--account", f"bench-{n}", "--scope", "read",
            "--scope", "trade", "--allow", "127.0.0.0/8",
        )
        for n in range(KEYS)
    ]  # fmt: skip
    keys = folder / "bench-keys"
    keys.write_text("".join(f"{row['key_id']} {row['secret']}\n" for row in rows))
    return config, keys


def measure(target: str, keys: Path, kind: str, connections: int, run_ms: int) -> dict[str, Any]:
    """Drive one contender for one round."""
    command = [
        "taskset", "-c", "0", str(LOAD), "load", "--target", target, "--credentials", str(keys),
        "--kind", kind, "--connections", str(connections), "--run-ms", str(run_ms), "--warm-ms", "300",
    ]  # fmt: skip
    answer: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, capture_output=True).stdout
    )
    bad = {status: n for status, n in answer["statuses"].items() if status != "200"}
    if bad:
        raise SystemExit(f"{target} answered {bad}; a benchmark of refusals says nothing")
    return answer


def fdatasync_us(folder: Path) -> float:
    """Return the median microseconds of a 4 KiB write and fdatasync on the disk under `folder`."""
    with (folder / "probe").open("wb") as probe:
        times = []
        for _ in range(300):
            start = time.perf_counter()
            probe.write(b"x" * 4096)
            probe.flush()
            os.fdatasync(probe.fileno())
            times.append((time.perf_counter() - start) * 1e6)
    return statistics.median(times)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short rounds")
    options = parser.parse_args()
    rounds, run_ms = (3, 1000) if options.quick else (5, 3000)
    with tempfile.TemporaryDirectory(dir=HERE, prefix=".run-") as made, ExitStack() as running:
        folder = Path(made)
        running.enter_context(process(0, LOAD, "upstream", "--listen", UPSTREAM))
        targets = {"direct": UPSTREAM}
        for peer, template, command in (
            ("nginx", "nginx.conf", ["nginx", "-c"]),
            ("haproxy", "haproxy.cfg", ["haproxy", "-f"]),
        ):
            listen = f"127.0.0.1:{PORTS[peer]}"
            if shutil.which(peer) is None:
                print(f"{peer}: not installed, left out")
                continue
            running.enter_context(process(1, *command, filled(template, folder, listen)))
            targets[peer] = listen
        keys: dict[str, Path] = {}
        for mode in ("strict", "group"):
            name = f"ringfence {mode}"
            listen = f"127.0.0.1:{PORTS[name]}"
            config, keys[name] = state(folder / mode, listen, mode)
            running.enter_context(
                process(1, sys.executable, "-m", "ringfence", "serve", "-c", config)
            )
            targets[name] = listen
        time.sleep(3)
        disk_us = fdatasync_us(folder)
        results: dict[str, Any] = {"fdatasync_us": round(disk_us), "scenarios": {}}
        print(f"this disk: write and fdatasync of 4 KiB in {disk_us:.0f} us (median)")
        for kind in ("order", "read"):
            seen: dict[str, list[dict[str, Any]]] = {name: [] for name in targets}
            for number in range(rounds):
                for name, target in targets.items():
                    print(
                        f"\r{kind}: round {number + 1} of {rounds}, {name:<20}", end="", flush=True
                    )
                    signed_by = keys.get(name, keys["ringfence strict"])
                    seen[name].append(measure(target, signed_by, kind, 32, run_ms))
            results["scenarios"][kind] = show(kind, seen)
    output = HERE / "results" / "latest.json"
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps(results, indent=1) + "\n")
    print(f"written to {output.relative_to(HERE.parent)}")


def show(kind: str, seen: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Print one scenario's table and return it."""
    rows: dict[str, Any] = {}
    for name, answers in seen.items():
        rates = [answer["rate"] for answer in answers]
        p99 = statistics.median(answer["latency_us"]["p99"] for answer in answers)
        rows[name] = {
            "median": statistics.median(rates),
            "min": min(rates),
            "max": max(rates),
            "p99_us": p99,
        }
    nginx = rows.get("nginx", {}).get("median")
    print(
        f"\r{'signed ' + kind + 's, 32 connections':<36}{'per s':>9}{'min':>9}{'max':>9}{'p99 us':>9}{'x nginx':>9}"
    )
    for name, row in rows.items():
        row["ratio"] = round(row["median"] / nginx, 2) if nginx else None
        print(
            f"  {name:<34}{row['median']:>9.0f}{row['min']:>9.0f}{row['max']:>9.0f}"
            f"{row['p99_us']:>9.0f}{row['ratio'] or '-':>9}"
        )
    return rows


if __name__ == "__main__":
    main()
