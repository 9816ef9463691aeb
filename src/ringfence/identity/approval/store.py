"""What is kept of requests and votes. Each step is one transaction, and is told before it holds."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from ringfence.errors import ApprovalError
from ringfence.identity.approval.description import Description, Vote, id_of
from ringfence.identity.approval.schema import APPROVAL, VOTE
from ringfence.identity.database import Database
from ringfence.identity.secret import RootKey

__all__ = ["Approvals", "Request"]

MAC_BYTES = 32


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it is kept: `ended` is rejected, executed or None."""

    id: str
    about: Description
    canonical: bytes
    ended: str | None
    votes: tuple[Vote, ...]


class Approvals:
    """The requests of one store. Any thread, and any process, may call.

    `tell` is called inside a step's transaction: where it raises, nothing is done.
    """

    def __init__(self, database: Database, master: RootKey) -> None:
        """Keep the store's database, and what votes are authenticated with."""
        self._transaction = database.transaction
        self._key = master.derived(b"ringfence/approval/v1", MAC_BYTES)

    def ask(self, about: Description, tell: Callable[[str], None]) -> str:
        """Keep a request and return its id."""
        canonical = about.canonical()
        name = id_of(canonical)
        row = {"id": name, "description": canonical.decode(), "asked_us": about.asked_us}
        with self._transaction(writes=True) as db:
            db.execute(insert(APPROVAL).values(row))
            tell(name)
        return name

    def all(self) -> list[Request]:
        """Return every request, oldest first."""
        asked = select(APPROVAL).order_by(APPROVAL.c.asked_us, APPROVAL.c.id)
        with self._transaction() as db:
            return [self._request(db, row) for row in db.execute(asked).all()]

    def one(self, name: str) -> Request:
        """Return one request.

        Raises:
            ApprovalError: `approval_unknown`; `approval_changed`: it is not what was asked for.
        """
        with self._transaction() as db:
            return self._find(db, name)

    def vote(
        self, name: str, vote: Vote, may: Callable[[Request], None], tell: Callable[[], None]
    ) -> None:
        """Keep a vote; one against ends the request. `may` refuses one that cannot be given.

        Raises:
            ApprovalError: as `one`.
        """
        with self._transaction(writes=True) as db:
            may(self._find(db, name))
            row = {"approval": name, "voter": vote.voter, "approves": int(vote.approves)}
            row |= {"time_us": vote.time_us}
            db.execute(insert(VOTE).values(row | {"mac": self._mac(name, vote)}))
            if not vote.approves:
                self._end(db, name, "rejected")
            tell()

    def execute(
        self, name: str, may: Callable[[Request], None], tell: Callable[[], None]
    ) -> Request:
        """Spend a request and return it; what it describes is done after that, or never.

        Raises:
            ApprovalError: as `one`.
        """
        with self._transaction(writes=True) as db:
            found = self._find(db, name)
            may(found)
            self._end(db, name, "executed")
            tell()
        return found

    def _end(self, db: Connection, name: str, ended: str) -> None:
        db.execute(update(APPROVAL).where(APPROVAL.c.id == name).values(ended=ended))

    def _find(self, db: Connection, name: str) -> Request:
        row = db.execute(select(APPROVAL).where(APPROVAL.c.id == name).with_for_update()).first()
        if row is None:
            hint = "`ringfence approval list` shows the ids"
            raise ApprovalError(
                f"nothing was asked for as {name}", code="approval_unknown", hint=hint
            )
        return self._request(db, row)

    def _request(self, db: Connection, row: Row[Any]) -> Request:
        """Return a row with its votes, all of which are what they were."""
        canonical = row.description.encode()
        votes = []
        for one in db.execute(select(VOTE).where(VOTE.c.approval == row.id)).all():
            vote = Vote(one.voter, bool(one.approves), one.time_us)
            if not hmac.compare_digest(self._mac(row.id, vote), bytes(one.mac)):
                raise changed(row.id)
            votes.append(vote)
        if id_of(canonical) != row.id:
            raise changed(row.id)
        votes.sort(key=lambda one: one.time_us)
        return Request(row.id, Description.read(canonical), canonical, row.ended, tuple(votes))

    def _mac(self, name: str, vote: Vote) -> bytes:
        """Return what authenticates a vote. No name holds a '/'."""
        text = f"{name}/{vote.voter}/{int(vote.approves)}/{vote.time_us}"
        return hmac.digest(self._key, text.encode(), "sha256")


def changed(name: str) -> ApprovalError:
    """Return what is said when the store was changed by another than us."""
    hint = "the store was changed by another: keep a copy, and tell security"
    said = f"{name} is not what was asked for, or not what was voted"
    return ApprovalError(said, code="approval_changed", hint=hint)
