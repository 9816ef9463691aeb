"""Cells of principals: how many there are, who stands where, and what strangers share."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from ringfence.config.section import Name, Section, wrong

__all__ = ["Number", "Shards"]

Number = Annotated[int, Field(ge=0, le=1_023)]


class Strangers(Section):
    """How many cells there are for who comes without a key, and how many each network has."""

    cells: Annotated[int, Field(ge=1, le=65_535)] = 64
    each: Annotated[int, Field(ge=1, le=4)] = 2

    @model_validator(mode="after")
    def are_enough(self) -> Self:
        """Refuse more cells for each than there are."""
        if self.each > self.cells:
            raise wrong("is more than there are cells", "use fewer", "each")
        return self


class Shards(Section):
    """With a `count` of 1 there are none. `pins` say where organisations and accounts stand."""

    count: Annotated[int, Field(ge=1, le=1_024)] = 1
    pins: Annotated[dict[Name, Number], Field(max_length=65_536)] = Field(default={})
    strangers: Strangers = Strangers()

    @model_validator(mode="after")
    def are_there(self) -> Self:
        """Refuse a pin to a shard that is not there."""
        for name, shard in self.pins.items():
            if shard >= self.count:
                hint = f"name a shard below {self.count}, or raise shards.count"
                raise wrong(f"has {name} in shard {shard}, which is not there", hint, "pins")
        return self

    def engine_count(self) -> int:
        """Return how many the engine is to have: where everybody would stand in one, none."""
        return 0 if self.count == 1 else self.count
