"""The gateway speaks HTTP/2 as h2spec, whose cases follow RFC 7540 and RFC 7541, says it must."""

from __future__ import annotations

import os
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.stage import ringfence, running

ROOT = Path(__file__).parents[2]
DIALECT = ROOT / "tests" / "vectors" / "open.yaml"
TOOLS = ROOT / "target" / "h2spec"
"""Everything that Go fetches and builds: nothing of it lands in anybody's home."""

MODULE = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible"
CASES = 146
BUILD_SECONDS = 900

pytestmark = pytest.mark.skipif(not shutil.which("go"), reason="h2spec is built by go")


def go(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run go with its caches, writable so that they can be removed, in the tools' folder."""
    folders = {"GOBIN": "bin", "GOPATH": "go", "GOCACHE": "cache"}
    places = {name: str(TOOLS / folder) for name, folder in folders.items()}
    environment = {**os.environ, **places, "GOFLAGS": "-modcacherw"}
    return subprocess.run(["go", *arguments], env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def h2spec() -> Path:
    """Return the tool, built at its first use; skip where its source cannot be fetched."""
    tool = TOOLS / "bin" / "h2spec"
    if not tool.exists():
        TOOLS.mkdir(parents=True, exist_ok=True)
        done = go("install", MODULE)
        if done.returncode != 0:
            pytest.skip(f"h2spec cannot be built: {done.stderr.strip().splitlines()[-1]}")
    return tool


@pytest.fixture
def port(tmp_path: Path) -> Iterator[str]:
    """Yield the port of a gateway with TLS that lets every path through to a paper venue."""
    state = tmp_path / "state"
    config = state / "ringfence.yaml"
    ringfence(
        "init", "--profile", "binance-spot", "--listen", "127.0.0.1:0",
        "--upstream", "http://127.0.0.1:1", str(state),
    )  # fmt: skip
    attestation = str(state / "keys" / "attestation.key")
    with running(
        tmp_path / "venue.log", "venue", "serve", "--listen", "127.0.0.1:0",
        "--attestation-key", attestation,
    ) as venue:  # fmt: skip
        text = config.read_text().replace("http://127.0.0.1:1", venue["url"])
        text = text.replace("dialect: binance", f"dialect: {DIALECT}")
        # What is malformed is counted against its address, and all of it comes from one.
        config.write_text(text.replace("requests: 6000", "requests: 1000000"))
        with running(tmp_path / "gateway.log", "serve", "-c", str(config)) as gateway:
            yield gateway["addresses"][0].rsplit(":", 1)[1]


@pytest.mark.timeout(BUILD_SECONDS)
def test_every_case_of_h2spec_passes(h2spec: Path, port: str, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    done = subprocess.run(
        [
            h2spec, "--tls", "--insecure", "--strict", "--port", port,
            "--path", "/api/v3/time", "--junit-report", report,
        ],
        capture_output=True,
        text=True,
    )  # fmt: skip
    cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314  our own run
    wrong = [case for case in cases if {child.tag for child in case} & {"failure", "error"}]
    skipped = [case for case in cases if case.find("skipped") is not None]
    named = [(case.get("package"), case.get("classname")) for case in wrong + skipped]
    assert named == [], done.stdout
    assert len(cases) == CASES
    assert done.returncode == 0, done.stdout
