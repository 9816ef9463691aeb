"""The configuration's sections. Strict and frozen: holding a `Config` means that it is valid.

Durations carry their unit in the name. Prices and quantities are decimal texts, never floats.
"""

from __future__ import annotations

import ipaddress
import re
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    model_validator,
)

from ringfence.config.bans import Bans
from ringfence.config.cluster import Cluster
from ringfence.config.limits import Budget, Limit
from ringfence.config.overload import Overload
from ringfence.config.pages import Pages
from ringfence.config.section import Count, Milliseconds, Name, Section, wrong
from ringfence.config.shards import Shards
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

DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]+)?")
DECIMAL_DIGITS = 40
"""As many as the engine's exact arithmetic reads."""


def read_address(text: str) -> str:
    """Check `host:port` with a numeric host; IPv6 in brackets; port 0 lets the system choose."""
    host, _, port = text.rpartition(":")
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        bracketed = host.startswith("[") and host.endswith("]")
        if ("." in host) == bracketed or not port.isdecimal() or int(port) not in range(65536):
            raise ValueError
    except ValueError:
        raise wrong("is not an address", "write 127.0.0.1:8443 or [::1]:8443") from None
    return text


AUTHORITY = re.compile(
    r"(?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?|\[[0-9a-f:.]+\](?::[0-9]{1,5})?",
    re.IGNORECASE,
)


def read_authority(text: str) -> str:
    """Check a name that clients connect by, perhaps with its port."""
    if not AUTHORITY.fullmatch(text):
        raise wrong("is no name", "write HOST or HOST:PORT, as in gw.example:8443 or *.gw.example")
    return text


def read_decimal(text: str) -> str:
    """Check a decimal text as the engine reads it."""
    if not DECIMAL.fullmatch(text) or len(text) > DECIMAL_DIGITS:
        raise wrong("is not a decimal number", "write digits like 0.01: no sign, no exponent")
    return text


def as_text(value: Any) -> Any:
    """Let a whole number stand for its digits."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


CodeText = Annotated[str, BeforeValidator(as_text), Field(pattern=r"^[0-9]{1,19}$")]
DecimalText = Annotated[str, BeforeValidator(as_text), AfterValidator(read_decimal)]
FileName = Annotated[str, Field(min_length=1, max_length=4096)]
Text = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,256}$")]
Mode = Literal["enforce", "observe", "off"]


class Tls(Section):
    """PEM files of a listener. `client_ca` holds the roots that clients' certificates lead to."""

    certificate: FileName
    key: FileName
    client_ca: FileName | None = None
    client_auth: Literal["optional", "required"] | None = None
    """Whether a client must present a certificate; with `client_ca` only."""

    @model_validator(mode="after")
    def knows_whom_to_believe(self) -> Self:
        """Refuse asking for certificates that nothing could verify."""
        if self.client_auth is not None and self.client_ca is None:
            raise wrong("asks for certificates", "name a file of roots in client_ca", "client_auth")
        return self


class ProxyProtocol(Section):
    """The balancers before a listener, which say whose each connection is; nobody else connects."""

    networks: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...],
        Field(min_length=1, max_length=256, strict=False, alias="from"),
    ]
    """In CIDR form."""


class Listener(Section):
    """One address that clients connect to. Either `tls`, or `plain: true` in so many words."""

    name: Name
    address: Annotated[str, AfterValidator(read_address)]
    dialect: Annotated[str, Field(min_length=1)]
    tls: Tls | None = None
    plain: bool = False
    http2: bool = True
    """Whether HTTP/2 is offered on TLS; `plain` is HTTP/1.1 only."""
    authorities: (
        Annotated[
            tuple[Annotated[str, AfterValidator(read_authority)], ...],
            Field(min_length=1, max_length=64, strict=False),
        ]
        | None
    ) = None
    """What it is called by those who sign for a name. Left out: the names in its certificate, or
    without TLS its address."""

    dpop_nonce_s: Annotated[int, Field(ge=5, le=3600)] | None = None
    """For how many seconds a nonce is good that proofs must carry; left out: they need none."""

    proxy_protocol: ProxyProtocol | None = None
    """Version 2, on each connection; left out: clients connect themselves."""

    @model_validator(mode="after")
    def says_how(self) -> Self:
        """Refuse plain HTTP that nobody asked for."""
        if self.tls is None and not self.plain:
            raise wrong("has no tls", "name a certificate and a key, or say plain: true", "tls")
        if self.tls is not None and self.plain:
            raise wrong("is true, and there is tls too", "keep one of the two", "plain")
        return self


