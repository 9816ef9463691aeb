"""A gateway whose principals and keys are in PostgreSQL, across a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ccxt
import psycopg
import pytest

from demo.attack import Key
from demo.stage import Stage, ringfence, running, set_stage
from demo.trade import client, trade
from ringfence.api import Client, NewKey
from tests import postgres


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """Yield the URL of a database; skip where no server can be had."""
    if (why := postgres.missing()) is not None:
        pytest.skip(why)
    with postgres.running() as server:
        yield server.database()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[Stage]:
    """Yield the demonstration's stage with its store in PostgreSQL."""
    place = f"\nstore:\n  url: {database}\n"
    folder = tmp_path_factory.mktemp("postgresql") / "demo"
    with set_stage(folder, settle=lambda text, _: text + place) as built:
        yield built


def reads(gateway: str, stage: Stage, key: Key) -> bool:
    """Tell whether a key is let through."""
    try:
        client(gateway, stage.ca, key.key_id, key.secret).fetch_balance()
    except ccxt.ExchangeError:
        return False
    return True


def test_ccxt_trades_and_the_local_file_has_no_key(stage: Stage, database: str) -> None:
    trader = client(stage.gateway, stage.ca, stage.trader.key_id, stage.trader.secret)
    assert [line for line in trade(trader) if not line.right] == []
    with psycopg.connect(database) as opened:
        kept = opened.execute("SELECT key_id FROM credential").fetchall()
    assert (stage.trader.key_id,) in kept
    local = stage.state / "ringfence.db"
    assert not local.exists() or stage.trader.key_id.encode() not in local.read_bytes()


def test_a_revocation_is_in_force_at_once_and_still_after_a_restart(
    stage: Stage, tmp_path: Path
) -> None:
    admin = Client(stage.state / "admin.sock")
    made = admin.create(NewKey("alice", ["read"], ["127.0.0.0/8"]))
    key = Key(made["key_id"], made["secret"])
    assert reads(stage.gateway, stage, key)
    admin.step(key.key_id, "deactivate", "stolen")
    assert not reads(stage.gateway, stage, key)
    # Another gateway on the same database and the same master key.
    again = tmp_path / "again"
    again.mkdir()
    config = again / "ringfence.yaml"
    text = (stage.state / "ringfence.yaml").read_text()
    config.write_text(text)
    for name in ("keys", "tls"):
        (again / name).symlink_to(stage.state / name)
    with running(tmp_path / "again.log", "serve", "-c", str(config)) as served:
        gateway = f"https://{served['addresses'][-1]}"
        assert not reads(gateway, stage, key)
        assert reads(gateway, stage, stage.trader)


def test_the_password_is_in_no_output(stage: Stage, database: str) -> None:
    password = database.split(":")[2].split("@")[0]
    shown = [str(ringfence("key", "list", "-c", str(stage.state / "ringfence.yaml")))]
    shown += [path.read_text() for path in stage.state.parent.glob("*.log")]
    assert not [text for text in shown if password in text]
