"""The configuration's sections. Strict and frozen: holding a `Config` means that it is valid.

Durations carry their unit in the name. Prices and quantities are decimal texts, never floats.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from ringfence.config.bans import Bans
from ringfence.config.cluster import Cluster
from ringfence.config.limits import Budget, Limit
from ringfence.config.listener import Issuer, Listener
from ringfence.config.orders import Egress, Guard, Instrument, Withdrawals
from ringfence.config.overload import Overload
from ringfence.config.pages import Pages
from ringfence.config.section import Count, FileName, Milliseconds, Name, Section, Text, wrong
from ringfence.config.shards import Shards
from ringfence.config.store import StoreSection
from ringfence.config.upstream import Upstream

__all__ = ["CONTROLS", "Config", "Instrument", "Limit", "Listener", "Retention", "wrong"]

CONTROLS = (
    "edge",
    "operation",
    "identity",
    "freshness",
    "authority",
    "budget",
    "guard",
    "sequence",
)
"""In the order in which a message meets them."""

LEAST_SHARE = 1_000
"""Signatures that a shard can remember at least: a second of few clients."""

Mode = Literal["enforce", "observe", "off"]


class Attestation(Section):
    """How the venue can tell that a message came through the gateway, and for whom."""

    algorithm: Literal["HS256", "EdDSA"] = "HS256"
    key: FileName = "keys/attestation.key"
    issuer: Name | None = None


class EngineSection(Section):
    """How many cores serve."""

    threads: Annotated[int, Field(ge=1, le=256)] = 1


class Http(Section):
    """What a client may send and how long it may take."""

    header_bytes: Annotated[int, Field(ge=1_024, le=1 << 20)] = 16_384
    headers: Annotated[int, Field(ge=8, le=1_024)] = 64
    body_bytes: Annotated[int, Field(ge=0, le=64 << 20)] = 65_536
    header_timeout_ms: Milliseconds = 5_000
    body_timeout_ms: Milliseconds = 5_000
    handshake_timeout_ms: Milliseconds = 5_000
    idle_timeout_ms: Milliseconds = 60_000
    connections: Count = 8_192
    connections_per_address: Count = 1_024
    # A subscription to hundreds of streams fits; venues allow fewer messages (Binance: 5).
    stream_message_bytes: Annotated[int, Field(ge=125, le=4 << 20)] = 16_384
    stream_messages_per_s: Annotated[int, Field(ge=1, le=1_000_000_000)] = 20


class Controls(Section):
    """Whether each control refuses, only records what it would refuse, or does not run."""

    edge: Mode = "enforce"
    # A message whose operation is unknown has no scope, limit or bound: it never passes.
    operation: Literal["enforce"] = "enforce"
    identity: Mode = "enforce"
    freshness: Mode = "enforce"
    authority: Mode = "enforce"
    budget: Mode = "enforce"
    guard: Mode = "enforce"
    sequence: Mode = "enforce"


class Edge(Section):
    """What an address (IPv4 /32, IPv6 /64) may do before it has proved who it is.

    Left out, there may be as many connections and handshakes in a window as requests.
    """

    requests: Count = 6_000
    window_ms: Milliseconds = 1_000
    addresses: Annotated[int, Field(ge=1, le=1 << 24)] = 65_536
    """How many are counted exactly; all others by a sketch, which never counts less."""
    connections: Count | None = None
    handshakes: Count | None = None
    handshakes_open: Count | None = None
    """At once; left out, as many as connections."""
    network_factor: Annotated[int, Field(ge=1, le=1 << 20)] = 4
    """Times as many a network may: IPv4 /24, IPv6 /48."""
    block_factor: Annotated[int, Field(ge=1, le=1 << 20)] = 16
    """Times as many a block may: IPv6 /32."""


class Freshness(Section):
    """How many signatures are remembered; a full memory refuses.

    `across: cluster`: what one gateway has taken, no other takes. While the server is lost, what
    changes something is refused, or taken by what this gateway remembers (`on_loss: local`).
    """

    capacity_per_credential: Count = 262_144
    capacity: Count = 4_194_304
    across: Literal["node", "cluster"] = "node"
    on_loss: Literal["refuse", "local"] | None = None

    @property
    def is_shared(self) -> bool:
        """Whether all gateways of the cluster share what they remember."""
        return self.across == "cluster"

    @model_validator(mode="after")
    def loses_what_it_shares(self) -> Self:
        """Refuse a word on a server that nothing is asked of."""
        if self.on_loss is not None and not self.is_shared:
            what = "says nothing of what one gateway remembers"
            raise wrong(what, "say across: cluster", "on_loss")
        return self


class Retention(Section):
    """How long records are kept, from the end of their month. Volumes go whole, by command only."""

    trade_years: Annotated[int, Field(ge=5, le=100)] = 5
    security_years: Annotated[int, Field(ge=3, le=100)] = 3


class Publish(Section):
    """Laying the ledger out as tiles while the gateway runs; `policy` names the witnesses."""

    interval_ms: Annotated[int, Field(ge=100, le=3_600_000)] = 1_000
    policy: FileName | None = None


class Ledger(Section):
    """Where decisions are recorded. `strict` syncs each commit; `group` every `group_ms`."""

    directory: FileName = "ledger"
    origin: Annotated[str, Field(pattern=r"^[\x21-\x2a\x2c-\x7e]{1,128}$")]
    key: FileName = "keys/ledger.key"
    mode: Literal["strict", "group"] = "strict"
    group_ms: Annotated[int, Field(ge=1, le=1_000)] = 5
    checkpoint_ms: Milliseconds = 1_000
    heartbeat_ms: Annotated[int, Field(ge=100, le=3_600_000)] = 10_000
    personal: Annotated[tuple[Literal["address"], ...], Field(max_length=1, strict=False)] = (
        "address",
    )
    """What entries hold only a salted commitment to, so that it can be erased."""
    retention: Retention = Retention()
    publish: Publish | None = None


class Takeover(Section):
    """From when on something is a sign that somebody else has a key."""

    failed_signatures: Annotated[int, Field(ge=2, le=10_000)] = 10
    window_s: Annotated[int, Field(ge=1, le=86_400)] = 600
    geoip: FileName | None = None
    """A City database in MaxMind's format; without it nobody's travels are looked at."""
    speed_kmh: Annotated[int, Field(ge=100, le=100_000)] = 1_000
    distance_km: Annotated[int, Field(ge=1, le=20_000)] = 100


class Watch(Section):
    """Detectors, which read the ledger while the gateway runs. None: that one is off."""

    takeover: Takeover | None = Takeover()


class KeysSection(Section):
    """What becomes of credentials by themselves.

    Days that one lives whose addresses are not bound, as venues have it; and days without use
    after which one is suspended (0: neither).
    """

    unbound_days: Annotated[int, Field(ge=0, le=3_650)] = 90
    unused_days: Annotated[int, Field(ge=0, le=3_650)] = 0


class Approval(Section):
    """How many others must approve an act, of which roles, and when it may be done.

    With `scopes`, only where a credential with one of them is concerned.
    """

    need: Annotated[int, Field(ge=1, le=8)]
    roles: Annotated[
        tuple[Literal["owner", "admin", "security"], ...],
        Field(min_length=1, max_length=3, strict=False),
    ] = ("owner", "security")
    scopes: Annotated[tuple[Text, ...], Field(max_length=8, strict=False)] = ()
    wait_s: Annotated[int, Field(ge=0, le=2_592_000)] = 0
    """From when it is asked for; nobody can shorten it."""
    expire_s: Annotated[int, Field(ge=60, le=7_776_000)] = 86_400

    @model_validator(mode="after")
    def leaves_time(self) -> Self:
        """Refuse a rule by which nothing could ever be done."""
        if self.wait_s >= self.expire_s:
            raise wrong("is over before the wait is", "make it longer than wait_s", "expire_s")
        return self


Act = Literal[
    "key.create",
    "key.rotate",
    "key.scope",
    "key.expire",
    "operator.create",
    "factor.reset",
    "address.add",
    "policy.load",
    "principal.move",
    "vault.export",
]


class Admin(Section):
    """Who may change a running gateway, and what they must have proved.

    Step-ups are asked for once any operator has enrolled a second factor; `required`: always.
    """

    step_up: Literal["enrolled", "required"] = "enrolled"
    approvals: dict[Act, Approval] = Field(default={})
    pages: Pages | None = None

    def rules(self) -> dict[str, Approval]:
        """Return which acts need others to approve them."""
        return {str(act): rule for act, rule in self.approvals.items()}


class Policy(Section):
    """What is judged behind the scopes. `path` names a file, a folder or a pattern of them."""

    path: FileName

    @model_validator(mode="before")
    @classmethod
    def refuse_organisations(cls, said: Any) -> Any:
        """Refuse what an earlier version took: two places could say two things."""
        if isinstance(said, dict) and "organisations" in said:
            what = "is not taken any more: the tree of principals says who stands under whom"
            hint = "remove it, and `ringfence principal create ACCOUNT --under ORGANISATION`"
            raise wrong(what, hint, "organisations")
        return said


class Config(Section):
    """The whole of ringfence.yaml. Paths are still as written: relative to the file's folder."""

    version: Literal[1]
    node: Name
    listeners: Annotated[tuple[Listener, ...], Field(min_length=1, max_length=64, strict=False)]
    upstream: Upstream
    egress: Egress | None = None
    withdrawals: Withdrawals = Withdrawals()
    policy: Policy | None = None
    issuers: Annotated[tuple[Issuer, ...], Field(max_length=16, strict=False)] = ()
    attestation: Attestation = Attestation()
    engine: EngineSection = EngineSection()
    http: Http = Http()
    overload: Overload = Overload()
    controls: Controls = Controls()
    edge: Edge = Edge()
    bans: Bans = Bans()
    budget: Budget
    freshness: Freshness = Freshness()
    shards: Shards = Shards()
    guard: Guard
    ledger: Ledger
    watch: Watch = Watch()
    store: StoreSection = StoreSection()
    cluster: Cluster | None = None
    keys: KeysSection = KeysSection()
    admin: Admin = Admin()

    @model_validator(mode="after")
    def guards_its_keys(self) -> Self:
        """Refuse egress without the controls before its keys, and its limits without egress."""
        for name in ("identity", "freshness", "authority", "guard"):
            if self.egress is not None and getattr(self.controls, name) != "enforce":
                raise wrong(
                    "must be enforce", "egress signs what they let pass", f"controls.{name}"
                )
        for limit in self.budget.limits:
            if self.egress is None and (ours := {"venue", "upstream"} & set(limit.subject)):
                what = f"has {limit.name}, whose subject is {min(ours)}"
                raise wrong(what, "that needs the section `egress`", "budget.limits")
        return self

    @model_validator(mode="after")
    def has_the_shards_that_it_limits(self) -> Self:
        """Refuse limits of shards where nobody stands in one."""
        for limit in self.budget.limits:
            if self.shards.count == 1 and "shard" in limit.subject:
                what = f"has {limit.name}, whose subject is shard"
                raise wrong(what, "that needs a shards.count above 1", "budget.limits")
        share = self.freshness.capacity // (self.shards.count + 1)
        if self.shards.count > 1 and share < LEAST_SHARE:
            hint = f"use fewer shards, or a freshness.capacity that leaves each {LEAST_SHARE}"
            raise wrong(f"leaves each {share} signatures to remember", hint, "shards.count")
        return self

    @model_validator(mode="after")
    def shares_with_somebody(self) -> Self:
        """Refuse what is shared nowhere, and shares of an unknown number of gateways."""
        if self.cluster is None and self.freshness.is_shared:
            raise wrong("is cluster", "that needs the section `cluster`", "freshness.across")
        shared = [limit for limit in self.budget.limits if limit.across == "cluster"]
        if shared and self.cluster is None:
            what = f"has {shared[0].name}, which is across: cluster"
            raise wrong(what, "that needs the section `cluster`", "budget.limits")
        nodes = None if self.cluster is None else self.cluster.nodes
        for limit in shared:
            if limit.on_loss == "local_share" and nodes is None:
                what = f"is missing, and {limit.name} is shared out while the server is lost"
                raise wrong(what, "say how many gateways there are", "cluster.nodes")
            if limit.on_loss == "local_share" and 0 in limit.share(nodes or 1):
                what = f"leaves each gateway nothing of {limit.name}"
                raise wrong(what, "say on_loss: refuse there", "cluster.nodes")
        return self

    @model_validator(mode="after")
    def knows_where_funds_go(self) -> Self:
        """Refuse egress that would sign a withdrawal to anywhere."""
        if self.egress is not None and self.withdrawals.addresses == "open":
            hint = "in egress the venue obeys whatever is signed; say required"
            raise wrong("is open", hint, "withdrawals.addresses")
        return self

    @model_validator(mode="after")
    def asks_its_policies(self) -> Self:
        """Refuse policies that nothing would ask."""
        if self.policy is not None and self.controls.authority == "off":
            hint = "policies are a part of it; say enforce or observe"
            raise wrong("is off, and there is a policy", hint, "controls.authority")
        return self

    @model_validator(mode="after")
    def limits_something(self) -> Self:
        """Refuse an empty budget that nobody asked for: it would let everything pass."""
        if not self.budget.limits and self.controls.budget != "off":
            hint = "add a limit, or say controls.budget: off"
            raise wrong("is empty, and would limit nothing", hint, "budget.limits")
        return self
