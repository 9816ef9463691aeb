"""Some credentials of a store as the engine takes them: with where their principals stand now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from ringfence.identity.derivation import places
from ringfence.identity.rows import credential
from ringfence.identity.schema import CREDENTIAL
from ringfence.identity.secret import RootKey
from ringfence.identity.shards import shards_of
from ringfence.identity.store import Store
from ringfence.identity.tree import chain, placed

__all__ = ["engine_records_of"]

AT_ONCE = 500


def engine_records_of(
    store: Store, master: RootKey, key_ids: Sequence[str]
) -> list[dict[str, Any]]:
    """Return those of the credentials that can be verified here, as they stand in the store now.

    Raises:
        StoreError: the store cannot be read, or a secret cannot be derived.
    """
    found = []
    for start in range(0, len(key_ids), AT_ONCE):
        some = key_ids[start : start + AT_ONCE]
        asked = select(CREDENTIAL).where(CREDENTIAL.c.key_id.in_(some))
        with store.database.transaction() as db:
            ones = [
                credential(row)
                for row in db.execute(asked.order_by(CREDENTIAL.c.serial)).mappings()
            ]
            ones = [one for one in ones if one.verifiable]
            derived = places(db, [one.key_id for one in ones if one.derived])
            above = {account: chain(db, account) for account in {one.account for one in ones}}
            stands = {account: placed(those) for account, those in above.items()}
            shards = shards_of(db, store.shards.rules, above)
        for one in ones:
            held, standing = stands[one.account]
            place = derived.get(one.key_id)
            if one.derived and not master.reaches(place):
                continue
            record = one.for_engine(master, held=held, standing=standing, place=place)
            found.append(record | {"shard": shards[one.account]})
    return found
