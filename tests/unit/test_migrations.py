"""A store of today becomes one of tomorrow and goes back, whole; a failed step changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from ringfence.errors import StoreError
from ringfence.identity import Credential, Store, migrations
from ringfence.identity.approval.schema import VOTE
from ringfence.identity.database import Database
from ringfence.identity.factor.schema import TOTP
from ringfence.identity.migrations import HEAD, migrate, version
from ringfence.identity.principal import Principal

VERSIONS = Path(migrations.__file__).parent / "versions"
MADE = Credential("key-0001", "alice", "ed25519", ("read",), ("10.0.0.0/8",), "active", 1)
MADE = replace(MADE, public_key=bytes(32))


def found(place: Path | str) -> int:
    """Return the schema that is there."""
    with Database(place).transaction() as db:
        return version(db)


def run(place: Path | str, *statements: str) -> None:
    """Do what another program would."""
    with Database(place).transaction(writes=True) as db:
        for statement in statements:
            db.execute(text(statement))


def aged(place: Path | str, schema: int) -> None:
    """Leave a store as a Ringfence without migrations laid it, with a key in each old state."""
    migrate(Database(place), schema)
    states = ("pre-active", "active", "suspended", "revoked")
    run(
        place,
        "DROP TABLE alembic_version",
        "CREATE TABLE schema_version (version INTEGER NOT NULL)",
        f"INSERT INTO schema_version VALUES ({schema})",  # noqa: S608
        "INSERT INTO principal VALUES ('alice', 1)",
        *(
            "INSERT INTO credential (key_id, account, algorithm, generation, scopes, allow,"  # noqa: S608
            f" created_us, state) VALUES ('{state}', 'alice', 'hmac-sha256', 1, '[\"read\"]',"
            f" '[\"any\"]', 1, '{state}')"
            for state in states
        ),
        "INSERT INTO change (key_id, before, state, who, why, time_us, recorded)"
        " VALUES ('revoked', 'active', 'revoked', 'ann', 'stolen', 2, 0)",
    )


@pytest.mark.parametrize("schema", [1, 2])
def test_a_store_of_an_older_schema_comes_up_and_keeps_what_it_has(
    empty: Path | str, schema: int
) -> None:
    aged(empty, schema)
    for _ in range(2):
        store = Store(empty)
        assert found(empty) == HEAD
        states = {one.key_id: one.state for one in store.all()}
        assert states.pop("revoked") == "deactivated"
        assert states == {state: state for state in states}
        [change] = store.history("revoked")
        assert (change.before, change.state, change.why) == ("active", "deactivated", "stolen")
        assert store.principals.one("alice") == Principal("alice", "account", 1)


def test_the_migrations_lay_the_tables_that_the_code_reads(empty: Path | str) -> None:
    migrate(Database(empty))
    assert VOTE.metadata is TOTP.metadata
    with Database(empty).transaction() as db:
        context = MigrationContext.configure(db, opts={"compare_type": False})
        assert compare_metadata(context, TOTP.metadata) == []


@pytest.mark.parametrize("back", [1, 2])
def test_a_store_goes_back_and_forward_again(empty: Path | str, back: int) -> None:
    migrate(Database(empty))
    store = Store(empty)
    store.principals.add(Principal("acme", "organisation", 1), "ann")
    store.principals.add(Principal("alice", "account", 1, parent="acme"), "ann")
    store.add(MADE, "ann")
    for number, state in enumerate(("deactivated", "compromised", "destroyed")):
        key = None if state == "destroyed" else bytes(32)
        gone = replace(MADE, key_id=f"gone-{number:04}", state=state, public_key=key)
        store.add(gone, "ann")
    store.principals.step("acme", "suspend", "ann", "", 9)
    migrate(Database(empty), back)
    with Database(empty).transaction() as db:
        rows = db.execute(text("SELECT key_id, state, algorithm FROM credential")).all()
        assert db.execute(text("SELECT version FROM schema_version")).scalar_one() == 2
    states = {row.key_id: row.state for row in rows}
    # Who was held by a principal must not come back into use where principals have no states.
    assert states.pop(MADE.key_id) == "suspended"
    assert set(states.values()) == {"revoked"}
    assert {row.algorithm for row in rows if row.key_id == "gone-0002"} == {"hmac-sha256"}
    again = Store(empty)
    assert {one.state for one in again.all()} == {"suspended", "deactivated"}


@pytest.mark.parametrize("schema", [1, 2])
def test_a_migration_that_fails_leaves_the_old_schema(
    empty: Path | str, schema: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    aged(empty, schema)
    # The last table of the last step is there already.
    run(empty, "CREATE TABLE principal_change (anything INTEGER)")
    with pytest.raises(StoreError, match="principal_change"):
        Store(empty)
    assert found(empty) == schema
    with Database(empty).transaction() as db:
        assert "kind" not in {one["name"] for one in inspect(db).get_columns("principal")}
        assert db.execute(text("SELECT count(*) FROM credential")).scalar_one() == 4
    run(empty, "DROP TABLE principal_change")
    Store(empty)
    assert found(empty) == HEAD


def test_an_unknown_schema_is_not_read(empty: Path | str) -> None:
    migrate(Database(empty))
    run(empty, "UPDATE alembic_version SET version_num = '99'")
    with pytest.raises(StoreError, match="schema 99 is not known"):
        Store(empty)
    run(empty, "UPDATE alembic_version SET version_num = 'abc'")
    with pytest.raises(StoreError, match="does not say"):
        Store(empty)


def test_the_newest_migration_is_the_one_that_the_code_reads() -> None:
    found = [int(one.stem.partition("_")[2]) for one in VERSIONS.glob("schema_*.py")]
    assert sorted(found) == list(range(1, HEAD + 1))


def test_a_password_is_in_no_error(
    server: object, empty: Path | str, shown: Callable[[BaseException], str]
) -> None:
    password = "correct-horse-battery"
    url = f"postgresql://keeper:{password}@127.0.0.1:1/none"
    wrong = [url, url.replace("postgresql", "mysql"), f"postgresql://a:{password}@[::/x"]
    if isinstance(empty, str):
        host = empty.split("@")[1]
        wrong.append(f"postgresql://keeper:{password}@{host}")
    for place in wrong:
        with pytest.raises(StoreError) as refused:
            Store(place)
        assert password not in shown(refused.value)
        assert password not in repr(vars(refused.value))
