"""Questions to the ledger of a gateway that runs: all answers agree with the entries."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from demo.stage import Stage
from demo.trade import SYMBOL, client
from ringfence.engine import LedgerReader
from ringfence.errors import LedgerError
from ringfence.ledger import cache
from ringfence.ledger.export import record
from ringfence.ledger.export.ocsf import VERSION, ocsf
from ringfence.ledger.life import life
from ringfence.ledger.query import ask, opened
from tests import forked

PLACED, REFUSED = "an-order-placed", "an-order-refused"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return forked.run(["ledger", *arguments])


def answered(*arguments: str) -> list[dict[str, Any]]:
    """Return the lines of JSON that a command answers with."""
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def entries(state: Path) -> list[tuple[int, dict[str, Any]]]:
    """Return all entries, read apart from columns and SQL."""
    found = LedgerReader(state / "ledger", 0).read(100_000)
    return [(index, json.loads(content)) for index, content in found]


@pytest.fixture(scope="module")
def state(stage: Stage) -> Path:
    """Trade a little, and return the state folder of the gateway, which goes on."""
    exchange = client(stage.gateway, stage.ca, stage.trader.key_id, stage.trader.secret)
    exchange.load_markets()
    placed = exchange.create_order(
        SYMBOL, "limit", "buy", 0.01, 20_000, {"newClientOrderId": PLACED}
    )
    exchange.cancel_order(placed["id"], SYMBOL)
    with pytest.raises(Exception, match="NOTIONAL"):
        wild = {"newClientOrderId": REFUSED}
        exchange.create_order(SYMBOL, "limit", "buy", 1000, 60_000, wild)
    # A refusal is committed a few milliseconds after it was answered.
    until = time.monotonic() + 10
    while REFUSED not in str(entries(stage.state)) and time.monotonic() < until:
        time.sleep(0.01)
    return stage.state


def test_options_find_what_sql_finds_what_the_entries_say(state: Path) -> None:
    told = Counter(e["operation"] for _, e in entries(state) if e.get("account") == "alice")
    sql = "SELECT operation, count(*) n FROM entries WHERE account = 'alice' GROUP BY 1"
    assert {row["operation"]: row["n"] for row in answered("query", str(state), sql)} == told
    rows = answered("query", str(state), "--account", "alice", "--limit", "1000")
    assert Counter(row["operation"] for row in rows) == told


def test_a_refused_order_is_found_by_the_id_that_its_client_gave_it(state: Path) -> None:
    (row,) = answered("query", str(state), "--order", REFUSED)
    assert (row["outcome"], row["code"], row["symbol"]) == ("refused", "notional_max", "BTCUSDT")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", row["time"])


def test_numbers_are_exact_and_text_is_as_it_was_sent(state: Path) -> None:
    where = f"side IS NOT NULL AND client_order_id = '{PLACED}'"
    sql = f"SELECT price, price_number FROM entries WHERE {where}"  # noqa: S608
    assert answered("query", str(state), sql) == [
        {"price": "20000", "price_number": "20000.000000000000"}
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY entries TO '/tmp/stolen.csv'",
        "ATTACH '/tmp/other.db'",
        "SET enable_external_access = true",
        "SELECT nothing FROM entries",
        "SELEC 1",
        "INSERT INTO entries VALUES (1)",
    ],
)
def test_a_question_reads_the_entries_and_nothing_else(state: Path, sql: str) -> None:
    done = run("query", str(state), sql)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert "[ledger_query]\nhint: " in done.stderr
    assert "Traceback" not in done.stderr


def test_columns_that_do_not_fit_the_ledger_are_made_anew(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "PART", 5)
    monkeypatch.setattr(cache, "BATCH", 3)
    ledger, sql = state / "ledger", "SELECT index, time, kind FROM entries ORDER BY index"

    def rows() -> list[tuple[Any, ...]]:
        with opened(cache.columns(ledger, tmp_path)) as db:
            return ask(db, sql).rows

    whole = rows()
    assert [row[0] for row in whole] == [index for index, _ in entries(state)][: len(whole)]
    first, second = sorted(tmp_path.iterdir())[:2]
    # Another range's file in the place of the first: its last entry is not the ledger's there.
    first.write_bytes(second.read_bytes())
    # Meanwhile the heart beats, and the ledger grows.
    assert rows()[: len(whole)] == whole
    first.write_bytes(b"not parquet")
    assert rows()[: len(whole)] == whole
    second.unlink()
    assert rows()[: len(whole)] == whole


def test_an_orders_life_is_told_in_the_order_of_time(state: Path, tmp_path: Path) -> None:
    svg = tmp_path / "life.svg"
    (found,) = answered("reconstruct", str(state), PLACED, "--svg", str(svg))
    stages = found["stages"]
    assert [stage["stage"] for stage in stages] == [
        "received",
        "decided",
        "recorded, sent and answered",
    ] * 2
    assert [stage["what"].split()[0] for stage in stages[1::3]] == ["order.place", "order.cancel"]
    venue_order_id = found["about"]["venue_order_id"]
    assert stages[2]["what"] == f"the venue answered 200 NEW (its order {venue_order_id})"
    assert "CANCELED" in stages[5]["what"]
    # Whatever it is called, it is the same order.
    (again,) = answered("reconstruct", str(state), venue_order_id)
    assert again["stages"] == stages
    assert [stage["time"] for stage in stages] == sorted(stage["time"] for stage in stages)
    assert found["about"]["account"] == "alice"
    root = ElementTree.fromstring(svg.read_text())  # noqa: S314  it is our own
    assert len(root.findall(".//{*}rect")) == len(stages)
    (refused,) = answered("reconstruct", str(state), REFUSED)
    assert not refused["stages"][-1]["good"]
    assert "the ledger has no order nobody" in run("reconstruct", str(state), "nobody").stderr


def test_a_cancel_names_its_order_and_an_outcome_what_the_venue_called_it(state: Path) -> None:
    found = [entry for _, entry in entries(state)]
    (placed,) = (
        e
        for e in found
        if e.get("order", {}).get("client_order_id") == PLACED and "side" in e["order"]
    )
    (answer,) = (e for e in found if e["kind"] == "outcome" and e["message"] == placed["message"])
    (cancel,) = (e for e in found if e.get("operation") == "order.cancel")
    assert answer["order"]["client_order_id"] == PLACED
    assert answer["order"]["status"] == "NEW"
    assert cancel["about"] == {
        "symbol": "BTCUSDT",
        "venue_order_id": answer["order"]["venue_order_id"],
    }


NOTHING = pa.table({"commitment": pa.array([], pa.string()), "value": pa.array([], pa.string())})


def test_an_order_id_that_several_accounts_use_is_not_guessed(state: Path, tmp_path: Path) -> None:
    with opened(cache.columns(state / "ledger", tmp_path)) as db:
        whole: pa.Table = db.execute("SELECT * FROM entries").to_arrow_table()
    decisions = pc.and_(
        pc.equal(whole["kind"], "decision"), pc.equal(whole["client_order_id"], PLACED)
    )
    mallory = whole.filter(decisions)
    for name, value in (("account", "mallory"), ("message", "another-1")):
        at = mallory.schema.get_field_index(name)
        mallory = mallory.set_column(at, mallory.schema.field(at), pa.array([value]))
    with opened(
        cache.Columns([], pa.concat_tables([whole, mallory]), NOTHING, len(whole) + 1)
    ) as db:
        with pytest.raises(LedgerError, match="2 accounts have an order") as refused:
            life(db, PLACED)
        assert refused.value.hint == "say whose is meant: --account alice"
        assert len(life(db, PLACED, "alice").stages) == 6
        assert len(life(db, PLACED, "mallory").stages) == 2
        with pytest.raises(LedgerError, match="has no order"):
            life(db, PLACED, "nobody")


def test_show_tells_all_entries_of_a_message(state: Path) -> None:
    row = answered("query", str(state), "--order", PLACED)[0]
    shown = answered("show", str(state), row["message"])
    assert [one["entry"]["kind"] for one in shown] == ["decision", "outcome"]
    assert answered("show", str(state), str(row["index"])) == shown[:1]
    assert "there is no entry 999999" in run("show", str(state), "999999").stderr


def test_every_ocsf_event_fits_ocsfs_own_schema(state: Path) -> None:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=VERSION))
    validators: dict[tuple[int, tuple[str, ...]], Draft202012Validator] = {}
    seen = set()
    for index, content in LedgerReader(state / "ledger", 0).read(100_000):
        event = ocsf(record(index, content))
        profiles = tuple(event["metadata"].get("profiles", ()))
        key = (event["class_uid"], profiles)
        if key not in validators:
            name = schema.lookup_class_name_from_uid(class_uid=key[0])
            whole = schema.get_class_schema(class_name=name, profiles=list(profiles))
            validators[key] = Draft202012Validator(whole)
        assert [error.message for error in validators[key].iter_errors(event)] == []
        seen.add(key[0])
    assert seen >= {6003, 3004, 6002}
    # The validator does find what is wrong.
    del event["metadata"]
    assert list(validators[key].iter_errors(event))


@pytest.mark.parametrize("form", ["cef", "ocsf", "otlp", "syslog"])
def test_an_export_has_a_line_for_each_entry(state: Path, tmp_path: Path, form: str) -> None:
    before = len(entries(state))
    output = tmp_path / "out"
    done = run("export", str(state), "--format", form, "-o", str(output))
    assert (done.returncode, done.stderr) == (0, "")
    lines = output.read_text().splitlines()
    assert before <= len(lines) <= len(entries(state))
    if form in ("ocsf", "otlp"):
        assert all(isinstance(json.loads(line), dict) for line in lines)
    again = run("export", str(state), "--format", form, "-o", str(output))
    assert again.returncode == 1
    assert "File exists" in again.stderr


def test_a_parquet_export_has_the_leaf_hash_of_each_entry(state: Path, tmp_path: Path) -> None:
    output = tmp_path / "entries.parquet"
    assert run("export", str(state), "--format", "parquet", "-o", str(output)).returncode == 0
    rows = pq.read_table(output).to_pylist()
    contents = dict(LedgerReader(state / "ledger", 0).read(100_000))
    assert all(
        row["leaf_hash"] == record(row["index"], contents[row["index"]]).leaf for row in rows
    )


def test_a_ledger_that_is_none_is_named(tmp_path: Path) -> None:
    for command in (["query"], ["show"], ["export", "--format", "cef"]):
        done = run(
            command[0], str(tmp_path), *command[1:], *(["1"] if command[0] == "show" else [])
        )
        assert done.returncode == 1
        assert f"error: there is no ledger in {tmp_path} [ledger_unusable]" in done.stderr
