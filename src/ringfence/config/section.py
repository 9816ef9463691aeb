"""What all sections of the configuration share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

__all__ = ["Section", "wrong"]


def wrong(what: str, hint: str = "", field: str = "") -> PydanticCustomError:
    """Return an error that `problem.lines` shows as `what; hint`, at `field` of the section."""
    text = f"{what}; {hint}" if hint else what
    return PydanticCustomError("ringfence", "{text}", {"text": text, "field": field})


class Section(BaseModel):
    """What all sections share: strict types, no unknown fields, no change afterwards."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")
