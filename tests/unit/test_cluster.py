"""The section `cluster` names one server, and nothing repeats the password in it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ringfence import config
from ringfence.config.certificate import private_pem
from ringfence.config.folder import write_private
from ringfence.config.profile import fill
from ringfence.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a good configuration beside the keys that it names."""
    write_private(tmp_path / "keys/ledger.key", private_pem(Ed25519PrivateKey.generate()))
    write_private(tmp_path / "keys/attestation.key", base64.b64encode(bytes(32)))
    file = tmp_path / "ringfence.yaml"
    venue = "http://127.0.0.1:1"
    text = fill("binance-spot", node="gw1", listen="127.0.0.1:0", upstream=venue, plain=True)
    file.write_text(text)
    return file


def said(file: Path, section: str) -> config.Loaded:
    file.write_text(f"{file.read_text()}\ncluster:\n{section}")
    return config.load(file)


def refused(file: Path, section: str) -> str:
    with pytest.raises(ConfigError) as e:
        said(file, section)
    [problem] = e.value.problems
    return problem


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("redis://db", {"address": "db:6379"}),
        ("redis://[::1]:7000/3", {"address": "[::1]:7000", "database": 3}),
        ("redis://:p%40ss@db", {"address": "db:6379", "password": "p@ss"}),
        (
            "rediss://me:secret@db:1",
            {"address": "db:1", "host": "db", "user": "me", "password": "secret"},
        ),
    ],
    ids=["host", "ipv6", "password", "tls"],
)
def test_a_url_says_where_the_server_is_and_what_is_shown_there(
    file: Path, url: str, server: dict[str, Any]
) -> None:
    section = said(file, f"  url: {url}\n").config.cluster
    assert section is not None
    assert section.server() == {"database": 0, "host": None} | server


def test_a_socket_has_a_path_and_no_host(file: Path) -> None:
    section = said(file, "  url: unix:///run/valkey.sock\n").config.cluster
    assert section is not None
    assert section.server() == {"socket": "/run/valkey.sock"}


@pytest.mark.parametrize(
    "url",
    [
        "http://me:hunter2@db", "redis://", "redis://db:0", "redis://:hunter2@db:x", "redis://db/zero",
        "redis://db?ssl=1", "redis://db#1", "unix://run/valkey.sock", "unix:///", "'redis://d b'",
    ],
)  # fmt: skip
def test_what_is_no_url_of_a_server_is_refused_without_being_repeated(file: Path, url: str) -> None:
    problem = refused(file, f"  url: {url}\n")
    assert "cluster.url: is not a URL of Valkey or Redis" in problem
    assert "hunter2" not in problem


def test_roots_need_tls_and_must_be_there(file: Path) -> None:
    assert "cluster.ca: says nothing without TLS" in refused(
        file, "  url: redis://db\n  ca: roots.pem\n"
    )


def test_the_roots_of_a_secure_server_must_be_there(file: Path) -> None:
    problem = refused(file, "  url: rediss://db\n  ca: absent.pem\n")
    assert "cluster.ca: there is no file" in problem


LIMITS = "  limits:\n"
SHARED = "subject: account, counts: orders, quota: 100, window_ms: 1000, across: cluster"


def limited(file: Path, more: str, cluster: str = "  url: redis://db\n") -> config.Loaded:
    text = file.read_text()
    assert text.count(LIMITS) == 1
    file.write_text(text.replace(LIMITS, f"{LIMITS}    - {{name: shared, {SHARED}{more}}}\n"))
    return said(file, cluster) if cluster else config.load(file)


@pytest.mark.parametrize(
    ("more", "across"),
    [
        ("", {"lease": None, "on_loss": "refuse", "share": 25, "share_rate": 0}),
        (
            ", mode: lease, lease: 10, on_loss: lease_out",
            {"lease": 10, "on_loss": "lease_out", "share": 25, "share_rate": 0},
        ),
        (
            ", algorithm: bucket, rate: 9, on_loss: local_share",
            {"lease": None, "on_loss": "local_share", "share": 25, "share_rate": 2},
        ),
    ],
    ids=["exact", "lease", "share"],
)
def test_a_limit_says_how_it_is_shared_and_what_becomes_of_it_without_the_server(
    file: Path, more: str, across: dict[str, Any]
) -> None:
    loaded = limited(file, more, "  url: redis://db\n  nodes: 4\n")
    [shared] = [one for one in loaded.content()["budget"]["limits"] if one["name"] == "shared"]
    assert shared["across"] == across
    config.check(loaded)


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (", mode: lease", "lease: is missing with mode lease"),
        (", lease: 5", "lease: says nothing without mode lease"),
        (", mode: lease, lease: 101", "lease: is more than the quota"),
        (", algorithm: sliding, mode: lease, lease: 5", "mode: is lease with algorithm sliding"),
        (", on_loss: lease_out", "on_loss: is lease_out without mode lease"),
        (", on_loss: local_share", "cluster.nodes: is missing, and shared is shared out"),
    ],
    ids=["lease", "exact", "large", "law", "held", "nodes"],
)
def test_what_cannot_be_shared_so_is_named(file: Path, more: str, what: str) -> None:
    with pytest.raises(ConfigError) as e:
        limited(file, more)
    assert what in e.value.problems[0]


def test_a_share_of_nothing_is_named(file: Path) -> None:
    with pytest.raises(ConfigError) as e:
        limited(file, ", on_loss: local_share", "  url: redis://db\n  nodes: 101\n")
    assert "cluster.nodes: leaves each gateway nothing of shared" in e.value.problems[0]


def test_what_is_shared_needs_the_section(file: Path) -> None:
    with pytest.raises(ConfigError) as e:
        limited(file, "", "")
    assert "has shared, which is across: cluster; that needs" in e.value.problems[0]


def test_signatures_are_shared_only_where_that_is_said(file: Path) -> None:
    text = file.read_text()
    assert text.count("freshness:\n") == 1
    shared = "freshness:\n  across: cluster\n  on_loss: local\n"
    file.write_text(text.replace("freshness:\n", shared))
    loaded = said(file, "  url: redis://db\n")
    assert loaded.content()["freshness"]["across"] == "local"
    config.check(loaded)


def test_what_is_checked_and_digested_has_neither_url_nor_password(file: Path) -> None:
    loaded = said(file, "  url: redis://me:hunter2@db\n")
    snapshot = loaded.snapshot()
    assert b"hunter2" not in snapshot
    assert json.loads(snapshot)["cluster"] == {
        "ca": None,
        "prefix": "ringfence",
        "deadline_ms": 50,
    }
    config.check(loaded)
    assert "hunter2" not in repr(loaded.config)
