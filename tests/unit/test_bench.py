"""The benchmark compares round by round, judges every target, and draws what it measured."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench import revoke
from bench.__main__ import SCENARIOS
from bench.contender import LIMITS, PEERS, TEMPLATES, Ground, Limit, filled
from bench.dialects import orders, worst_us
from bench.drive import Answer, Work
from bench.idle import split
from bench.limits import Law, most_in, over
from bench.plot import plot
from bench.scenarios import limits
from bench.table import Row, Table, paired, rate
from bench.targets import judge
from ringfence.config import shipped_dialects


def answer(per_s: float, **more: Any) -> Answer:
    content: dict[str, Any] = {
        "rate": per_s,
        "completed": int(per_s),
        "unwanted": 0,
        "broken": 0,
        "p50": 100.0,
        "p99": 200.0,
        "p999": 300.0,
        "cpu_us": 20.0,
        "busy": 1.0,
        "load_busy": 0.5,
        "others": 0.0,
        "statuses": {"200": int(per_s)},
    }
    return Answer(**(content | more))


def standing_on(folder: Path) -> Ground:
    return Ground(
        folder=folder,
        upstream="127.0.0.1:9",
        credentials=folder,
        ca=folder,
        certificate=folder,
        key=folder,
        combined=folder,
        taken=set(),
    )


def table(key: str, *rows: Row, **numbers: float) -> Table:
    return Table(key, key, "/s", "× nginx", rows, numbers=numbers)


def test_a_slow_spell_of_the_machine_does_not_move_a_ratio() -> None:
    these = [answer(80), answer(8), answer(80)]
    those = [answer(100), answer(10), answer(100)]
    assert paired(these, those, rate) == pytest.approx(0.8)


def test_nothing_is_compared_to_nothing() -> None:
    assert paired([answer(1)], [answer(0)], rate) is None
    assert paired([], [], rate) is None


def test_orders_are_judged_against_both_kinds_of_nginx() -> None:
    rows = [
        Row("nginx + Lua", [answer(60)], 0.6),
        Row("ringfence strict", [answer(65)], 0.65),
    ]
    found = {one.name: one for one in judge({"orders": table("orders", *rows)})}
    assert not found["orders, ringfence strict, × nginx"].met
    beside_lua = found["orders, ringfence strict, × nginx + Lua"]
    assert beside_lua.found == pytest.approx(65 / 60)
    assert not beside_lua.met
    assert beside_lua.said().endswith("1.08, wanted ≥ 1.1")


def test_threads_are_judged_for_orders_and_reads() -> None:
    row = Row("2 threads", [answer(1)], 1.2)
    done = {key: table(key, row) for key in ("threads", "threads-reads")}
    names = [one.name for one in judge(done)]
    assert [name.split()[4] for name in names] == ["order", "read"]
    assert not any(one.met for one in judge(done))


def test_a_credential_may_weigh_exactly_a_kilobyte() -> None:
    rows = [Row("10 credentials", [answer(1)], 1.0), Row("99 credentials", [answer(1)], 0.95)]
    numbers = {"bytes_per_credential": 1024.0, "credentials": 100_000}
    done = {"credentials": table("credentials", *rows, **numbers)}
    assert [one.met for one in judge(done)] == [True, True]


def test_streams_are_judged_either_way_and_idle() -> None:
    done = {
        "streams": table("streams", Row("ringfence", [answer(150_000)], 0.89)),
        "asked": table("asked", Row("ringfence", [answer(149_999)], 0.1)),
        "idle": table(
            "idle",
            held=19_999,
            wanted=20_000,
            bytes_each=16_384,
            bytes_each_tls=16_385,
            bytes_each_http2=16_384,
        ),
    }
    met = {one.name: one.met for one in judge(done)}
    assert met == {
        "a venue's messages inspected per second on one core": True,
        "market streams, × nginx's tunnel": False,
        "a client's messages inspected per second on one core": False,
        "idle streams held": False,
        "bytes for each idle stream": True,
        "bytes for each idle stream over TLS": False,
        "bytes for each idle stream over HTTP/2": True,
    }


def test_a_shard_s_flood_is_judged_by_what_it_costs_the_other() -> None:
    for ratio, refused, expected in ((1.05, 0, [True, True]), (1.2, 3, [False, False])):
        row = Row("the other at 10 ×", [answer(500)], ratio)
        done = {"shards": table("shards", row, refused=refused)}
        assert [one.met for one in judge(done)] == expected


def test_idle_streams_are_shared_out_evenly_and_none_is_lost() -> None:
    assert split(20_000, 9_872) == [6_667, 6_667, 6_666]
    assert split(20_000, 20_000) == [20_000]
    assert split(1, 9) == [1]


def test_every_scenario_that_the_docs_name_is_one() -> None:
    root = Path(__file__).parents[2]
    texts = [path.read_text() for path in (root / "README.md", *(root / "docs").rglob("*.md"))]
    named = {name for text in texts for name in re.findall(r"--only ([a-z0-9-]+)", text)}
    assert named
    assert named <= SCENARIOS.keys()


def test_few_credentials_are_not_judged() -> None:
    rows = [Row("10 credentials", [answer(1)], 1.0), Row("99 credentials", [answer(1)], 0.5)]
    numbers = {"bytes_per_credential": 9999.0, "credentials": 99}
    assert judge({"credentials": table("credentials", *rows, **numbers)}) == []


def test_what_did_not_run_is_not_judged() -> None:
    assert judge({}) == []


def test_a_load_generator_at_its_end_is_told() -> None:
    rows = [Row("direct", [answer(110)]), Row("nginx", [answer(100, load_busy=0.99)])]
    said = limits(rows)
    assert said[0].startswith("direct is only 1.10 × nginx")
    assert "beside nginx" in said[1]
    assert "nginx 40%" in limits([Row("nginx", [answer(1, others=0.4)])])[0]


def test_no_secret_is_on_a_command_line(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("id c0ffee\n")
    work = Work("127.0.0.1:1", "order", keys, 100, 10, rate=500, forged=True, sources=["127.0.0.2"])
    words = work.command()
    assert str(keys) in words
    assert "c0ffee" not in " ".join(words)
    assert words[words.index("--rate") + 1] == "500"
    assert "--streams" not in words


def test_streams_are_asked_for_by_their_number(tmp_path: Path) -> None:
    words = Work("127.0.0.1:1", "read", tmp_path, 100, 10, connections=4, streams=8).command()
    assert words[words.index("--connections") + 1] == "4"
    assert words[words.index("--streams") + 1] == "8"


@pytest.mark.parametrize(
    ("name", "offer"),
    [
        ("nginx", "ssl http2"),
        ("haproxy", "alpn h2"),
        ("envoy", "alpn_protocols: [h2"),
        ("nginx + Lua", "ssl http2"),
    ],
)
def test_every_peer_offers_http2_on_tls(name: str, offer: str) -> None:
    (peer,) = [peer for peer in PEERS if peer.name == name]
    assert offer in (TEMPLATES / peer.template).read_text()


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_name_in_a_template_is_filled_in(peer: Any, tmp_path: Path) -> None:
    text = filled(peer.template, standing_on(tmp_path), tmp_path, "127.0.0.1:7", "127.0.0.1:8")
    assert "@" not in text.replace('"@type"', "")
    assert all(port in text for port in ("7", "8", "9"))


def test_the_picture_shows_every_contender_and_is_well_formed() -> None:
    tables = [
        table(key, Row("nginx", [answer(200)], 1.0), Row("a < b", [answer(100)], 0.5))
        for key in ("orders", "reads", "latency")
    ]
    results = {
        "machine": {"cpu": "a & b", "time": "2026-11-01T00:00:00Z"},
        "settings": {"rounds": 1},
        "scenarios": {one.key: one.content() for one in tables},
    }
    drawn = plot(results)
    assert drawn is not None
    root = ElementTree.fromstring(drawn)  # noqa: S314  our own text
    texts = [one.text for one in root.iter() if one.tag.endswith("text")]
    assert texts.count("nginx") == texts.count("a < b") == 2
    assert plot(results | {"scenarios": {}}) is None


def test_every_dialect_that_places_orders_has_one_to_verify() -> None:
    placing = {
        name
        for name, path in shipped_dialects().items()
        if "operation: order.place" in path.read_text()
    }
    made = {one["name"]: one for one in orders()}
    assert set(made) == placing
    assert all(one["query"] or one["body"] for one in made.values())


@pytest.mark.parametrize("algorithm", ["hmac", "ed25519", "ecdsa-p256", "rsa-2048"])
def test_the_slowest_dialect_of_each_judged_key_counts(algorithm: str) -> None:
    def line(algorithm: str, added_ns: int) -> dict[str, Any]:
        return {"algorithm": algorithm, "bare_ns": 900, "whole_ns": 900 + added_ns}

    others = [line(name, 500) for name in ("hmac", "ed25519", "ecdsa-p256", "rsa-2048")]
    assert worst_us([*others, line(algorithm, 2_300), line("secp256k1", 9_000)]) == 2.3


def test_a_read_asked_after_a_suspension_s_return_is_late_and_no_other() -> None:
    out = [(1_000_000, 2_000_000), (5_000_000, 6_000_000)]
    under_way, resumed = (900_000, 1_200_000), (2_500_000, 2_600_000)
    counted = revoke.count(out, [3, 5], [(1_000, 2_000), under_way, resumed])
    assert (counted["late"], counted["last_answer_after_us"]) == (0, 200)
    counted = revoke.count(out, [3, 5], [under_way, resumed, (5_000_001, 5_900_000)])
    assert (counted["late"], counted["last_answer_after_us"]) == (1, 900)
    # Asked while the key came back: it may pass.
    assert revoke.count(out, [3, 5], [(1_999_999, 2_100_000)])["late"] == 1
    assert revoke.count(out, [3, 5], [(2_000_000, 2_100_000)])["late"] == 0


@pytest.mark.parametrize(
    ("law", "passed", "beyond"),
    [
        ("fixed", [0] * 50 + [500, 500] + [0] * 98 + [1000], 0),
        ("fixed", [0] * 50 + [500, 500, 1] + [0] * 98 + [1000], 1),
        ("sliding", [1000] + [0] * 99 + [1000], 0),
        ("sliding", [1000] + [0] * 98 + [7], 7),
        ("bucket", [1000, *[10] * 200], 0),
        ("bucket", [2000, 0, 0], 980),
        ("bucket", [1000, *[11] * 200], 180),
    ],
)
def test_what_passed_is_held_to_the_law_that_counts_it(
    law: str, passed: list[int], beyond: int
) -> None:
    assert over(Law(law, 1000), passed, 1_000_000) == beyond


def test_a_second_s_edges_belong_to_either_side_but_all_must_fit() -> None:
    # 1,000 in the last slice of a second, and as many in the first of the next.
    edges = [0] * 99 + [1000, 1000] + [0] * 98
    assert over(Law("fixed", 1000), edges, 1_000_000) == 0
    # Three times the quota in two seconds fits nowhere.
    assert over(Law("fixed", 1000), [500, *[0] * 98, 1000, 1000, 500, *[0] * 98], 1_000_000) == 1000
    assert most_in(edges) == 2000


def test_only_what_is_asked_to_limit_has_a_limit_in_its_configuration(tmp_path: Path) -> None:
    limiting = Limit("limited", 7_777)
    for peer in (one for one in PEERS if one.name in LIMITS):
        given = (peer.template, standing_on(tmp_path), tmp_path, "127.0.0.1:1", "127.0.0.1:2")
        assert "7777" not in filled(*given)
        assert "7777" in filled(*given, limiting.values(peer.name))
