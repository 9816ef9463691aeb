"""Every shipped profile is a configuration, for what the paper venue of its dialect trades."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from demo.stage import ringfence
from ringfence.config.profile import fill, profiles
from ringfence.venue.instruments import load_instruments
from ringfence.venue.shapes import SHAPES

STEPS = ("tick", "lot", "min_quantity", "max_quantity", "min_notional")


def written(name: str) -> dict[str, Any]:
    text = fill(name, node="gw1", listen="127.0.0.1:0", upstream="http://127.0.0.1:1", plain=False)
    loaded: dict[str, Any] = yaml.load(text, yaml.BaseLoader)  # noqa: S506 - it makes texts only
    return loaded


@pytest.mark.parametrize("name", profiles())
def test_a_profile_lays_a_folder_that_checks(name: str, tmp_path: Path) -> None:
    laid = ringfence(
        "init", "--profile", name, "--upstream", "http://127.0.0.1:1", str(tmp_path / "state")
    )
    text = Path(laid["config"]).read_text()
    assert "@" not in text.replace("alice@", "")
    ringfence("check", laid["config"])


@pytest.mark.parametrize("name", profiles())
def test_a_profile_guards_what_the_paper_venue_trades(name: str) -> None:
    profile = written(name)
    (listener,) = profile["listeners"]
    traded = load_instruments(listener["dialect"])
    guarded = {row["symbol"]: row for row in profile["guard"]["instruments"]}
    assert guarded.keys() == traded.keys()
    for symbol, instrument in traded.items():
        for step in STEPS:
            said = Decimal(guarded[symbol].get(step, "0"))
            assert said == getattr(instrument, step), (symbol, step)


def test_every_shape_has_a_profile() -> None:
    assert {written(name)["listeners"][0]["dialect"] for name in profiles()} == set(SHAPES)
