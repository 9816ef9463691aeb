"""The limits of the configuration: whose, of what, how much, and how what was used comes back.

docs/limits.md says what each key means and what is guaranteed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ringfence.config.section import Count, Milliseconds, Name, Section, wrong

__all__ = ["Budget", "Limit", "effective"]

OPERATIONS = Literal[
    "account.read", "admin.change", "admin.read", "key.read", "market.read", "order.amend",
    "order.cancel", "order.place", "order.query", "order.test", "receipt.read", "session.logon",
    "stream.open", "transfer.create", "withdraw.create", "withdraw.query",
]  # fmt: skip
SUBJECTS = Literal[
    "account", "address", "credential", "global", "network", "operation", "organisation",
    "shard", "stranger", "symbol", "upstream", "venue",
]  # fmt: skip
BUCKETS = ("bucket", "credits", "decaying")
"""Venues' three names of one law: units that come back steadily."""
RATIOS = ("cancel_to_order", "order_to_trade", "volume_to_trade")
"""What is counted to something else, and bounded by how much of that there is."""
ORDERS = ("order.amend", "order.cancel", "order.place")
WHO = {"account", "credential", "organisation", "shard", "venue"}
"""What only a message has that somebody was proved to send."""
EXACT = 1 << 53
"""Up to here the server's numbers are exact."""
VENUES = {"upstream", "venue"}
"""Whom the venue counts in egress."""


def effective(limits: Iterable[Limit]) -> dict[str, dict[str, str]]:
    """Return for each operation what the limits that count it say, by their names."""
    limits = tuple(limits)
    return {
        operation: {
            limit.name: limit.says(operation)
            for limit in limits
            if limit.counts_operation(operation)
        }
        for operation in get_args(OPERATIONS)
    }


def listed(value: Any) -> Any:
    """Let one word stand for a list of it."""
    return (value,) if isinstance(value, str) else value


