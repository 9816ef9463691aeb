"""What opened a sealed folder, and what was destroyed, is nowhere in a running gateway's memory.

Root reads all that the process can write to, as a thief with root's rights would.
"""

from __future__ import annotations

import base64
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from demo.attack import Key, signed
from demo.stage import key, ringfence, running
from ringfence.config.folder import Folder
from ringfence.identity.seal.book import Book
from ringfence.identity.seal.folder import seal_path
from ringfence.identity.seal.kek import LocalKek
from tests.integration.test_egress import put
from tests.memory import found

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0,
    reason="only root on Linux reads another process's memory",
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed folder whose gateway runs, and the secrets that were there before it ran."""

    pid: int
    url: str
    state: Path
    # No secret is in what a failing test prints.
    opening: dict[str, bytes] = field(repr=False)
    master: bytes = field(repr=False)
    client: Key = field(repr=False)
    venue: str = field(repr=False)

    @property
    def config(self) -> str:
        return str(self.state / "ringfence.yaml")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sealed]:
    """Run a gateway that signs for a venue, in a folder under a passphrase."""
    folder = tmp_path_factory.mktemp("memory")
    state, unlock = folder / "state", folder / "phrase"
    phrase, venue = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    unlock.write_text(f"{phrase}\n")
    unlock.chmod(0o600)
    config = str(state / "ringfence.yaml")
    never = "http://127.0.0.1:9"
    ringfence("init", "--egress", "--listen", "127.0.0.1:0", "--upstream", never, str(state))
    master = bytes.fromhex((state / "keys" / "master.key").read_text())
    client = key(state, "desk", ["read"], "127.0.0.0/8")
    put(config, venue)
    asked = ["vault", "rewrap", "--to", "passphrase", "--new-unlock-file", str(unlock)]
    ringfence(*asked, "-c", config)
    opening = opened_by(state, phrase)
    with running(folder / "log", "--unlock-file", str(unlock), "serve", "-c", config) as served:
        pid, url = process_of(state / "admin.sock"), f"https://{served['addresses'][-1]}"
        yield Sealed(pid, url, state, opening, master, client, venue)


def process_of(path: Path) -> int:
    """Return the id of the process that listens on a socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        content = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4)
    return int.from_bytes(content, sys.byteorder)


def opened_by(state: Path, phrase: str) -> dict[str, bytes]:
    """Return all that opens a folder under a passphrase: itself, its key, and each data key."""
    book = Book.read(seal_path(Folder(state)))
    assert book is not None
    asked = book.slots[0].kek["argon2id"]
    cost = {"iterations": asked["passes"], "lanes": asked["lanes"]}
    kdf = Argon2id(
        salt=base64.b64decode(asked["salt"]), length=32, memory_cost=asked["memory_kib"], **cost
    )
    kek = kdf.derive(phrase.encode())
    keys = book.open(book.slots[0], LocalKek(bytearray(kek), book.slots[0].kek))
    data = {name: bytes(one) for name, one in keys.items()}
    return {"passphrase": phrase.encode(), "key encryption key": kek, **data}


OPENING = """
import sys
from pathlib import Path
from ringfence.identity.seal import passphrase
from ringfence.identity.seal.unlock import Unlock
if sys.argv[2] == "careless":
    passphrase.scrub = lambda: None
asked = {"memory_kib": 19_456, "passes": 2, "lanes": 1, "salt": "AAAAAAAAAAAAAAAAAAAAAA=="}
unlock = Unlock(Path(sys.argv[1]))
passphrase.open_again({"kind": "passphrase", "argon2id": asked}, unlock)
unlock.forget()
print("open", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["careful", "careless"])
def test_a_passphrase_would_be_found_were_freed_memory_not_scrubbed(
    tmp_path: Path, how: str
) -> None:
    phrase, unlock = secrets.token_urlsafe(32), tmp_path / "phrase"
    unlock.write_text(f"{phrase}\n")
    unlock.chmod(0o600)
    command = [sys.executable, "-c", OPENING, str(unlock), how]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None and process.stdout.readline() == "open\n"
        told = found(process.pid, {"passphrase": phrase.encode()})
    assert told["passphrase"] == (how == "careless")


def test_what_opened_the_folder_is_not_in_memory_and_what_signs_is(gateway: Sealed) -> None:
    assert len(gateway.opening) == 6
    working = {"client": gateway.client.secret.encode(), "venue": gateway.venue.encode()}
    working["master"] = gateway.master
    told = found(gateway.pid, gateway.opening | working)
    # A client's secret is derived when it first comes.
    assert not told["client"]
    come(gateway)
    told = found(gateway.pid, gateway.opening | working)
    # What must be there shows that this looks where things are.
    assert {name for name, is_there in told.items() if is_there} == set(working)


def come(gateway: Sealed) -> None:
    """Ask for something with the client's key; there is no venue that would answer."""
    client = gateway.client
    asked = signed(f"timestamp={time.time_ns() // 1_000_000}", client.secret)
    with httpx.Client(verify=str(gateway.state / "tls" / "ca.pem")) as http:
        headers = {"X-MBX-APIKEY": client.key_id}
        answer = http.get(f"{gateway.url}/api/v3/account?{asked}", headers=headers)
    assert "venue cannot be reached" in answer.text, answer.text


def test_a_client_s_secret_that_was_destroyed_is_not_in_memory(gateway: Sealed) -> None:
    client = gateway.client
    come(gateway)
    known = {"client": client.secret.encode()}
    ringfence("key", "revoke", client.key_id, "-c", gateway.config)
    assert found(gateway.pid, known)["client"]
    ringfence("key", "destroy", client.key_id, "-c", gateway.config)
    assert not found(gateway.pid, known)["client"]


def test_no_byte_of_the_sealed_folder_is_a_secret(gateway: Sealed) -> None:
    known = [gateway.master, gateway.client.secret.encode(), gateway.venue.encode()]
    known += gateway.opening.values()
    for file in gateway.state.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            for secret in known:
                forms = (secret, base64.b64encode(secret)[:-4], secret.hex().encode())
                assert not any(form in content for form in forms), file


def test_new_memory_comes_in_small_pages(gateway: Sealed) -> None:
    """The kernel clears a large one for milliseconds, in which an engine thread stands still."""
    status = Path(f"/proc/{gateway.pid}/status").read_text("ascii").splitlines()
    # Kernels without large pages say nothing of them.
    assert "THP_enabled:\t1" not in status
