"""Where a venue has WebSockets is checked by line and field, and known for all shipped profiles."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ringfence import config
from ringfence.config.certificate import issue, private_pem
from ringfence.config.folder import write_private
from ringfence.config.profile import fill, hosts, profiles
from ringfence.errors import ConfigError

HINT = "  # websockets: "
PUBLISHED = [(profile, url) for profile, known in hosts().items() for url in known]


def laid(folder: Path, profile: str = "binance-spot", **said: Any) -> Path:
    """Return a good configuration beside all files that it names."""
    write_private(folder / "keys/ledger.key", private_pem(Ed25519PrivateKey.generate()))
    write_private(folder / "keys/attestation.key", base64.b64encode(bytes(32)))
    file = folder / "ringfence.yaml"
    values: dict[str, Any] = {"upstream": "http://127.0.0.1:1", "plain": True} | said
    file.write_text(fill(profile, node="gw1", listen="127.0.0.1:0", **values))
    return file


def with_rows(file: Path, *rows: str) -> int:
    """Write the rows into the configuration; return the first one's line."""
    text = file.read_text()
    before, _, after = text.partition(HINT)
    lines = "\n".join(["  websockets:", *(f"    - {row}" for row in rows)])
    file.write_text(f"{before}{lines}\n{after.partition(chr(10))[2]}")
    return before.count("\n") + 2


def refused(file: Path) -> list[str]:
    with pytest.raises(ConfigError) as e:
        config.check(config.load(file))
    return [problem.removeprefix(f"{file}:") for problem in e.value.problems]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{path: /ws, url: https://a}", "url: is not where a venue has WebSockets; write wss://"),
        ("{path: /ws, url: ftp://a}", "url: is not where a venue has WebSockets"),
        ("{path: /ws, url: a:9443}", "url: is not where a venue has WebSockets"),
        ("{path: /ws, url: wss://a/ws}", "url: is not where a venue has WebSockets"),
        ('{path: /ws, url: "wss://a?b=c"}', "url: is not where a venue has WebSockets"),
        ('{path: /ws, url: "wss://a#b"}', "url: is not where a venue has WebSockets"),
        ('{path: /ws, url: "wss://a?"}', "url: is not where a venue has WebSockets"),
        ("{path: /ws, url: wss://me:it@a}", "url: is not where a venue has WebSockets"),
        ("{path: /ws, url: wss://a:0}", "url: is not where a venue has WebSockets"),
        ("{path: /ws, url: wss://a:99999}", "url: is not where a venue has WebSockets"),
        ("{path: /ws, url: wss://}", "url: is not where a venue has WebSockets"),
        ("{path: /ws, url: ws://a, private: https://a}", "private: is not where a venue has"),
        ("{path: ws, url: wss://a}", "path: is not the beginning of a path; write /ws"),
        ('{path: "/ws?a=b", url: wss://a}', "path: is not the beginning of a path"),
        ('{path: "//", url: wss://a}', "path: is not the beginning of a path"),
        ('{path: "/ws/../v2", url: wss://a}', "path: is not the beginning of a path"),
        ('{path: "/%77s", url: wss://a}', "path: is not the beginning of a path"),
        ("{path: /ws}", "url: is missing; add it"),
        ("{url: wss://a}", "path: is missing; add it"),
        ("{path: /ws, url: ws://a, privat: ws://b}", "privat: is not a field here; did you"),
    ],
)
def test_a_mistake_is_named_by_line_and_field(tmp_path: Path, row: str, said: str) -> None:
    file = laid(tmp_path)
    line = with_rows(file, row)
    (found,) = refused(file)
    assert found.startswith(f"{line}: upstream.websockets[0].{said}")


@pytest.mark.parametrize("paths", [("/ws", "/ws"), ("/ws", "/ws/"), ("/", "/")])
def test_one_path_has_one_host(tmp_path: Path, paths: tuple[str, str]) -> None:
    file = laid(tmp_path)
    line = with_rows(file, *(f"{{path: {path}, url: ws://a}}" for path in paths))
    said = f"upstream.websockets[1].path: {paths[0]} is there twice; rename or remove one"
    assert refused(file) == [f"{line + 1}: {said}"]


@pytest.mark.parametrize("path", ["/wss", "/ws-fapi", "/stream/x", "/api"])
def test_a_path_at_which_the_gateway_opens_nothing_is_named(tmp_path: Path, path: str) -> None:
    file = laid(tmp_path)
    line = with_rows(file, "{path: /ws, url: ws://a}", f"{{path: {path}, url: ws://b}}")
    (found,) = refused(file)
    assert found.startswith(f"{line + 1}: upstream.websockets[1].path: the gateway opens no")


def test_where_the_venue_s_token_says_where_it_is_nothing_else_does(tmp_path: Path) -> None:
    file = laid(tmp_path, "kucoin-spot", egress=True)
    line = with_rows(file, "{path: /endpoint, url: ws://a}")
    assert refused(file)[0].startswith(f"{line}: upstream.websockets[0].path: the gateway opens")
    before = laid(tmp_path / "ingress", "kucoin-spot")
    with_rows(before, "{path: /endpoint, url: ws://a}")
    config.check(config.load(before))


def test_a_host_over_tls_needs_roots_though_the_api_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = laid(tmp_path)
    with_rows(file, "{path: /ws, url: ws://a, private: wss://b}")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    assert ["upstream.ca: is not set" in problem for problem in refused(file)] == [True]
    roots = tmp_path / "roots.pem"
    roots.write_bytes(issue("127.0.0.1:0").ca)
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    loaded = config.load(file)
    assert json.loads(loaded.snapshot())["upstream"]["ca"] == str(roots)
    config.check(loaded)


def test_every_profile_says_where_its_venue_s_websockets_are() -> None:
    assert hosts().keys() == profiles().keys()


@pytest.mark.parametrize(("profile", "url"), PUBLISHED)
@pytest.mark.parametrize("egress", [False, True])
def test_a_venue_s_published_address_brings_its_hosts(
    tmp_path: Path, profile: str, url: str, egress: bool
) -> None:
    file = laid(tmp_path, profile, upstream=f"{url}/", egress=egress)
    write_private(tmp_path / "roots.pem", issue("127.0.0.1:0").ca)
    file.write_text(file.read_text().replace("# ca: tls/venue-ca.pem", "ca: roots.pem #"))
    loaded = config.load(file)
    config.check(loaded)
    rows = [one.model_dump(exclude_none=True) for one in loaded.config.upstream.websockets]
    assert rows == hosts()[profile][url]
    assert all(one.startswith(("https://", "wss://")) for one in loaded.config.upstream.urls)


def test_another_address_brings_none(tmp_path: Path) -> None:
    loaded = config.load(laid(tmp_path, "kraken-spot"))
    assert loaded.config.upstream.urls == ("http://127.0.0.1:1",)


def test_the_documentation_has_each_published_host() -> None:
    page = (Path(__file__).parents[2] / "docs" / "egress.md").read_text()
    table = set(re.findall(r"`([a-z0-9.-]+\.[a-z]+(?::[0-9]+)?)`", page))
    for profile, url in PUBLISHED:
        rows = hosts()[profile][url]
        names = [url, *(said for row in rows for name, said in row.items() if name != "path")]
        assert {name.partition("://")[2] for name in names} <= table, profile
