"""All credentials of a store as the engine starts with them, a million in seconds.

What `Credential.for_engine` says of one, written as JSON straight from the rows: nearly all that it
costs to take a row apart and put it together again is the same for thousands of them.
"""

from __future__ import annotations

import json
from binascii import b2a_base64
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from itertools import islice
from json.encoder import encode_basestring_ascii as quoted

from sqlalchemy import func, select

from ringfence.identity.credential import HMAC, X509, Credential
from ringfence.identity.derivation import Place
from ringfence.identity.rows import words
from ringfence.identity.schema import CREDENTIAL, DERIVATION, PRINCIPAL
from ringfence.identity.secret import RootKey
from ringfence.identity.store import Store
from ringfence.identity.tree import standing

__all__ = ["elsewhere", "engine_records"]

COLUMNS = (
    *(CREDENTIAL.c[name] for name in ("key_id", "account", "public_key", "generation")),
    DERIVATION.c.account,
    DERIVATION.c.shard,
    PRINCIPAL.c.kind,
    PRINCIPAL.c.parent,
    *(CREDENTIAL.c[name] for name in ("expires_us", "algorithm", "scopes", "allow", "native")),
    *(CREDENTIAL.c[name] for name in ("certificates", "state")),
)
PLACED = CREDENTIAL.outerjoin(DERIVATION, DERIVATION.c.key_id == CREDENTIAL.c.key_id)
"""Account and shard of a secret's place are null for one that does not stand in the tree."""
ROWS = 10_000
"""Rows that are in memory at a time."""


def engine_records(store: Store, master: RootKey) -> Iterator[bytes]:
    """Yield every credential that this gateway can verify, in JSON arrays.

    Held where principals are. A secret with a place is not in it: the engine derives it.

    Raises:
        StoreError: the store cannot be read, or a secret cannot be derived.
    """
    every = texts(store, master, store.principals.held())
    while some := list(islice(every, ROWS)):
        yield f"[{','.join(some)}]".encode()


def elsewhere(store: Store, shard: int) -> int:
    """Return how many credentials have a secret that a gateway of this shard cannot derive."""
    there = DERIVATION.c.shard.is_distinct_from(shard)
    hmac = (CREDENTIAL.c.algorithm == HMAC) & (CREDENTIAL.c.state != "destroyed")
    asked = select(func.count()).select_from(PLACED).where(hmac & there)
    with store.database.transaction() as db:
        return int(db.execute(asked).scalar_one())


def texts(store: Store, master: RootKey, held: Iterable[str]) -> Iterator[str]:
    """Yield each credential as JSON."""
    out = frozenset(held)
    parents = store.principals.parents()
    rules = store.shards.rules
    moved = store.shards.moved() if rules.on else {}
    chosen = store.shards.secrets() if rules.on else {}

    @cache
    def stand(kind: str, parent: str | None) -> str:
        chain = [("", kind)]
        while parent is not None:
            kind, above = parents[parent]
            chain.append((parent, kind))
            parent = above
        return json.dumps(standing(chain))

    @cache
    def above(parent: str | None) -> tuple[str, ...]:
        return () if parent is None else (parent, *above(parents[parent][1]))

    def placed(account: str, kind: str, parent: str | None) -> str:
        if not rules.on or kind == "operator":
            return "null"
        return str(rules.place((account, *above(parent)), moved, chosen.get(account, 0)))

    verifiable = (CREDENTIAL.c.state != "destroyed") & (
        CREDENTIAL.c.public_key.is_not(None) | (CREDENTIAL.c.algorithm == HMAC)
    )
    every = PLACED.join(PRINCIPAL, PRINCIPAL.c.name == CREDENTIAL.c.account)
    asked = select(*COLUMNS).select_from(every).where(verifiable)
    for row in store.rows(asked, ROWS):
        (
            key_id,
            account,
            key,
            generation,
            of,
            shard,
            kind,
            parent,
            expires_us,
            algorithm,
            *shared,
        ) = row
        if algorithm != HMAC:
            proof = material(bytes.fromhex(key_id) if algorithm == X509 else key)
        elif not master.reaches(None if shard is None else Place(of, shard)):
            continue
        elif shard is None:
            proof = material(master.older_secret(key_id, generation).encode())
        else:
            whose = "" if of == account else f',"account":{quoted(of)}'
            proof = f'"derived":{{"shard":{shard},"generation":{generation}{whose}}}'
        yield (
            f'{{"key_id":{quoted(key_id)},"account":{quoted(account)},{proof},'
            f'"expires_us":{"null" if expires_us is None else expires_us},'
            f'"held":{"true" if account in out else "false"},'
            f'"standing":{stand(kind, parent)},"shard":{placed(account, kind, parent)},'
            f"{rest(algorithm, *shared)}"
        )


def material(content: bytes) -> str:
    """Return what verifies signatures, as a member of a JSON object."""
    return f'"material":"{b2a_base64(content, newline=False).decode()}"'


@lru_cache(maxsize=65_536)
def rest(
    algorithm: str, scopes: str, allow: str, native: int, certificates: str, state: str
) -> str:
    """Return what many credentials have alike, as the end of a JSON object."""
    like = Credential(
        key_id="",
        account="",
        algorithm=algorithm,
        scopes=words(scopes),
        allow=words(allow),
        state=state,
        created_us=0,
        native=bool(native),
        certificates=words(certificates),
    )
    return json.dumps(like.rights())[1:]
