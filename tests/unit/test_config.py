"""Every mistake in ringfence.yaml is named by file, line and field, all of them at once."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ringfence import config
from ringfence.config.authority import own_names
from ringfence.config.certificate import issue, private_pem
from ringfence.config.folder import write_private
from ringfence.config.model import CONTROLS
from ringfence.config.profile import fill, profiles
from ringfence.errors import ConfigError, FileError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a good configuration beside all files that it names."""
    issued = issue("127.0.0.1:0")
    write_private(tmp_path / "tls/server.pem", issued.certificate)
    write_private(tmp_path / "tls/server.key", issued.key)
    write_private(tmp_path / "keys/ledger.key", private_pem(Ed25519PrivateKey.generate()))
    write_private(tmp_path / "keys/attestation.key", base64.b64encode(bytes(32)))
    file = tmp_path / "ringfence.yaml"
    file.write_text(
        fill(
            "binance-spot",
            node="gw1",
            listen="127.0.0.1:0",
            upstream="http://127.0.0.1:1",
            plain=False,
        )
    )
    return file


def change(file: Path, old: str, new: str) -> int:
    """Replace `old`, which must be there once, and return its line."""
    text = file.read_text()
    assert text.count(old) == 1, old
    file.write_text(text.replace(old, new))
    return text[: text.index(old)].count("\n") + 1


def problems(file: Path) -> list[str]:
    """Return what `load` finds wrong, without the file's name, which each line must begin with."""
    with pytest.raises(ConfigError) as refused:
        config.load(file)
    assert all(problem.startswith(f"{file}:") for problem in refused.value.problems)
    return [problem.removeprefix(f"{file}:") for problem in refused.value.problems]


