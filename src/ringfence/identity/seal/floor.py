"""The lowest version of each sealed thing that is still good, so that an older one is noticed.

It stands in a file of its own beside the keys: a store that nodes share would mix theirs. Who puts
back the whole folder puts this back too: the ledger's witnesses see that one.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Integer, MetaData, Table, Text, insert, select, update

from ringfence.errors import FileError, SealError
from ringfence.identity.database import Database

__all__ = ["Floor"]

ROWS = MetaData()
FLOOR = Table(
    "seal_floor",
    ROWS,
    Column("item", Text, primary_key=True),
    Column("version", Integer, nullable=False),
)


class Floor:
    """The floors of one state folder. They only rise."""

    def __init__(self, path: Path) -> None:
        """Keep where they are; they need not be there before something is sealed."""
        self._path = path
        self._database = Database(path)

    def lay(self) -> None:
        """Lay the file where there is none. Comes before the first seal.

        Raises:
            FileError: it cannot be written.
        """
        try:
            self._path.touch(mode=0o600)
        except OSError as e:
            raise FileError(f"cannot create {self._path}: {e.strerror}") from e
        with self._database.transaction(writes=True) as db:
            ROWS.create_all(db)

    def of(self, item: str) -> int:
        """Return an item's floor; 0: it was never sealed."""
        if not self._path.is_file():
            return 0
        with self._database.transaction() as db:
            return db.execute(select(FLOOR.c.version).where(FLOOR.c.item == item)).scalar() or 0

    def check(self, item: str, version: int) -> None:
        """Raise an item's floor to `version`, which was read and is authentic.

        Raises:
            SealError: `seal_rolled_back` where a newer one has been there, or nobody knows.
        """
        if not self._path.is_file():
            said = f"{self._path} is gone, which tells whether {item} is the newest"
            raise SealError(said, hint="put it back", code="seal_rolled_back")
        floor = self.of(item)
        if version < floor:
            said = f"{item} is version {version}, and {floor} has been there: an older one was "
            said += "put back"
            hint = "put the newest one back; the ledger tells when it was made"
            raise SealError(said, hint=hint, code="seal_rolled_back")
        if version > floor:
            self.lift(item, version)

    def lift(self, item: str, version: int) -> None:
        """Raise an item's floor; durable on return."""
        with self._database.transaction(writes=True) as db:
            found = db.execute(select(FLOOR.c.version).where(FLOOR.c.item == item)).scalar()
            if found is None:
                db.execute(insert(FLOOR).values(item=item, version=version))
            elif found < version:
                db.execute(update(FLOOR).where(FLOOR.c.item == item).values(version=version))
