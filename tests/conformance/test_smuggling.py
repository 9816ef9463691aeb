"""No request of the HTTP/1.1 corpus reaches the venue in a form that can be read in two ways."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.stage import ringfence, running
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
RUNNER = ROOT.parent / "shared" / "suites" / "http1" / "run_smuggle.py"
DIALECT = ROOT / "tests" / "vectors" / "open.yaml"
SHORT = "^(?!smuggler)"
"""Everything but the 1,900 permutations of one idea."""

pytestmark = pytest.mark.skipif(not RUNNER.exists(), reason="the suite's folder is absent")


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """Yield the address of a gateway that lets every path through, and the port of its backend."""
    state, backend = tmp_path / "state", free_port()
    ringfence(
        "init", "--profile", "binance-spot", "--plain", "--listen", "127.0.0.1:0",
        "--upstream", f"http://127.0.0.1:{backend}", str(state),
    )  # fmt: skip
    config = state / "ringfence.yaml"
    text = config.read_text().replace("dialect: binance", f"dialect: {DIALECT}")
    # The corpus comes from one address as quickly as it can.
    text = text.replace("requests: 6000", "requests: 1000000").replace(
        "quota: 6000", "quota: 100000000"
    )
    config.write_text(text)
    with running(tmp_path / "gateway.log", "serve", "-c", str(config)) as ready:
        yield ready["addresses"][0], backend


STRICTER = {
    ("gunicorn/valid", "014"): "a quote in the query is no URI character (RFC 3986 2)",
    ("llhttp", "uri: Quotes in URI"): "as 014",
}
"""What the corpus would accept and we refuse, and why. One that passes must go from here."""


def test_the_corpus_finds_no_desync_and_no_invalid_request(
    gateway: tuple[str, int], tmp_path: Path
) -> None:
    address, backend = gateway
    results = tmp_path / "results.jsonl"
    done = subprocess.run(
        [
            sys.executable, RUNNER, "--proxy", address, "--backend-port", str(backend),
            "--source", SHORT, "--out", results,
        ],
        capture_output=True,
        text=True,
    )  # fmt: skip
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    failed = {(row["source"], row["name"]): row for row in rows if row["verdict"] == "FAIL"}
    assert len(rows) > 700, done.stdout + done.stderr
    assert {row["outcome"] for row in rows} <= {"forwarded", "rejected", "sanitized", "silent"}
    assert set(failed) == set(STRICTER), failed
    assert {row["outcome"] for row in failed.values()} == {"rejected"}
