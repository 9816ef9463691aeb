"""Client certificates by real clients: as a credential, as a second factor, and refused."""

from __future__ import annotations

import json
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from websockets.exceptions import ConnectionClosed

from demo.attack import Key
from demo.stage import Stage, ringfence, set_stage
from ringfence.client import RingfenceKey
from ringfence.client.httpx import RingfenceAuth
from ringfence.engine import LedgerReader
from ringfence.errors import KeyTextError
from ringfence.identity.certificate import read_certificate
from tests.integration.websocket import ClientConnection, connect

NOW = datetime.now(UTC)
ACCOUNT = "/api/v3/account"
CLIENTS = ExtendedKeyUsageOID.CLIENT_AUTH
SERVERS = ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True)
class Authority:
    """Signs certificates."""

    key: Ed25519PrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls) -> Authority:
        key = Ed25519PrivateKey.generate()
        name = named("clients' authority")
        built = builder(name, name, key, NOW - timedelta(days=9), NOW + timedelta(days=9))
        limits = x509.BasicConstraints(ca=True, path_length=0)
        return cls(key, built.add_extension(limits, critical=True).sign(key, None))

    def issue(
        self,
        folder: Path,
        usage: x509.ObjectIdentifier = CLIENTS,
        begin: datetime = NOW - timedelta(days=1),
        end: datetime = NOW + timedelta(days=1),
    ) -> tuple[str, str]:
        """Lay a certificate and its key; return both files."""
        key = Ed25519PrivateKey.generate()
        built = builder(named("trader"), self.certificate.subject, key, begin, end)
        usages = x509.ExtendedKeyUsage([usage])
        certificate = built.add_extension(usages, critical=False).sign(self.key, None)
        stem = folder / f"{certificate.serial_number:x}"
        files = stem.with_suffix(".pem"), stem.with_suffix(".key")
        files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
        files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return str(files[0]), str(files[1])