def as_text(value: Any) -> Any:
    """Let a whole number stand for its digits."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def read_ratio(text: str) -> str:
    """Check how much of something there may be to one of something else."""
    if not re.fullmatch(r"[0-9]{1,7}(?:\.[0-9]{1,4})?", text):
        raise wrong("is not a ratio", "write up to 7 digits, and up to 4 behind a point")
    return text


class Age(Section):
    """What an operation costs on top about an order that has stood for less than that."""

    below_s: Annotated[int, Field(ge=1, le=86_400)]
    units: Annotated[int, Field(ge=0, lt=1 << 32)]


class Limit(Section):
    """A quota, and the law by which it comes back."""

    name: Name
    subject: Annotated[
        tuple[SUBJECTS, ...],
        BeforeValidator(listed),
        Field(min_length=1, max_length=4, strict=False),
    ]
    """A word, or a list: each combination that there is has a budget of its own."""
    counts: Literal[
        "weight", "orders", "unfilled", "requests", "items",
        "cancel_to_order", "order_to_trade", "volume_to_trade",
    ]  # fmt: skip
    quota: Count
    algorithm: Literal[
        "fixed", "anchored", "sliding", "bucket", "decaying", "credits", "concurrent", "ratio"
    ] = "fixed"
    window_ms: Milliseconds | None = None
    rate: Count | None = None
    """Of a bucket: units that come back in a window."""
    max: Annotated[str, BeforeValidator(as_text), AfterValidator(read_ratio)] | None = None
    """Of a ratio: the most there may be to one."""
    operations: Annotated[tuple[OPERATIONS, ...], Field(strict=False)] = ()
    """What it counts; empty for everything."""
    cancels: Literal["admitted", "counted", "free"] | None = None
    """Whether it counts cancels without naming them; `admitted`, and refuses none."""
    costs: dict[OPERATIONS, Annotated[int, Field(ge=0, lt=1 << 32)]] = Field(default_factory=dict)
    """Units that these operations use here, whatever they would by `counts`."""
    ages: dict[OPERATIONS, Annotated[tuple[Age, ...], Field(min_length=1, strict=False)]] = Field(
        default_factory=dict
    )
    """Units that they use on top, by how long the order has stood."""
    across: Literal["node", "cluster"] = "node"
    """Whether each gateway has its own, or all of the cluster share it (docs/cluster.md)."""
    mode: Literal["exact", "lease"] | None = None
    lease: Count | None = None
    """Units that a gateway fetches ahead of their use, at most."""
    on_loss: Literal["refuse", "local_share", "lease_out"] | None = None
    """What becomes of messages while the server is lost; left out, they are refused."""

    @model_validator(mode="after")
    def has_what_its_algorithm_needs(self) -> Self:
        """Refuse a window or a rate that is missing, or that nothing would use."""
        bucket, windowless = self.algorithm in BUCKETS, self.algorithm == "concurrent"
        if windowless != (self.window_ms is None):
            what = "says nothing" if windowless else "is missing"
            raise wrong(
                f"{what} with algorithm {self.algorithm}", "see docs/limits.md", "window_ms"
            )
        if bucket != (self.rate is not None):
            what = "is missing" if bucket else "says nothing"
            raise wrong(f"{what} with algorithm {self.algorithm}", "see docs/limits.md", "rate")
        if self.algorithm == "sliding" and self.quota >= 1 << 32:
            raise wrong("is too large for sliding", "use less than 4294967296", "quota")
        if self.counts == "unfilled" and self.algorithm != "fixed":
            hint = "fills give back in windows on the clock; use fixed"
            raise wrong(f"is unfilled with algorithm {self.algorithm}", hint, "counts")
        if bucket and self.quota * (self.window_ms or 1) >= 1 << 64:
            raise wrong("is too large for its window", "use a shorter window_ms", "quota")
        return self

    @model_validator(mode="after")
    def is_shared_as_it_can_be(self) -> Self:
        """Refuse what says nothing of a limit that is not shared, or cannot be shared so."""
        shared = self.across == "cluster"
        for name in ("mode", "lease", "on_loss"):
            if not shared and getattr(self, name) is not None:
                raise wrong("says nothing of a limit of one gateway", "say across: cluster", name)
        if not shared:
            return self
        if self.algorithm == "concurrent":
            hint = "what is under way is counted on each gateway"
            raise wrong("is cluster with algorithm concurrent", hint, "across")
        own = {
            "ages": bool(self.ages),
            "algorithm: ratio": self.algorithm == "ratio",
            "cancels: admitted": self.cancels == "admitted",
            "counts: unfilled": self.counts == "unfilled",
            "subject: stranger": "stranger" in self.subject,
        }
        for what in (word for word, said in own.items() if said):
            raise wrong(f"is cluster with {what}", "those are counted on each gateway", "across")
        leased = self.mode == "lease"
        if leased != (self.lease is not None):
            what = "is missing with mode lease" if leased else "says nothing without mode lease"
            raise wrong(what, "say how many units a gateway may fetch ahead", "lease")
        if leased and self.algorithm not in ("fixed", *BUCKETS):
            raise wrong(f"is lease with algorithm {self.algorithm}", "say exact", "mode")
        if self.lease is not None and self.lease > self.quota:
            raise wrong("is more than the quota", "a hundredth of it is a good lease", "lease")
        if self.on_loss == "lease_out" and not leased:
            raise wrong("is lease_out without mode lease", "nothing is held then", "on_loss")
        level = self.quota * (self.window_ms or 1) if self.algorithm in BUCKETS else self.quota
        if level >= EXACT:
            raise wrong("is too large to be counted at the server", field="quota")
        return self

    @model_validator(mode="after")
    def is_a_ratio_of_what_ratios_are_of(self) -> Self:
        """Refuse a ratio that is none, and what says nothing beside one."""
        ratio = self.algorithm == "ratio"
        if ratio != (self.counts in RATIOS):
            hint = f"algorithm ratio counts {', '.join(RATIOS)}, and no other does"
            raise wrong(f"is {self.counts} with algorithm {self.algorithm}", hint, "counts")
        if ratio != (self.max is not None):
            what = "is missing" if ratio else "says nothing"
            raise wrong(f"{what} with algorithm {self.algorithm}", "see docs/limits.md", "max")
        if not ratio:
            return self
        for name in ("operations", "cancels", "costs", "ages"):
            if getattr(self, name):
                hint = "orders, changes and cancels count as docs/limits.md says"
                raise wrong("says nothing with algorithm ratio", hint, name)
        if self.counts == "volume_to_trade" and "symbol" not in self.subject:
            raise wrong("has volumes of one instrument only", "add symbol", "subject")
        return self

    @model_validator(mode="after")
    def names_subjects_that_go_together(self) -> Self:
        """Refuse a list that says one word twice, or that a whole needs no part of."""
        if len(set(self.subject)) < len(self.subject):
            raise wrong("names a word twice", "name each once", "subject")
        if "stranger" in self.subject and (known := WHO & set(self.subject)):
            hint = f"leave out one of them: who has a key, and so {min(known)}, is no stranger"
            raise wrong("counts nothing", hint, "subject")
        if "global" in self.subject and len(self.subject) > 1:
            raise wrong("says global and more", "leave out global", "subject")
        return self

    @model_validator(mode="after")
    def says_of_cancels_and_changes_what_it_counts(self) -> Self:
        """Refuse words on cancels that say nothing, and ages that no order has."""
        named = "order.cancel" in self.operations
        if self.operations and self.cancels is not None and not (self.admits() and named):
            hint = "name order.cancel there, or leave this out"
            raise wrong("says nothing beside operations", hint, "cancels")
        if self.admits() and self.algorithm == "concurrent":
            raise wrong("is no word of what is under way", "count or free them", "cancels")
        for operation, ages in self.ages.items():
            if operation not in ("order.amend", "order.cancel"):
                hint = "order.amend and order.cancel are"
                raise wrong(f"{operation} is about no order that stands", hint, "ages")
            if not self.counts_operation(operation):
                raise wrong(f"it does not count {operation}", "see docs/limits.md", "ages")
            if any(age.below_s >= next_age.below_s for age, next_age in pairwise(ages)):
                raise wrong(f"{operation} has ages out of order", "the youngest first", "ages")
        if self.ages and self.algorithm == "concurrent":
            raise wrong("says nothing with algorithm concurrent", "leave it out", "ages")
        return self

    def admits(self) -> bool:
        """Tell whether cancels pass although nothing is left."""
        return self.cancels == "admitted"

    def counts_cancels(self) -> bool:
        """Tell whether it counts cancels without naming them.

        What venues count themselves does: the routes' weights, and whatever a venue key uses.
        """
        if self.cancels is not None:
            return self.cancels != "free"
        return self.counts == "weight" or bool(VENUES & set(self.subject))

    def counts_operation(self, operation: str) -> bool:
        """Tell whether a message that asks for `operation` is charged to it."""
        if self.algorithm == "ratio":
            return operation in ORDERS
        if self.operations:
            return operation in self.operations
        return operation != "order.cancel" or self.counts_cancels()

    def says(self, operation: str) -> str:
        """Return how much of `operation` it allows, and whom."""
        by = "+".join(self.subject)
        if self.algorithm == "ratio":
            passes = ", never refused" if operation == "order.cancel" else ""
            most = f"{self.max} {self.counts} above {self.quota} in {self.window_ms} ms"
            return f"{most}, by {by}{passes}"
        bucket = f", {self.rate} back in {self.window_ms} ms"
        how = {
            "fixed": f" in {self.window_ms} ms",
            "anchored": f" in {self.window_ms} ms from the first",
            "sliding": f" in any {self.window_ms} ms",
            "concurrent": " at once",
        }.get(self.algorithm, bucket)
        cost = next((units for named, units in self.costs.items() if named == operation), None)
        each = "" if cost is None else f" at {cost} each"
        ages = next((ages for named, ages in self.ages.items() if named == operation), ())
        young = "".join(f", {age.units} more below {age.below_s} s" for age in ages)
        passes = ", never refused" if operation == "order.cancel" and self.admits() else ""
        return f"{self.quota} {self.counts}{each}{young}{how}, by {by}{passes}"

    def share(self, nodes: int) -> tuple[int, ...]:
        """Return what one of so many gateways has of quota, and rate, while the server is lost."""
        return self.quota // nodes, *([] if self.rate is None else [self.rate // nodes])

    def content(self, nodes: int | None = None) -> dict[str, Any]:
        """Return what the engine takes; `nodes`: how many gateways there are."""
        share, *rate = self.share(nodes or 1)
        across = {
            "lease": self.lease,
            "on_loss": self.on_loss or "refuse",
            "share": share,
            "share_rate": rate[0] if rate else 0,
        }
        return {
            "across": across if self.across == "cluster" else None,
            "name": self.name,
            "subject": "+".join(self.subject),
            "counts": self.counts,
            "quota": self.quota,
            "algorithm": "bucket" if self.algorithm in BUCKETS else self.algorithm,
            "window_ms": self.window_ms or 0,
            "rate": self.rate or 0,
            "max_e4": int(Decimal(self.max or 0) * 10_000),
            "operations": list(self.operations),
            "cancels": self.counts_cancels(),
            "admits": self.admits(),
            "costs": dict(self.costs),
            "ages": {
                operation: [{"below_ms": age.below_s * 1000, "units": age.units} for age in ages]
                for operation, ages in self.ages.items()
            },
        }


class Budget(Section):
    """Limits that are charged together or not at all."""

    subjects: Annotated[int, Field(ge=1, le=1 << 24)] = 1_000_000
    limits: Annotated[tuple[Limit, ...], Field(max_length=32, strict=False)]