def test_the_shipped_profile_is_good(file: Path) -> None:
    loaded = config.load(file)
    assert {instrument.symbol for instrument in loaded.config.guard.instruments} >= {"BTCUSDT"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "connections: 64 ",
            "conections: 64 ",
            "upstream.conections: is not a field here; did you",
        ),
        (
            "operation: enforce",
            "operation: off",
            "controls.operation: must be one of 'enforce', not 'off'",
        ),
        (
            "operation: enforce",
            "operation: observe",
            "controls.operation: must be one of 'enforce', not 'observe'",
        ),
        (
            "order: 500,",
            "order: 0,",
            "overload.waits_ms.order: must be at least 1",
        ),
        (
            "reserve_percent: 10 ",
            "reserve_percent: 91 ",
            "overload.reserve_percent: must be at most 90",
        ),
        ("engine:\n", "shards: {count: 0}\nengine:\n", "shards.count: must be at least 1"),
        (
            "engine:\n",
            "shards: {count: 4, pins: {alice: 4}}\nengine:\n",
            "shards.pins: has alice in shard 4, which is not there; name a shard below 4",
        ),
        (
            "engine:\n",
            "shards: {strangers: {cells: 1, each: 2}}\nengine:\n",
            "shards.strangers.each: is more than there are cells",
        ),
        (
            "  capacity: 4194304\n",
            "  capacity: 4000\nshards: {count: 4}\n",
            "shards.count: leaves each 800 signatures to remember; use fewer shards",
        ),
        (
            "  limits:\n",
            "  limits:\n    - {name: a, subject: shard, counts: weight, quota: 1, window_ms: 1}\n",
            "budget.limits: has a, whose subject is shard; that needs a shards.count above 1",
        ),
        ("threads: 1 ", "threads: one ", "engine.threads: must be a whole number, not text"),
        ("threads: 1 ", "threads: 0 ", "engine.threads: must be at least 1"),
        ("threads: 1 ", 'threads: "1" ', "engine.threads: must be a whole number, not text"),
        ("edge: enforce", "edge: of", "controls.edge: must be one of"),
        ("edge: enforce", "edge: yes", "controls.edge: must be one of"),
        ("node: gw1", "node: 7", "node: must be text, not a number"),
        ("node: gw1", "node: a b", "node: is not a name"),
        ("127.0.0.1:0", "localhost:0", "listeners[0].address: is not an address"),
        ("127.0.0.1:0", "127.0.0.1:65536", "listeners[0].address: is not an address"),
        ("127.0.0.1:0", "::1:80", "listeners[0].address: is not an address"),
        (
            "dialect: binance",
            "dialect: binance\n    proxy_protocol: {from: [10.0.0.7], form: 1}",
            "listeners[0].proxy_protocol.form: is not a field here; did you mean from?",
        ),
        (
            "dialect: binance",
            "dialect: binance\n    proxy_protocol: {from: []}",
            "listeners[0].proxy_protocol.from: must have at least 1 item(s)",
        ),
        ("dialect: binance", "dialect: binanse", "listeners[0].dialect: no dialect binanse"),
        ("dialect: binance", "dialect: ./x.yaml", "listeners[0].dialect: cannot be used: cannot"),
        ("http://127.0.0.1:1", "ftp://x", "upstream.url: is not a venue's address"),
        ("http://127.0.0.1:1", "http://u:p@x", "upstream.url: is not a venue's address"),
        ("http://127.0.0.1:1", "http://x/api", "upstream.url: is not a venue's address"),
        (
            "min_quantity: 0.00001",
            "min_quantity: 1e-5",
            "guard.instruments[0].min_quantity: is not",
        ),
        ("min_quantity: 0.00001", "min_quantity: -1", "guard.instruments[0].min_quantity: is not"),
        ("lot: 0.00001", "lot: 0.000", "guard.instruments[0].lot: must be more than 0"),
        ("price_min: 10000", "price_min: 9999999", "guard.instruments[0].price_min: is more than"),
        ("symbol: ETHUSDT", "symbol: BTCUSDT", "guard.instruments[1].symbol: BTCUSDT is there"),
        ("name: orders-1d", "name: orders-10s", "budget.limits[5].name: orders-10s is there twice"),
        ("key: keys/ledger.key", "key: keys/none.pem", "ledger.key: there is no file"),
        ("tls: {certificate", "plain: false # {", "listeners[0].tls: has no tls"),
        (
            "server.key}",
            "server.key}\n    plain: true",
            "listeners[0].plain: is true, and there is",
        ),
        (
            "server.key}",
            "server.key, client_ca: tls/none.pem}",
            "listeners[0].tls.client_ca: there is no file",
        ),
        (
            "server.key}",
            "server.key, client_auth: required}",
            "listeners[0].tls.client_auth: asks for certificates; name a file of roots",
        ),
        ("mode: strict", "mode: strict\n  mode: group", "ledger.mode: is set twice"),
        ("mode: strict", "mode: !!python/none x", "ledger.mode: the tag"),
        ("node: gw1", "node: *gw", "*gw: aliases are not read"),
        ("node: gw1", "node: {", "file: is not YAML"),
    ],
)
def test_a_mistake_is_named_by_line_and_field(file: Path, old: str, new: str, said: str) -> None:
    line = change(file, old, new)
    found = problems(file)
    assert len(found) == 1
    assert said in found[0]
    # A second key or an unclosed bracket is noticed where it is, below what was changed.
    if "\n" not in new and new != "node: {":
        assert found[0].startswith(f"{line}: ") or said.startswith("listeners[0].tls: has")


def test_all_mistakes_are_named_at_once_in_the_order_of_the_file(file: Path) -> None:
    lines = [
        change(file, "node: gw1", "nodde: gw1"),
        change(file, "threads: 1 ", "threads: x "),
        change(file, "checkpoint_ms: 1000", "checkpoint_ms: 0"),
    ]
    found = problems(file)
    assert [int(problem.split(":")[0]) for problem in found] == [3, *lines]
    assert "node: is missing" in found[0]


def test_a_missing_section_is_named(file: Path) -> None:
    file.write_text("version: 1\n")
    assert any("ledger: is missing" in problem for problem in problems(file))


