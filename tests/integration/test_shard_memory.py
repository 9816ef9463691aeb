"""A gateway of one shard has nothing of the master key or of another shard, on disk or in memory.

Root reads all that the process can write to, as a thief with root's rights would.
"""

from __future__ import annotations

import hmac
import os
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from demo.stage import LAUNCH, ringfence, running
from ringfence.config.certificate import private_pem
from ringfence.config.folder import Folder, write_private
from ringfence.identity import Store, open_master
from ringfence.identity.derivation import ShardKey
from ringfence.identity.export import LASTS_US, Head, Recipient, digest, sealed
from ringfence.identity.shard import Shard
from tests.integration.test_memory import process_of
from tests.memory import found

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0,
    reason="only root on Linux reads another process's memory",
)
NEVER = ("--plain", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9")
OWN, OTHER = 7, 8


@dataclass(frozen=True, slots=True)
class Machines:
    """The folder of a gateway with a master key, and that of one with its shard 7."""

    whole: Path
    cell: Path
    # No secret is in what a failing test prints.
    foreign: dict[str, bytes] = field(repr=False)
    own: dict[str, bytes] = field(repr=False)


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Machines:
    """Lay both folders, and take the shard from one into the other."""
    folder = tmp_path_factory.mktemp("shards")
    whole, cell = folder / "whole", folder / "cell"
    ringfence("init", *NEVER, str(whole))
    ringfence("init", "--for-shard", *NEVER, str(cell))
    made = {}
    for account, shard in (("desk", OWN), ("fund", OTHER)):
        asked = ("key", "create", "--hmac", "--scope", "read", "--allow", "127.0.0.0/8")
        about = ("--account", account, "--shard", str(shard))
        made[account] = ringfence(*asked, *about, "-c", str(whole / "ringfence.yaml"))["secret"]
    place = Folder(whole)
    store, root = Store(place.store), open_master(place)
    file = exported(Shard.gather(store, root, OWN), folder)
    sure = ("--key", str(folder / "key"), "--sha256", digest(file.read_bytes()))
    ringfence("vault", "import", str(file), *sure, "-c", str(cell / "ringfence.yaml"))
    master = bytes.fromhex(place.master_key.read_text())
    key, chain = halves(master, OTHER)
    foreign = {"master": master, "other key": key, "other chain": chain}
    foreign["other secret"] = made["fund"].encode()
    own_key, own_chain = halves(master, OWN)
    own = {"key": own_key, "chain": own_chain, "secret": made["desk"].encode()}
    return Machines(whole, cell, foreign, own)


def halves(master: bytes, shard: int) -> tuple[bytes, bytes]:
    """Return a shard's key and chain code."""
    material = ShardKey.derive(master, shard).material()
    return material[:32], material[32:]


def exported(shard: Shard, folder: Path) -> Path:
    """Write a shard's export to a new key in `folder`, as a gateway would; return the file."""
    key = X25519PrivateKey.generate()
    write_private(folder / "key", private_pem(key))
    what = {"shard": OWN, "credentials": len(shard.credentials), "accounts": shard.accounts()}
    to, now_us = Recipient.of(key), time.time_ns() // 1_000
    head = Head("id", "gw1", what, to.fingerprint, now_us, now_us + LASTS_US)
    (folder / "out").write_bytes(sealed(head, shard.encode(), to))
    return folder / "out"


@pytest.fixture(params=["cell", "whole"])
def there(request: pytest.FixtureRequest, machines: Machines, tmp_path: Path) -> Iterator[Path]:
    """Run one of the two gateways; yield its folder."""
    state: Path = getattr(machines, request.param)
    with running(tmp_path / "log", "serve", "-c", str(state / "ringfence.yaml")):
        made = ("key", "create", "--hmac", "--scope", "read", "--allow", "127.0.0.0/8")
        account = f"new-{secrets.token_hex(4)}"
        ringfence(*made, "--account", account, "-c", str(state / "ringfence.yaml"))
        yield state


def test_memory_and_folder_hold_the_own_shard_alone(there: Path, machines: Machines) -> None:
    foreign = found(process_of(there / "admin.sock"), machines.foreign | machines.own)
    content = b"".join(file.read_bytes() for file in there.rglob("*") if file.is_file())
    lies = {
        name
        for name, secret in machines.foreign.items()
        if secret in content or secret.hex().encode() in content
    }
    held = {name for name in machines.foreign if foreign[name]}
    if there == machines.cell:
        assert not held and not lies
        # A secret is derived when it is first used, and nobody has used one.
        assert foreign["key"] and not foreign["secret"]
    else:
        # Where the master key is, the other shard's is found too: this looks where things are.
        assert {"master", "other key"} <= held and lies == {"master"}


def test_another_shard_s_client_is_unknown_and_its_key_is_not_made(
    machines: Machines, tmp_path: Path
) -> None:
    config = str(machines.cell / "ringfence.yaml")
    whole = Store(Folder(machines.whole).store)
    fund = next(one for one in whole.all() if one.account == "fund")
    # As if somebody had put the whole gateway's store there.
    Store(Folder(machines.cell).store).add(fund, "test")
    with running(tmp_path / "log", "serve", "-c", config) as started:
        said = (tmp_path / "log").read_text()
        assert "has shard 7 alone: 1 credentials of other shards are unknown" in said, said
        asked = ("key", "create", "--hmac", "--scope", "read", "--allow", "any", "--account", "x")
        refused = LAUNCH.completed([*asked, "--shard", str(OTHER), "-c", config])
        assert "[shard_other]" in refused.stderr
        [desk] = [one for one in whole.all() if one.account == "desk"]
        url = f"http://{started['addresses'][0]}"
        assert asked_for(url, fund.key_id, machines.foreign["other secret"]) == -2014
        # Its own client comes through, to a venue that is not there.
        assert asked_for(url, desk.key_id, machines.own["secret"]) not in (-2014, -2015, -1022)


def asked_for(url: str, key_id: str, secret: bytes) -> int:
    """Ask for the account as Binance's clients do; return the code of the answer."""
    text = f"timestamp={time.time_ns() // 1_000_000}"
    signature = hmac.digest(secret, text.encode(), "sha256").hex()
    target = f"{url}/api/v3/account?{text}&signature={signature}"
    answer = httpx.get(target, headers={"X-MBX-APIKEY": key_id}, trust_env=False)
    return int(answer.json()["code"])
