"""Whatever a client chose, an exported line stays one line and reads back as it was."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ringfence import engine
from ringfence.ledger.columns import batch
from ringfence.ledger.export import FORMATS, record
from ringfence.ledger.export.lines import cef, otlp, syslog
from ringfence.ledger.export.record import mapping

HOSTILE = 'a|b=c]d"e\\f\r\ng\u2028h\x1b[2J\u202ei'


def content(**fields: Any) -> bytes:
    """Return an entry as the engine writes it, with `fields` in it."""
    entry = {"kind": "decision", "message": "m-1", "outcome": "refused", "time_us": 1, **fields}
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_the_leaf_is_rfc_6962s() -> None:
    entry = content()
    assert record(0, entry).leaf == hashlib.sha256(b"\0" + entry).hexdigest()


@given(st.text(max_size=60))
@example(HOSTILE)
def test_a_line_stays_one_line(text: str) -> None:
    made = record(7, content(path=text, account=text, reason=text))
    for form in FORMATS.values():
        line = form(made)
        assert line.endswith("\n")
        assert len(line.splitlines()) == 1


@given(st.text(max_size=60))
@example(HOSTILE)
def test_syslog_and_otlp_read_back_as_the_entry(text: str) -> None:
    entry = content(path=text)
    made = record(7, entry)
    head, _, rest = syslog(made).partition("] ")
    assert head.startswith("<108>1 1970-01-01T00:00:00.000001Z ")
    assert json.loads(rest) == json.loads(entry)
    log = json.loads(otlp(made))["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    assert json.loads(log["body"]["stringValue"]) == json.loads(entry)


@given(st.text(alphabet=st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=40))
def test_cef_reads_back_what_is_printable(text: str) -> None:
    line = cef(record(7, content(path=text)))
    head = re.split(r"(?<!\\)\|", line)
    assert len(head) == 8 or text.count("|")
    found = re.search(r" request=(.*) cs1Label=", line)
    assert (found[1] if found else "") == text.replace("\\", "\\\\").replace("=", "\\=")


def test_every_operation_and_code_of_the_engine_has_its_words() -> None:
    codes = {code.code for code in engine.refusal_codes()}
    assert set(mapping()["grave_codes"]) <= codes
    assert {"order.place", "order.cancel", "withdraw.create"} <= set(mapping()["operations"])


@pytest.mark.parametrize(
    ("price", "exact"), [("0.10", "0.100000000000"), ("1e5", None), ("١", None), ("", None)]
)
def test_what_is_no_plain_number_stays_text(price: str, exact: str | None) -> None:
    rows = batch([(0, content(order={"price": price}))]).to_pylist()
    assert rows[0]["price"] == price
    number = rows[0]["price_number"]
    assert (None if number is None else str(number)) == exact


def test_an_events_detail_is_kept_whole() -> None:
    rows = batch([(3, content(kind="event", detail={"b": 1, "a": ["x"]}))]).to_pylist()
    assert rows[0]["detail"] == '{"a":["x"],"b":1}'
