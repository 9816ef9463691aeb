"""Codes are never reworded: clients and operators match on them. Golden files hold them all.

`RINGFENCE_GOLDEN=write` writes the files anew; read the difference before committing it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringfence import engine, errors
from ringfence.config.model import CONTROLS
from ringfence.errors import GatewayError

GOLDEN = Path(__file__).parents[1] / "golden"
REFUSALS = Path(__file__).parents[2] / "docs" / "refusals.md"
TABLE = "| code | by | status | what to do |\n|---|---|---|---|\n"


def error_classes() -> Iterator[type[GatewayError]]:
    """Yield what the Python side may raise."""
    for name in errors.__all__:
        if name != "GatewayError":
            yield getattr(errors, name)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("refusals.txt", [f"{c.code}\t{c.room}\t{c.hint}" for c in engine.refusal_codes()]),
        ("errors.txt", [f"{kind.code}\t{kind.__name__}\t{kind.hint}" for kind in error_classes()]),
    ],
)
def test_codes_are_what_they_were(name: str, lines: list[str]) -> None:
    text = "".join(f"{line}\n".replace("\t\n", "\n") for line in lines)
    if os.environ.get("RINGFENCE_GOLDEN") == "write":
        (GOLDEN / name).write_text(text)
    assert (GOLDEN / name).read_text() == text


def test_the_table_of_refusals_is_what_the_engine_says() -> None:
    rows = [f"| `{c.code}` | {c.room} | {c.status} | {c.hint} |\n" for c in engine.refusal_codes()]
    text = REFUSALS.read_text()
    before, _, _ = text.partition(TABLE)
    whole = before + TABLE + "".join(rows)
    if os.environ.get("RINGFENCE_GOLDEN") == "write":
        REFUSALS.write_text(whole)
    assert REFUSALS.read_text() == whole


def test_every_refusal_tells_what_to_do_and_names_its_control() -> None:
    codes = engine.refusal_codes()
    assert len({code.code for code in codes}) == len(codes)
    assert all(code.hint.endswith(".") for code in codes)
    assert {code.room for code in codes} >= set(CONTROLS)


def test_error_codes_are_told_apart() -> None:
    codes = [kind.code for kind in error_classes()]
    assert len(set(codes)) == len(codes)