@pytest.mark.parametrize("content", [b"", b"- 1\n", b"text", b"\xff", b"[" * 100_000, b"\x00"])
def test_a_file_that_is_no_configuration_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert problems(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot read"):
        config.load(tmp_path / "none.yaml")


def test_a_word_like_off_stays_a_word_and_a_price_keeps_its_digits(file: Path) -> None:
    change(file, "guard: enforce", "guard: off")
    change(file, "price_min: 10000", "price_min: 10000.10")
    loaded = config.load(file).config
    assert loaded.controls.guard == "off"
    assert loaded.guard.instruments[0].price_min == "10000.10"


def test_the_snapshot_has_absolute_paths_and_the_dialect_itself(file: Path) -> None:
    snapshot = json.loads(config.load(file).snapshot())
    folder = file.parent.resolve()
    assert snapshot["ledger"]["key"] == str(folder / "keys/ledger.key")
    assert snapshot["listeners"][0]["tls"]["key"] == str(folder / "tls/server.key")
    assert snapshot["attestation"]["issuer"] == "gw1"
    assert set(snapshot["controls"]) == set(CONTROLS)
    assert snapshot["dialects"]["binance"]["name"] == "binance"


def test_the_engine_takes_a_listener_that_asks_for_certificates(file: Path) -> None:
    change(file, "server.key}", "server.key, client_ca: tls/server.pem, client_auth: required}")
    loaded = config.load(file)
    config.check(loaded)
    tls = json.loads(loaded.snapshot())["listeners"][0]["tls"]
    assert tls["client_ca"] == str(file.parent.resolve() / "tls/server.pem")
    (file.parent / "tls/server.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match="tls"):
        config.check(loaded)


def with_issuer(file: Path, keys: str, more: str = "") -> None:
    (file.parent / "issuer.jwks").write_text(keys)
    section = (
        "\nissuers:\n  - {name: a, issuer: https://a.example, audience: b, jwks: issuer.jwks, "
        f"credentials: {{desk: desk-key-1}}{more}}}\n"
    )
    file.write_text(file.read_text() + section)


ED25519 = '{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'


def test_a_listener_goes_by_the_names_in_its_certificate_unless_it_says_its_own(file: Path) -> None:
    def names() -> list[str]:
        listener = json.loads(config.load(file).snapshot())["listeners"][0]
        found: list[str] = listener["authorities"]
        return found

    assert names() == ["localhost", "127.0.0.1", "[::1]"]
    change(
        file,
        "dialect: binance",
        "authorities: [GW.example, '*.gw.example:8443']\n    dialect: binance",
    )
    assert names() == ["GW.example", "*.gw.example:8443"]
    config.check(config.load(file))


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("127.0.0.1:80", ["127.0.0.1", "localhost"]),
        ("[::1]:80", ["[::1]", "localhost"]),
        ("192.0.2.7:80", ["192.0.2.7"]),
        ("0.0.0.0:80", []),
        ("[::]:80", []),
    ],
    ids=lambda value: str(value),
)
def test_without_tls_a_listener_goes_by_its_address_if_that_is_one(
    address: str, names: list[str]
) -> None:
    assert own_names(address, None) == names


@pytest.mark.parametrize("names", ["[]", "['gw example']", "['http://gw']", "['*']", "['a.*.b']"])
def test_what_is_no_list_of_names_is_refused(file: Path, names: str) -> None:
    change(file, "dialect: binance", f"authorities: {names}\n    dialect: binance")
    with pytest.raises(ConfigError, match=r"listeners\[0\].authorities"):
        config.load(file)


def test_the_engine_takes_an_issuer_with_its_public_keys(file: Path) -> None:
    with_issuer(file, f'{{"keys": [{ED25519}]}}')
    config.check(config.load(file))


