"""What may become of a credential or principal is one table, and every cell of it is walked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ringfence.errors import KeyStateError, PrincipalStateError
from ringfence.identity import Credential, Store
from ringfence.identity.database import Database
from ringfence.identity.lifecycle import CREDENTIAL, PRINCIPAL, ROLES
from ringfence.identity.migrations import migrate
from ringfence.identity.principal import Principal

MADE = Credential("key-0001", "alice", "ed25519", ("read",), ("::1/128",), "active", 1)
MADE = replace(MADE, public_key=bytes(32))

# Row: where it stands. Column: what is asked. Cell: where that leads; "=": nowhere, it is there;
# "-": refused. NIST SP 800-57 part 1 revision 5, section 7; `compromise` from anywhere.
CREDENTIALS = """
             resume  suspend    deactivate   compromise   destroy
pre-active   active  -          deactivated  compromised  destroyed
active       =       suspended  deactivated  compromised  -
suspended    active  =          deactivated  compromised  -
deactivated  -       -          =            compromised  destroyed
compromised  -       -          -            =            destroyed
destroyed    -       -          -            compromised  =
"""
PRINCIPALS = """
             resume  suspend    close
active       =       suspended  closed
suspended    active  =          closed
closed       -       -          =
"""


def cells(table: str) -> list[tuple[str, str, str]]:
    """Return (state, asked, outcome) of every cell."""
    head, *rows = [line.split() for line in table.strip().splitlines()]
    return [(row[0], asked, out) for row in rows for asked, out in zip(head, row[1:], strict=True)]


def place(empty: Path | str) -> Store:
    """Return a new store there."""
    migrate(Database(empty))
    return Store(empty)


def test_the_tables_here_have_every_state_and_transition() -> None:
    for life, table in ((CREDENTIAL, CREDENTIALS), (PRINCIPAL, PRINCIPALS)):
        walked = {(state, asked) for state, asked, _ in cells(table)}
        assert walked == {(state, asked) for state in life.states for asked in life.transitions}
        assert all(way.target in life.states for way in life.transitions.values())
    assert ROLES == ("owner", "admin", "security", "support", "auditor")


WORDS = {"deactivate": "revoke", "compromise": "revoke --compromised"}
"""What the commands call transitions."""


def test_every_cell_of_a_credential_s_table(empty: Path | str) -> None:
    store = place(empty)
    for number, (state, asked, outcome) in enumerate(cells(CREDENTIALS)):
        kept = replace(MADE, key_id=f"key-{number:04}", state=state)
        store.add(kept, "ann")
        if outcome == "-":
            with pytest.raises(KeyStateError) as refused:
                store.step(kept.key_id, asked, "ann", "why", 9)
            # It says which state, which transition, and what is allowed.
            assert f"is {state}: {WORDS.get(asked, asked)}" in str(refused.value)
            ways = [a for s, a, o in cells(CREDENTIALS) if s == state and o not in "-="]
            allowed = [WORDS.get(way, way) for way in ways]
            assert refused.value.hint == f"from {state} it can: {', '.join(allowed)}"
            assert store.one(kept.key_id) == kept
            continue
        changed, change = store.step(kept.key_id, asked, "ann", "why", 9, ["approval-1"])
        if outcome == "=":
            assert (changed, change) == (kept, None)
            continue
        assert changed.state == store.one(kept.key_id).state == outcome
        assert change is not None and store.history(kept.key_id)[1:] == [change]
        assert (change.before, change.state, change.who, change.why) == (
            state,
            outcome,
            "ann",
            "why",
        )
        assert change.approvals == ("approval-1",)
        assert (changed.public_key is None) == (outcome == "destroyed")


def test_every_cell_of_a_principal_s_table(empty: Path | str) -> None:
    tree = place(empty).principals
    for number, (state, asked, outcome) in enumerate(cells(PRINCIPALS)):
        name = f"desk-{number}"
        tree.add(Principal(name, "account", 1, state=state), "ann")
        if outcome == "-":
            with pytest.raises(PrincipalStateError, match=f"is {state}: {asked}"):
                tree.step(name, asked, "ann", "why", 9)
            assert tree.one(name).state == state
            continue
        changed, change = tree.step(name, asked, "ann", "why", 9)
        assert changed.state == tree.one(name).state == (state if outcome == "=" else outcome)
        assert (change is None) == (outcome == "=")
        assert tree.history(name)[1:] == ([] if change is None else [change])


def test_what_is_no_transition_is_refused(empty: Path | str) -> None:
    store = place(empty)
    store.add(MADE, "ann")
    with pytest.raises(KeyStateError, match="'vanish' is no transition"):
        store.step(MADE.key_id, "vanish", "ann", "", 9)


def test_a_final_state_is_never_left_for_use() -> None:
    for life in (CREDENTIAL, PRINCIPAL):
        reached = set(life.final)
        for _ in life.states:
            ways = life.transitions.values()
            reached |= {way.target for way in ways if reached & set(way.sources)}
        assert reached == set(life.final)
