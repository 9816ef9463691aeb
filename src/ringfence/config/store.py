"""`store`: where principals and credentials are, and how old what is known of them may be."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from ringfence.config.section import FileName, Section, wrong

__all__ = ["StoreSection"]


def read_store_url(text: Any) -> Any:
    """Check that it is a URL of PostgreSQL. A password may be in it: nothing repeats it."""
    if not isinstance(text, str) or urlsplit(text).scheme != "postgresql":
        raise wrong("is not a URL of PostgreSQL", "write postgresql://user@host/database")
    return text


STALE_S = 10
STALE_CLUSTER_MS = 450
"""With the engine's own 20 ms and a gateway's sign of life it is less than half a second from a
revocation elsewhere until it holds, or nothing does."""


class StoreSection(Section):
    """Where principals and credentials are. Without `url` or `file`: ringfence.db beside this file.

    Others may change it too: every `follow_ms` the gateway asks for what is new. When it has had no
    answer for `stale_s`, it tells, and serves on; or refuses what changes state (`stale: refuse`).
    In a cluster it refuses after STALE_CLUSTER_MS, unless something else is said.
    """

    url: Annotated[SecretStr | None, BeforeValidator(read_store_url)] = None
    file: FileName | None = None
    follow_ms: Annotated[int, Field(ge=10, le=250)] = 100
    stale_s: Annotated[int, Field(ge=1, le=86_400)] | None = None
    stale_ms: Annotated[int, Field(ge=100, le=60_000)] | None = None
    """The same, shorter."""
    stale: Literal["serve", "refuse"] | None = None

    @model_validator(mode="after")
    def is_in_one_place(self) -> Self:
        """Refuse two places."""
        if self.url is not None and self.file is not None:
            raise wrong("is given beside `url`", "leave one of them out", "file")
        return self

    @model_validator(mode="after")
    def leaves_time_to_ask(self) -> Self:
        """Refuse two times, and one in which no answer could come."""
        if self.stale_s is not None and self.stale_ms is not None:
            raise wrong("is given beside `stale_s`", "leave one of them out", "stale_ms")
        if self.stale_ms is not None and self.stale_ms < 2 * self.follow_ms:
            raise wrong("is over before the store is asked again", "2 x follow_ms", "stale_ms")
        return self

    def lasts_s(self, *, clustered: bool) -> float:
        """Return for how long what is known is good without an answer."""
        if self.stale_ms is not None:
            return self.stale_ms / 1000
        if self.stale_s is not None:
            return self.stale_s
        return STALE_CLUSTER_MS / 1000 if clustered else STALE_S

    def refuses(self, *, clustered: bool) -> bool:
        """Tell whether nothing that changes state goes to the venue then."""
        return clustered if self.stale is None else self.stale == "refuse"