@pytest.mark.parametrize(
    ("keys", "more", "said"),
    [
        ("no json", "", "not a JSON Web Key Set"),
        ("[]", "", 'it has no list of "keys"'),
        (f'{{"keys": [{ED25519}, {ED25519}]}}', "", "two keys have one name"),
        ('{"keys": [{"kty": "oct", "k": "AAAA"}]}', "", "private key"),
        (f'{{"keys": [{ED25519[:-1]}, "d": "AAAA"}}]}}', "", "private key"),
    ],
)
def test_an_issuer_whose_keys_are_none_is_refused(
    file: Path, keys: str, more: str, said: str
) -> None:
    with_issuer(file, keys, more)
    with pytest.raises(ConfigError) as refused:
        config.check(config.load(file))
    assert said in str(refused.value.problems)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (", algorithms: [HS256]", "issuers[0].algorithms[0]"),
        (", algorithms: []", "issuers[0].algorithms"),
        (", dpop: never", "issuers[0].dpop"),
        (", max_lifetime_s: 0", "issuers[0].max_lifetime_s"),
        (", secret: x", "issuers[0].secret"),
    ],
)
def test_what_no_issuer_may_say_is_named(file: Path, more: str, said: str) -> None:
    with_issuer(file, f'{{"keys": [{ED25519}]}}', more)
    assert any(said in problem for problem in problems(file))


def test_the_engine_takes_what_the_profile_says(file: Path) -> None:
    config.check(config.load(file))


def test_what_only_the_engine_can_tell_is_named_too(file: Path) -> None:
    (file.parent / "x.yaml").write_text("name: x\n")
    change(file, "dialect: binance", "dialect: ./x.yaml")
    with pytest.raises(ConfigError) as refused:
        config.check(config.load(file))
    # The dialect's own file is named: that is where the mistake is.
    assert refused.value.problems[0].startswith(f"{file.parent}/x.yaml:1: dialect: missing field")


@pytest.mark.parametrize("value", ["a b", 'a"b', "a\nb", "a#b", "{a}"])
def test_a_profile_takes_no_value_that_would_change_its_structure(value: str) -> None:
    with pytest.raises(ConfigError, match="--node"):
        fill("binance-spot", node=value, listen="127.0.0.1:0", upstream="http://x", plain=True)


def test_an_unknown_profile_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError) as refused:
        fill("binance-spto", node="a", listen="127.0.0.1:0", upstream="http://x", plain=True)
    assert refused.value.hint == "did you mean binance-spot?"


def test_a_venue_with_tls_is_checked_against_the_systems_roots_or_the_named_ones(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = change(file, "http://127.0.0.1:1", "https://venue.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(file.parent / "none.pem"))
    said = "upstream.ca: is not set, and this system has no roots; name a PEM file"
    assert problems(file) == [f"{line - 1}: {said}"]
    roots = file.parent / "roots.pem"
    roots.write_bytes(issue("127.0.0.1:0").ca)
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    loaded = config.load(file)
    assert json.loads(loaded.snapshot())["upstream"]["ca"] == str(roots)
    config.check(loaded)
    change(file, "# ca: tls/venue-ca.pem ", "ca: tls/server.pem ")
    snapshot = json.loads(config.load(file).snapshot())
    assert snapshot["upstream"]["ca"] == str(file.parent / "tls/server.pem")


@pytest.mark.parametrize("profile", profiles())
def test_every_profile_goes_with_egress(profile: str) -> None:
    text = fill(profile, node="gw1", listen="127.0.0.1:0", upstream="http://x", plain=True)
    assert "egress:" not in text
    firm = fill(
        profile, node="gw1", listen="127.0.0.1:0", upstream="http://x", plain=True, egress=True
    )
    assert firm.startswith("# Ringfence between a firm's bots and ")
    assert "\nattestation:" not in firm
    assert "subject: account" not in firm
    assert "subject: address" not in firm
    assert firm.count("subject: venue") == text.count("subject: account")


ADMIN = """listeners:
  - name: admin
    address: "127.0.0.1:0"
    dialect: ringfence-admin
    plain: true
"""


@pytest.mark.parametrize("control", ["identity", "freshness", "authority"])
def test_a_listener_to_the_admin_api_needs_what_guards_it(file: Path, control: str) -> None:
    change(file, "listeners:\n", ADMIN)
    config.check(config.load(file))
    change(file, f"  {control}: enforce", f"  {control}: observe")
    with pytest.raises(ConfigError, match=f"dialect: .*say controls.{control}: enforce"):
        config.check(config.load(file))
