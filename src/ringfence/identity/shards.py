"""What the store keeps of shards: whom operators moved where, and how each shard stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from ringfence.errors import KeyTextError
from ringfence.identity.database import Database
from ringfence.identity.placement import ShardChange, ShardRules
from ringfence.identity.principal import Principal
from ringfence.identity.schema import (
    CREDENTIAL,
    DERIVATION,
    PLACEMENT,
    SHARD_CHANGE,
    SHARD_STATE,
)
from ringfence.identity.tree import below, chain, find

__all__ = ["ISOLATED", "SERVING", "Shards", "change", "shards_of"]

SERVING = "serving"
ISOLATED = "isolated"


class Shards:
    """The shards of one store, by the rules of one gateway. Any process may hold one."""

    def __init__(self, database: Database, rules: ShardRules) -> None:
        """Keep the store's database."""
        self._database = database
        self.rules = rules

    def moved(self) -> dict[str, int]:
        """Return whom operators moved, and where to."""
        with self._database.transaction() as db:
            return moved(db)

    def states(self) -> dict[int, str]:
        """Return the shards that do not serve, and how they stand."""
        with self._database.transaction() as db:
            rows = db.execute(select(SHARD_STATE).order_by(SHARD_STATE.c.shard))
            return {row.shard: row.state for row in rows}

    def secrets(self) -> dict[str, int]:
        """Return the accounts whose secrets stand in another shard than the first, and which."""
        with self._database.transaction() as db:
            return secrets(db, None)

    def below(self, principal: str) -> dict[str, int | None]:
        """Return a principal and all under it with the shards that they stand in now."""
        with self._database.transaction() as db:
            above = {name: chain(db, name) for name in below(db, principal)}
            return shards_of(db, self.rules, above)

    def move(
        self, principal: str, shard: int | None, who: str, why: str, now_us: int
    ) -> ShardChange | None:
        """Keep that a principal, with all below it, stands in a shard; None: where it did before.

        Being there by a move already is no change and no error: None is returned.

        Raises:
            PrincipalMissingError: there is none of this name.
            KeyTextError: it is an operator, who stands in none.
        """
        with self._database.transaction(writes=True) as db:
            if find(db, principal).kind == "operator":
                hint = "operators are served however shards stand"
                raise KeyTextError(f"{principal} is an operator", hint=hint)
            if moved(db).get(principal) == shard:
                return None
            db.execute(delete(PLACEMENT).where(PLACEMENT.c.principal == principal))
            if shard is not None:
                db.execute(insert(PLACEMENT).values(principal=principal, shard=shard))
            return note(db, ShardChange(0, principal, shard, None, who, why, now_us))

    def stand(self, shard: int, state: str, who: str, why: str, now_us: int) -> ShardChange | None:
        """Keep how a shard stands. Standing so already is no change: None is returned."""
        with self._database.transaction(writes=True) as db:
            where = SHARD_STATE.c.shard == shard
            before = db.execute(select(SHARD_STATE.c.state).where(where)).scalar_one_or_none()
            if (before or SERVING) == state:
                return None
            db.execute(delete(SHARD_STATE).where(where))
            if state != SERVING:
                db.execute(insert(SHARD_STATE).values(shard=shard, state=state))
            return note(db, ShardChange(0, None, shard, state, who, why, now_us))

    def unrecorded(self) -> list[ShardChange]:
        """Return the changes that the ledger does not have yet, oldest first."""
        where = SHARD_CHANGE.c.recorded == 0
        asked = select(SHARD_CHANGE).where(where).order_by(SHARD_CHANGE.c.serial)
        with self._database.transaction() as db:
            return [change(row) for row in db.execute(asked).mappings()]

    def mark_recorded(self, serial: int) -> None:
        """Keep that the ledger has a change."""
        where = SHARD_CHANGE.c.serial == serial
        with self._database.transaction(writes=True) as db:
            db.execute(update(SHARD_CHANGE).where(where).values(recorded=1))


def shards_of(
    db: Connection, rules: ShardRules, above: Mapping[str, Sequence[Principal]]
) -> dict[str, int | None]:
    """Return the shard that each account stands in, by who stands above it as `chain` has them.

    Operators stand in none.
    """
    if not rules.on:
        return dict.fromkeys(above)
    by_move, by_secret = moved(db), secrets(db, list(above))
    found: dict[str, int | None] = {}
    for account, those in above.items():
        names = [one.name for one in those]
        found[account] = (
            None
            if those[0].kind == "operator"
            else rules.place(names, by_move, by_secret.get(account, 0))
        )
    return found


def moved(db: Connection) -> dict[str, int]:
    """Return whom operators moved, and where to."""
    return {row.principal: row.shard for row in db.execute(select(PLACEMENT))}


def secrets(db: Connection, accounts: Sequence[str] | None) -> dict[str, int]:
    """Return of accounts, or of all, the shard that their secrets stand in, unless it is 0."""
    joined = CREDENTIAL.join(DERIVATION, DERIVATION.c.key_id == CREDENTIAL.c.key_id)
    asked = select(CREDENTIAL.c.account, DERIVATION.c.shard).select_from(joined).distinct()
    asked = asked.where(DERIVATION.c.shard != 0)
    if accounts is not None:
        asked = asked.where(CREDENTIAL.c.account.in_(list(accounts)))
    return {row.account: row.shard for row in db.execute(asked)}


def note(db: Connection, made: ShardChange) -> ShardChange:
    """Write a change that the ledger does not have yet, and return it with its serial."""
    row = {name: getattr(made, name) for name in made.__slots__ if name != "serial"}
    written = insert(SHARD_CHANGE).values(row | {"recorded": 0}).returning(SHARD_CHANGE.c.serial)
    return replace(made, serial=db.execute(written).scalar_one())


def change(row: RowMapping) -> ShardChange:
    """Return a row as a change."""
    return ShardChange(**{name: row[name] for name in ShardChange.__slots__})
