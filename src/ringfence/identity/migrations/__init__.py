"""Brings a store from one schema to another, forward and back: all of the way, or not a step."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from ringfence.errors import StoreError
from ringfence.identity.database import Database

__all__ = ["HEAD", "migrate", "open_database", "version"]

HEAD = 8
"""The schema that this Ringfence reads. A migration's revision is its schema's number."""
KNOWN = range(HEAD + 1)


def open_database(place: Path | str) -> Database:
    """Return the database of a store at its newest schema: a file, or PostgreSQL by its URL.

    An older store is brought up; an empty database of PostgreSQL gets the tables.

    Raises:
        StoreError: there is none, it is of a schema that we do not know, or it cannot be used.
    """
    if isinstance(place, Path) and not place.is_file():
        raise StoreError(f"there is no credential store {place}")
    database = Database(place)
    with database.transaction() as db:
        found = version(db)
    if found != HEAD:
        if not found and not database.server:
            raise StoreError(f"{place} holds no credential store")
        migrate(database)
    return database


def version(db: Connection) -> int:
    """Return the schema of the database; 0: nothing is in it.

    Raises:
        StoreError: it says none, more than one, or one that is no number of ours.
    """
    tables = inspect(db).get_table_names()
    for table, column in (("alembic_version", "version_num"), ("schema_version", "version")):
        if table not in tables:
            continue
        found = db.execute(text(f"SELECT {column} FROM {table}")).scalars().all()  # noqa: S608
        if len(found) == 1 and str(found[0]).isdecimal():
            return int(found[0])
        raise StoreError("the store does not say which schema it has")
    return 0


def migrate(database: Database, target: int = HEAD) -> int:
    """Bring the store to the schema `target`; return which it had. One transaction for all steps.

    Raises:
        StoreError: it has, or is to get, a schema that is not known here; or a step failed, and
            the store is as it was.
    """
    with database.transaction(writes=True) as db:
        found = version(db)
        if found not in KNOWN or target not in KNOWN[1:]:
            wrong = found if found not in KNOWN else target
            said = f"{database.name}: schema {wrong} is not known; this Ringfence reads {HEAD}"
            raise StoreError(said, hint="use the Ringfence that wrote it, or a newer one")
        if found != target:
            walk(db, found, target)
    return found


def walk(db: Connection, found: int, target: int) -> None:
    """Run the migrations between two schemas."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = db
    if found and "alembic_version" not in inspect(db).get_table_names():
        # It is older than these migrations, but has what they would have made of it.
        command.stamp(config, str(found))
    if target > found:
        command.upgrade(config, str(target))
    else:
        command.downgrade(config, str(target))