def named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def builder(
    subject: x509.Name, issuer: x509.Name, key: Ed25519PrivateKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


AUTHORITY = Authority.make()


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Yield a stage whose listener takes certificates of our authority."""

    def settle(text: str, state: Path) -> str:
        roots = AUTHORITY.certificate.public_bytes(Encoding.PEM)
        (state / "tls" / "clients.pem").write_bytes(roots)
        assert "key: tls/server.key}" in text
        return text.replace(
            "key: tls/server.key}", "key: tls/server.key, client_ca: tls/clients.pem}"
        )

    with set_stage(tmp_path_factory.mktemp("secured") / "demo", settle=settle) as built:
        yield built


def create(stage: Stage, *arguments: str) -> dict[str, Any]:
    return ringfence(
        "key", "create", "-c", str(stage.state / "ringfence.yaml"), "--account", "carol",
        "--scope", "read", "--allow", "127.0.0.0/8", *arguments,
    )  # fmt: skip


def with_httpx(stage: Stage, own: tuple[str, str]) -> Any:
    context = ssl.create_default_context(cafile=stage.ca)
    context.load_cert_chain(*own)
    with httpx.Client(verify=context) as client:
        return client.get(stage.gateway + ACCOUNT).json()


def with_requests(stage: Stage, own: tuple[str, str]) -> Any:
    url = stage.gateway + ACCOUNT
    return requests.get(url, cert=own, verify=str(stage.ca), timeout=10).json()


def with_curl(stage: Stage, own: tuple[str, str]) -> Any:
    certificate, key = own
    done = subprocess.run(
        ["curl", "-sS", "--cacert", stage.ca, "--cert", certificate, "--key", key,
         stage.gateway + ACCOUNT],
        capture_output=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.mark.parametrize("ask", [with_httpx, with_requests, with_curl], ids=lambda f: f.__name__)
def test_a_certificate_is_a_credential_until_it_is_revoked(
    secured: Stage, tmp_path: Path, ask: Any
) -> None:
    own = AUTHORITY.issue(tmp_path)
    assert "needs an API key" in ask(secured, own)["msg"]
    made = create(secured, "--certificate", own[0])
    assert made["algorithm"] == "x509"
    assert made["secret"] is None
    assert made["public_key"].strip() == Path(own[0]).read_text().strip()
    assert made["expires_us"] == read_certificate(Path(own[0]).read_bytes(), 0).expires_us
    assert "balances" in ask(secured, own)
    config = str(secured.state / "ringfence.yaml")
    assert ringfence("key", "revoke", "-c", config, made["key_id"])["effective_us"] < 1_000
    assert "was revoked" in ask(secured, own)["msg"]
    assert proofs(secured, made["key_id"]) == {"certificate"}


def say(opened: ClientConnection, number: int, method: str, **params: str) -> dict[str, Any]:
    """Ask by a trading channel's message that nobody signed."""
    every = params | {"timestamp": str(time.time_ns() // 1_000_000)}
    opened.send(json.dumps({"id": number, "method": method, "params": every}))
    answer: dict[str, Any] = json.loads(opened.recv(timeout=5))
    return answer


def test_a_certificate_acts_on_a_channel_without_a_logon_until_it_is_revoked(
    secured: Stage, tmp_path: Path
) -> None:
    own, stranger = AUTHORITY.issue(tmp_path), AUTHORITY.issue(tmp_path)
    made = create(secured, "--scope", "trade", "--certificate", own[0])
    uri = secured.gateway.replace("https://", "wss://") + "/ws-api/v3"
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    order |= {"quantity": "0.01", "price": "20000"}

    def channel(certificate: tuple[str, str]) -> ClientConnection:
        context = ssl.create_default_context(cafile=secured.ca)
        context.load_cert_chain(*certificate)
        return connect(uri, ssl=context)

    with channel(stranger) as opened:
        assert say(opened, 1, "order.place", **order)["status"] == 401
    with channel(own) as opened:
        placed = say(opened, 1, "order.place", **order)
        assert (placed["status"], placed["result"]["status"]) == (200, "NEW")
        config = str(secured.state / "ringfence.yaml")
        ringfence("key", "revoke", "-c", config, made["key_id"])
        with pytest.raises(ConnectionClosed) as closed:
            # It may be heard before the close is; then it is refused.
            while say(opened, 2, "order.place", **order)["status"] == 401:
                pass
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    assert proofs(secured, made["key_id"]) == {"certificate"}


def proofs(stage: Stage, credential: str) -> set[Any]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        read = LedgerReader(stage.state / "ledger", 0).read(100_000)
        entries = [json.loads(entry) for _, entry in read]
        mine = [one for one in entries if one.get("credential") == credential]
        decided = {one.get("proof") for one in mine if one["kind"] == "decision"}
        if decided:
            return decided
    return set()


def test_a_key_is_good_only_with_its_certificate(secured: Stage, tmp_path: Path) -> None:
    own, other = AUTHORITY.issue(tmp_path), AUTHORITY.issue(tmp_path)
    file = tmp_path / "bot.pem"
    made = create(
        secured, "--generate-key", str(file), "--require", "native", "--require-certificate", own[0]
    )
    thumbprint = read_certificate(Path(own[0]).read_bytes(), 0).thumbprint
    assert made["requires"] == ["native", f"certificate:{thumbprint}"]
    auth = RingfenceAuth(RingfenceKey.read(made["key_id"], file))

    def ask(certificate: tuple[str, str] | None) -> Any:
        context = ssl.create_default_context(cafile=secured.ca)
        if certificate is not None:
            context.load_cert_chain(*certificate)
        with httpx.Client(verify=context, auth=auth) as client:
            return client.get(secured.gateway + ACCOUNT).json()

    assert "balances" in ask(own)
    for wrong in (None, other):
        assert "only together with its client certificate" in ask(wrong)["msg"]


def test_who_has_no_certificate_trades_as_before(secured: Stage) -> None:
    from demo.trade import client

    trader: Key = secured.trader
    exchange = client(secured.gateway, secured.ca, trader.key_id, trader.secret)
    assert exchange.fetch_balance()["info"]["accountType"] == "SPOT"


@pytest.mark.parametrize(
    ("usage", "begin", "end", "trusted"),
    [
        (CLIENTS, -2, -1, True),  # over
        (CLIENTS, 1, 2, True),  # to come
        (SERVERS, -1, 1, True),
        (CLIENTS, -1, 1, False),
    ],
)
def test_a_certificate_that_does_not_verify_gets_no_connection(
    secured: Stage, tmp_path: Path, usage: Any, begin: int, end: int, trusted: bool
) -> None:
    authority = AUTHORITY if trusted else Authority.make()
    days = (NOW + timedelta(days=count) for count in (begin, end))
    own = authority.issue(tmp_path, usage, *days)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        with_httpx(secured, own)


@pytest.mark.parametrize(
    ("usage", "end", "said"), [(SERVERS, 1, "clients"), (CLIENTS, -1, "ended")]
)
def test_a_certificate_that_could_never_connect_is_not_registered(
    tmp_path: Path, usage: Any, end: int, said: str
) -> None:
    begin = NOW - timedelta(days=3)
    own = AUTHORITY.issue(tmp_path, usage, begin, NOW + timedelta(days=end))
    with pytest.raises(KeyTextError, match=said):
        read_certificate(Path(own[0]).read_bytes(), time.time_ns() // 1_000)


@pytest.mark.parametrize(
    "more",
    [
        ("--key-id", "an-id-of-mine"),
        ("--require", "native"),
        ("--require-certificate", "OWN"),
        ("--generate-key", "new.key"),
    ],
)
def test_a_certificate_is_all_the_proof_of_itself(
    secured: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, str]
) -> None:
    own, _ = AUTHORITY.issue(tmp_path)
    monkeypatch.chdir(tmp_path)
    arguments = [own if text == "OWN" else text for text in more]
    with pytest.raises(SystemExit):
        create(secured, "--certificate", own, *arguments)
    assert not (tmp_path / "new.key").exists()
