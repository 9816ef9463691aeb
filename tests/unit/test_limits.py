"""A limit says all that its law needs and no more, and the engine gets just that."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from demo.stage import ringfence
from ringfence.config.limits import OPERATIONS, Budget, Limit, effective

ORDERS = {"name": "one", "subject": "account", "counts": "orders", "quota": 5, "window_ms": 1000}

RATIO = {"counts": "order_to_trade", "algorithm": "ratio", "quota": 1000, "max": 500}


def limit(**change: Any) -> Limit:
    merged = {name: value for name, value in (ORDERS | change).items() if value is not None}
    return Limit.model_validate(merged)


def test_a_limit_as_it_was_always_written_is_what_it_was() -> None:
    assert limit().content() == {
        "across": None,
        "name": "one",
        "subject": "account",
        "counts": "orders",
        "quota": 5,
        "algorithm": "fixed",
        "window_ms": 1000,
        "rate": 0,
        "max_e4": 0,
        "operations": [],
        "cancels": False,
        "admits": False,
        "costs": {},
        "ages": {},
    }


def test_the_engine_gets_a_combination_as_one_word_and_three_buckets_as_one_law() -> None:
    for algorithm in ("bucket", "credits", "decaying"):
        content = limit(subject=["account", "symbol"], algorithm=algorithm, rate=2).content()
        assert (content["subject"], content["algorithm"]) == ("account+symbol", "bucket")
        assert (content["rate"], content["window_ms"]) == (2, 1000)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"window_ms": None}, "is missing with algorithm fixed"),
        ({"algorithm": "concurrent"}, "says nothing with algorithm concurrent"),
        ({"algorithm": "bucket"}, "is missing with algorithm bucket"),
        ({"rate": 1}, "says nothing with algorithm fixed"),
        ({"algorithm": "sliding", "quota": 1 << 32}, "is too large for sliding"),
        ({"algorithm": "bucket", "rate": 1, "quota": 1 << 40, "window_ms": 1 << 25}, "too large"),
        ({"counts": "unfilled", "algorithm": "sliding"}, "is unfilled with algorithm sliding"),
        ({"subject": ["account", "account"]}, "names a word twice"),
        ({"subject": ["global", "symbol"]}, "says global and more"),
        ({"subject": []}, "at least 1 item"),
        ({"subject": "tribe"}, "Input should be"),
        ({"subject": ["stranger", "account"]}, "counts nothing"),
        ({"operations": ["order.place"], "cancels": "counted"}, "says nothing beside operations"),
        ({"operations": ["order.place"], "cancels": "admitted"}, "says nothing beside operations"),
        ({"operations": ["order.cancel"], "cancels": "free"}, "says nothing beside operations"),
        ({"algorithm": "concurrent", "window_ms": None, "cancels": "admitted"}, "is no word"),
        ({"ages": {"order.place": [{"below_s": 5, "units": 1}]}}, "about no order that stands"),
        ({"ages": {"order.cancel": [{"below_s": 5, "units": 1}]}}, "does not count order.cancel"),
        ({"ages": {"order.amend": []}}, "at least 1 item"),
        ({"ages": {"order.amend": [{"below_s": 0, "units": 1}]}}, "greater than or equal to 1"),
        (
            {"ages": {"order.amend": [{"below_s": 5, "units": 2}, {"below_s": 5, "units": 1}]}},
            "out of order",
        ),
        (RATIO | {"max": None}, "is missing with algorithm ratio"),
        (RATIO | {"max": "0.00001"}, "is not a ratio"),
        (RATIO | {"max": -1}, "is not a ratio"),
        (RATIO | {"counts": "orders"}, "is orders with algorithm ratio"),
        (RATIO | {"algorithm": "fixed", "max": None}, "is order_to_trade with algorithm fixed"),
        ({"max": "3"}, "says nothing with algorithm fixed"),
        (RATIO | {"across": "cluster"}, "is cluster with algorithm: ratio"),
        ({"counts": "unfilled", "across": "cluster"}, "is cluster with counts: unfilled"),
        (RATIO | {"window_ms": None}, "is missing with algorithm ratio"),
        (RATIO | {"rate": 1}, "says nothing with algorithm ratio"),
        (RATIO | {"cancels": "counted"}, "says nothing with algorithm ratio"),
        (RATIO | {"costs": {"order.amend": 1}}, "says nothing with algorithm ratio"),
        (RATIO | {"operations": ["order.place"]}, "says nothing with algorithm ratio"),
        (RATIO | {"counts": "volume_to_trade"}, "has volumes of one instrument only"),
        ({"operations": ["order.sell"]}, "Input should be"),
        ({"costs": {"order.place": -1}}, "greater than or equal to 0"),
        ({"burst": 3}, "Extra inputs"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        limit(**change)


@pytest.mark.parametrize(
    ("change", "counted"),
    [
        ({"counts": "requests"}, False),
        ({"counts": "requests", "cancels": "counted"}, True),
        ({"counts": "weight"}, True),
        ({"counts": "weight", "cancels": "free"}, False),
        ({"counts": "requests", "subject": "venue"}, True),
        ({"counts": "requests", "operations": ["order.cancel"]}, True),
        ({"counts": "weight", "operations": ["order.place"]}, False),
    ],
)
def test_cancels_are_counted_by_what_says_so_and_by_the_venues_own_rules(
    change: dict[str, Any], counted: bool
) -> None:
    assert limit(**change).counts_operation("order.cancel") is counted


def test_of_each_operation_it_is_told_what_counts_it() -> None:
    limits = [
        limit(subject=["account", "symbol"], operations=["order.place"], algorithm="sliding"),
        limit(name="two", counts="weight", algorithm="bucket", rate=2, costs={"order.amend": 4}),
    ]
    shown = effective(Budget(limits=tuple(limits)).limits)
    assert set(shown) == set(get_args(OPERATIONS))
    assert shown["order.place"] == {
        "one": "5 orders in any 1000 ms, by account+symbol",
        "two": "5 weight, 2 back in 1000 ms, by account",
    }
    assert shown["order.amend"] == {"two": "5 weight at 4 each, 2 back in 1000 ms, by account"}


def test_what_orders_cost_by_their_age_reaches_the_engine_and_is_told() -> None:
    young = [{"below_s": 5, "units": 8}, {"below_s": 300, "units": 1}]
    counter = limit(
        counts="items",
        operations=["order.place", "order.cancel"],
        cancels="admitted",
        costs={"order.cancel": 0},
        ages={"order.cancel": young},
    )
    content = counter.content()
    assert content["admits"] is True
    assert content["ages"] == {
        "order.cancel": [{"below_ms": 5000, "units": 8}, {"below_ms": 300_000, "units": 1}]
    }
    assert counter.says("order.place") == "5 items in 1000 ms, by account"
    assert counter.says("order.cancel") == (
        "5 items at 0 each, 8 more below 5 s, 1 more below 300 s in 1000 ms, by account, "
        "never refused"
    )


def test_a_ratio_reaches_the_engine_exactly_and_is_told() -> None:
    ratio = limit(**RATIO | {"max": "0.9501", "counts": "cancel_to_order"})
    content = ratio.content()
    assert (content["algorithm"], content["max_e4"], content["quota"]) == ("ratio", 9501, 1000)
    assert limit(**RATIO).content()["max_e4"] == 5_000_000
    counted = {name for name, told in effective([ratio]).items() if told}
    assert counted == {"order.place", "order.amend", "order.cancel"}
    said = "0.9501 cancel_to_order above 1000 in 1000 ms, by account"
    assert (ratio.says("order.place"), ratio.says("order.cancel")) == (
        said, f"{said}, never refused",
    )  # fmt: skip


def test_check_shows_what_limits_each_operation(tmp_path: Path) -> None:
    state = tmp_path / "state"
    laid = ringfence(
        "init", "--profile", "okx-spot", "--upstream", "http://127.0.0.1:1", str(state)
    )
    told = ringfence("check", "--limits", laid["config"])
    assert told["limits"]["order.place"]["place-2s"] == (
        "60 items in any 2000 ms, by account+symbol"
    )
    assert "limits" not in ringfence("check", laid["config"])