class Issuer(Section):
    """Whose access tokens are taken (RFC 9068), and whom each subject of theirs acts as."""

    name: Name
    issuer: Annotated[str, Field(min_length=1)]
    """What a token's `iss` says."""
    audience: Annotated[str, Field(min_length=1)]
    """What its `aud` says, alone or in a list."""
    jwks: FileName
    """A JSON Web Key Set with the issuer's public keys."""
    algorithms: Annotated[
        tuple[Literal["ES256", "EdDSA", "RS256"], ...], Field(min_length=1, strict=False)
    ] = ("ES256", "EdDSA")
    subject: Annotated[str, Field(min_length=1)] = "sub"
    """The claim that says who acts."""
    credentials: Annotated[dict[str, str], Field(min_length=1)]
    """What it says, and the id of the credential that acts then."""
    max_lifetime_s: Annotated[int, Field(ge=1, le=86_400)] = 3600
    dpop: Literal["required", "optional"] = "required"
    """Whether a token is only good with a proof (RFC 9449)."""


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


class Instrument(Section):
    """What an order in one symbol may be. Prices in quote units, quantities in base units."""

    symbol: Annotated[str, Field(pattern=r"^[A-Z0-9_.-]{1,32}$")]
    code: CodeText | None = None
    """The venue's number of it, where messages may have that in place of its name."""
    tick: DecimalText
    lot: DecimalText
    min_quantity: DecimalText
    max_quantity: DecimalText
    min_notional: DecimalText | None = None
    max_notional: DecimalText
    price_min: DecimalText
    price_max: DecimalText
    whole_position: bool = False
    """Whether an order may close the position, however much that is (docs/adr/0041)."""

    @model_validator(mode="after")
    def is_ordered(self) -> Self:
        """Refuse steps of zero and ranges that hold nothing."""
        for name in ("tick", "lot", "max_quantity", "max_notional", "price_max"):
            if not Decimal(getattr(self, name)):
                raise wrong("must be more than 0", field=name)
        for low, high in (
            ("min_quantity", "max_quantity"),
            ("min_notional", "max_notional"),
            ("price_min", "price_max"),
        ):
            if Decimal(getattr(self, low) or 0) > Decimal(getattr(self, high)):
                raise wrong(f"is more than {high}", "nothing could pass", low)
        return self


class Guard(Section):
    """Orders in other symbols are refused."""

    instruments: Annotated[tuple[Instrument, ...], Field(strict=False)]


class Transfer(Section):
    """What one account may move between the venue's own wallets, as the dialect names them."""

    account: Text
    asset: Text
    direction: Annotated[tuple[Text, ...], Field(min_length=1, max_length=3, strict=False)]
    max_amount: DecimalText


class Egress(Section):
    """Whose venue keys sign. With this section the gateway stands before a firm's bots.

    No transfer passes without a rule; withdrawals go to the accounts' addresses.
    """

    vault: FileName = "keys/venues.sealed"
    accounts: dict[Text, Name] = Field(default={})
    default: Name | None = None
    """For accounts that are not named; without it they have no key."""
    transfers: Annotated[tuple[Transfer, ...], Field(strict=False)] = ()

    @model_validator(mode="before")
    @classmethod
    def refuse_withdrawals(cls, said: Any) -> Any:
        """Refuse what an earlier version took: an address waits, and others approve it."""
        if isinstance(said, dict) and "withdrawals" in said:
            what = "is not taken any more: addresses are added while the gateway runs"
            hint = "remove it, and `ringfence address add --account ACCOUNT …` each"
            raise wrong(what, hint, "withdrawals")
        return said

    @model_validator(mode="after")
    def signs_for_somebody(self) -> Self:
        """Refuse a section by which nobody could do anything."""
        if not self.accounts and self.default is None:
            raise wrong("is empty", "name the venue key of each account", "accounts")
        return self


class Withdrawals(Section):
    """What a withdrawal needs, and how long a new address waits until it takes one.

    `addresses: open`, before an exchange only: an account that never had one may send anywhere.
    """

    addresses: Literal["open", "required"] = "required"
    lock_s: Annotated[int, Field(ge=0, le=2_592_000)] = 86_400
    step_up_s: Annotated[int, Field(ge=1, le=86_400)] | None = None
    """How old a step-up for the account may be at most; left out: it needs none."""


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
