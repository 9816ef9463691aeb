"""What a watcher is shown is what the gateway counted, whatever stands in it, on every terminal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ringfence.top import measure, picture
from ringfence.top.health import health
from ringfence.top.line import Column, Row, bar, clean, lasting, spark, table
from ringfence.top.measure import Times
from ringfence.top.panes import PANES

GOLDEN = Path(__file__).parents[1] / "golden" / "top.txt"
AT_US = 1_790_000_000_000_000


def answer(**more: Any) -> dict[str, Any]:
    """Return what a gateway tells that has just begun."""
    return {
        "at_us": AT_US,
        "boot": "a1b2c3d4",
        "traffic": {"permitted": {}, "refused": {}, "decided_us": [], "answered_us": []},
        "limits": {"near": [], "looked_at": 0, "subjects": 0},
        "bans": {"count": 0, "newest": []},
        "status": {
            "in_flight": 0,
            "connections_open": 0,
            "upstream_connections": 0,
            "refused": {},
            "ledger": {"healthy": True, "size": 3, "damage": None},
        },
    } | more


def near(used: int, whose: dict[str, str] | None, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"limit": "orders-10s", "subject": "account", "counts": "orders"}
    told |= {"mark": "0badcafe"}
    told |= {"whose": whose, "used": used, "quota": 100, "left": 100 - used, "reset_ms": 4200}
    return told | more


BUSY = answer(
    at_us=AT_US + 2_000_000,
    traffic={
        "permitted": {"market.read": 20, "order.place": 3000},
        "refused": {"none": 4, "order.place": 40},
        "decided_us": [[31, 2990], [95, 30]],
        "answered_us": [[1535, 2900], [9215, 100]],
    },
    limits={
        "near": [
            near(100, {"account": "alice"}),
            near(
                85, {"account": "bob", "symbol": "BTCUSDT"}, limit="desk", subject="account+symbol"
            ),
            near(5, None, subject="address", reset_ms=0),
            near(1, {}, subject="global", quota=2_000_000),
        ],
        "looked_at": 4,
        "subjects": 4,
    },
    bans={
        "count": 3,
        "newest": [
            {
                "target": "203.0.113.9",
                "answer": "ban",
                "origin": "rules",
                "why": "signature_invalid",
                "until_us": AT_US + 122_000_000,
            },
            {
                "target": "key:rf_1",
                "answer": "wait",
                "origin": "operator",
                "why": "too \x1b[31mloud",
                "until_us": AT_US + 7_000_000,
            },
        ],
    },
    status={
        "in_flight": 2,
        "connections_open": 12,
        "upstream_connections": 4,
        "refused": {"budget_exceeded": 40, "http_malformed": 4},
        "credentials": 3,
        "ledger": {"healthy": True, "size": 3068, "damage": None},
        "cluster": {"reachable": False, "lag_ms": 1234},
        "venue": {
            "wait_ms": 0,
            "keys": {
                "main": {"ready": True, "refusals": 0, "refused": False, "wait_ms": 2500},
                "spare": {"ready": False, "refusals": 0, "refused": False, "wait_ms": 0},
            },
        },
    },
)


def test_rates_are_what_was_counted_between_two_looks() -> None:
    seen = measure(answer(), BUSY)
    assert (seen.permitted, seen.permitted_per_s, seen.refused, seen.refused_per_s) == (
        3020,
        1510.0,
        44,
        22.0,
    )
    rows = [(one.name, one.permitted_per_s, one.refused_per_s) for one in seen.operations]
    assert rows == [("market.read", 10, 0), ("none", 0, 2), ("order.place", 1500, 20)]
    assert [(one.code, one.per_s) for one in seen.refusals] == [
        ("budget_exceeded", 20),
        ("http_malformed", 2),
    ]


def test_times_are_those_of_what_happened_between_two_looks() -> None:
    before = answer(
        traffic={
            "permitted": {},
            "refused": {},
            "decided_us": [[31, 2990], [95, 20]],
            "answered_us": [[1535, 2900], [9215, 100]],
        }
    )
    seen = measure(before, BUSY)
    assert seen.decided == Times(10, 95, 95, 95)
    assert seen.answered is None
    first = measure(answer(), BUSY)
    assert first.decided == Times(3020, 31, 31, 95)
    assert first.answered == Times(3000, 1535, 9215, 9215)


@pytest.mark.parametrize(
    "before", [None, answer(boot="another", at_us=AT_US - 1)], ids=["first", "restart"]
)
def test_nothing_is_said_of_rates_across_a_restart(before: dict[str, Any] | None) -> None:
    seen = measure(before, BUSY)
    assert (seen.permitted, seen.permitted_per_s, seen.refused_per_s) == (3020, None, None)
    assert {one.per_s for one in seen.refusals} == {None}


def test_the_picture_of_a_busy_gateway() -> None:
    drawn = picture(measure(answer(), BUSY), "/var/lib/ringfence", 80) + "\n"
    if os.environ.get("RINGFENCE_GOLDEN") == "write":
        GOLDEN.write_text(drawn)
    assert drawn == GOLDEN.read_text()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for seen in (measure(None, answer()), measure(answer(), BUSY)):
        assert (
            max(map(len, picture(seen, "https://gateway.example:8443", width).splitlines()))
            <= width
        )


def test_a_terminal_with_nothing_but_ascii_has_the_same_picture() -> None:
    seen = measure(answer(), BUSY)
    plain = picture(seen, "x", plain=True)
    assert plain.isascii()
    assert len(plain.splitlines()) == len(picture(seen, "x").splitlines())


def test_what_came_from_outside_does_nothing_to_a_terminal() -> None:
    assert clean("a\x1b[2J\x07é\u202eb") == "a?[2J?é?b"
    assert "\x1b" not in picture(measure(answer(), BUSY), "x\x1b[0m")


def test_every_order_of_every_pane_shows_the_same_rows() -> None:
    seen = measure(answer(), BUSY)
    for pane in PANES:
        shown = [pane.lines(seen, order, 120) for order in pane.orders]
        assert len({len(lines) for lines in shown}) == 1
        rows = [{text for [(text, _)] in lines} for lines in shown]
        assert all(one == rows[0] for one in rows)


def test_limits_that_are_used_up_look_worse_than_others() -> None:
    (limits,) = [pane for pane in PANES if pane.name == "limits"]
    lines = limits.lines(measure(answer(), BUSY), "edge", 100)
    assert [line[0][1] for line in lines] == ["head", "bad", "warn", "", ""]
    text = [line[0][0] for line in lines]
    assert "alice" in text[1] and "bob BTCUSDT" in text[2]
    assert "address #0badcafe" in text[3] and "everybody" in text[4]


def test_a_part_that_is_not_well_comes_first_also_one_that_nobody_here_knows() -> None:
    status = {
        "ledger": {"healthy": True, "damage": None},
        "shards": {"7": {"healthy": False, "open": 3}},
        "overload": {"level": 2},
        "panics": 1,
        "venue": {"wait_ms": 1500, "keys": {}},
    }
    rows = [(line[0][0].split()[:2], line[0][1]) for line in health(status, 100)[1:]]
    assert rows == [
        (["✗", "shards"], "bad"),
        (["✗", "panics"], "bad"),
        (["!", "venue"], "warn"),
        (["✔", "ledger"], "good"),
        (["overload", "level"], ""),
        (["gateway", "-"], "dim"),
    ]


def test_what_a_part_tells_is_folded_and_not_cut() -> None:
    counts = {f"counter_{number}": number for number in range(9)}
    lines = ["".join(text for text, _ in line) for line in health({"ledger": counts}, 60)]
    assert max(map(len, lines)) <= 60
    told = " ".join(lines)
    assert all(f"counter_{number} {number}" in told for number in range(9))
    assert not any("…" in line for line in lines)


def test_the_widest_gives_way_first() -> None:
    columns = [Column("limit", gives_way=True), Column("whose", gives_way=True)]
    (_, [(text, _)]) = table(columns, [Row(("key-orders-10s", "x" * 32))], 40)
    assert text == "key-orders-10s  " + "x" * 23 + "…"


def test_pieces_of_a_picture_keep_their_width() -> None:
    assert [bar(part, 4) for part in (0, 0.5, 1, 7)] == ["░░░░", "██░░", "████", "████"]
    assert spark([0, 1, 2, 4, 8], 4) == "▂▃▅█"
    assert spark([0, 0], 8) == "▁▁"
    assert [lasting(ms) for ms in (-5, 900, 59_000, 125_000, 7_260_000, 90_000_000)] == [
        "0.0s",
        "0.9s",
        "59s",
        "2m 5s",
        "2h 1m",
        "1d 1h",
    ]
    columns = [Column("name", gives_way=True), Column("n", right=True)]
    lines = table(columns, [Row(("a-very-long-name-indeed", "12"))], 16)
    assert [line[0][0] for line in lines] == [
        "name               n"[:13] + "  n",
        "a-very-long…  12",
    ]


def test_a_shard_that_does_not_serve_is_shown_before_those_that_do() -> None:
    states = ("serving", "draining", "isolated", "serving")
    shards = [{"shard": n, "state": state, "refused": n} for n, state in enumerate(states)]
    words = ["".join(text for text, _ in line) for line in health({"shards": shards}, 100)[1:]]
    assert [" ".join(line.split()) for line in words[:3]] == [
        "✗ shard 2 is isolated; 2 refused",
        "! shard 1 is draining; 1 refused",
        "✔ shards 2 of 4 serve",
    ]
