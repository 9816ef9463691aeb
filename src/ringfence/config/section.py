"""What all sections of the configuration share."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

__all__ = [
    "Count",
    "FileName",
    "Milliseconds",
    "Name",
    "Section",
    "Text",
    "read_name",
    "wrong",
]


def wrong(what: str, hint: str = "", field: str = "") -> PydanticCustomError:
    """Return an error that `problem.lines` shows as `what; hint`, at `field` of the section."""
    text = f"{what}; {hint}" if hint else what
    return PydanticCustomError("ringfence", "{text}", {"text": text, "field": field})


class Section(BaseModel):
    """What all sections share: strict types, no unknown fields, no change afterwards."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


def read_name(text: str) -> str:
    """Check a short name made for logs, URLs and headers."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise wrong("is not a name", "use 1 to 64 letters, digits, '.', '_' and '-'")
    return text


Name = Annotated[str, AfterValidator(read_name)]
FileName = Annotated[str, Field(min_length=1, max_length=4096)]
Text = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,256}$")]
Count = Annotated[int, Field(ge=1, le=1 << 40)]
Milliseconds = Annotated[int, Field(ge=1, le=86_400_000)]
