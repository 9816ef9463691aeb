"""What the endpoints answer: a field that is not here never leaves, whatever a service returns."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

__all__ = [
    "Address",
    "AddressStory",
    "Approval",
    "Ban",
    "BanAdded",
    "BanLifted",
    "Change",
    "Dropped",
    "Erased",
    "Exported",
    "FactorsOf",
    "Hold",
    "Key",
    "KeyCreated",
    "KeyRotated",
    "KeyStep",
    "KeyStory",
    "LinkOpened",
    "LinkState",
    "PoliciesLoaded",
    "PrincipalAnswer",
    "PrincipalStep",
    "PrincipalStory",
    "Refusal",
    "Released",
    "Shard",
    "ShardMoved",
    "ShardStep",
    "TotpBegun",
    "VenueKey",
    "VenueKeyPut",
    "VenueKeyRemoved",
]


class Refusal(BaseModel):
    """What every error answers: problem details (RFC 9457), the engine's own among them."""

    type: str
    """The same for all that have this code."""
    title: str
    status: int
    detail: str
    """What was wrong this time."""
    code: str
    hint: str | None = None
    error: str | None = None
    """With the next two, of a missing step-up (RFC 9470): which proof, and its age in seconds."""
    acr_values: str | None = None
    max_age: int | None = None


class Change(BaseModel):
    """One step of a life. Times are microseconds since the Unix epoch."""

    before: str | None
    state: str
    what: str = ""
    who: str
    why: str
    time_us: int
    approvals: list[str]


class Ban(BaseModel):
    """Who is kept out, what they are answered, and until when."""

    target: str
    answer: str
    reach: str
    origin: str
    step: int
    since_us: int
    until_us: int
    why: str


class BanAdded(Ban):
    """A ban; `effective_us`: how long the engine took."""

    effective_us: int


class BanLifted(BaseModel):
    """Whose ban was lifted."""

    target: str
    effective_us: int


class ShardLimit(BaseModel):
    """How a shard's own limit stands."""

    limit: str
    used: int
    remaining: int
    reset_ms: int


class Shard(BaseModel):
    """A shard; what a running engine counts is null without one."""

    shard: int
    state: str
    accounts: int | None
    credentials: int | None
    permitted: int | None
    refused: int | None
    replay_claims: int | None
    replay_room: int | None
    limits: list[ShardLimit] | None
    pinned: list[str]
    moved: list[str]


class ShardMoved(BaseModel):
    """Where a principal stands now; `effective_us`: how long the engine took, null without one."""

    principal: str
    shard: int
    effective_us: int | None


class ShardStep(BaseModel):
    """How a shard stands now."""

    shard: int
    state: str
    effective_us: int | None


class Key(BaseModel):
    """A credential, without its secret."""

    key_id: str
    account: str
    algorithm: str
    scopes: list[str]
    allow: list[str]
    requires: list[str]
    state: str
    created_us: int
    expires_us: int | None
    used_us: int | None
    generation: int
    predecessor: str | None
    public_key: str | None


class KeyStory(Key):
    """A credential and what became of it, oldest first."""

    history: list[Change]


class KeyStep(Key):
    """A credential after a change; `effective_us`: how long the engine took, null without one."""

    effective_us: int | None


class KeyCreated(Key):
    """A new credential and, of HMAC, its secret: this once."""

    secret: str | None
    engine_error: str | None


class KeyRotated(KeyCreated):
    """A successor, and when its predecessor ends."""

    predecessor_expires_us: int


class Principal(BaseModel):
    """A principal; `role` and `uid` are an operator's."""

    name: str
    kind: str
    created_us: int
    parent: str | None
    state: str
    role: str | None
    uid: int | None


class PrincipalAnswer(Principal):
    """A principal; `held`: it, or one above it, is out of use."""

    held: bool


class PrincipalStory(PrincipalAnswer):
    """A principal and what became of it, oldest first."""

    history: list[Change]


class PrincipalStep(Principal):
    """A principal after a change; `effective_us`: how long the engine took, null without one."""

    effective_us: int | None = None


class Address(BaseModel):
    """A withdrawal address; `standing`: locked, usable or removed."""

    id: str
    account: str
    asset: str
    network: str | None
    address: str
    tag: str | None
    max_amount: str | None
    label: str
    added_us: int
    usable_us: int
    removed_us: int | None
    standing: str


class AddressStep(BaseModel):
    """What became of an address: `added` or `removed`."""

    step: str
    who: str
    why: str
    time_us: int
    approvals: list[str]


class AddressStory(Address):
    """An address and what became of it, oldest first."""

    history: list[AddressStep]


class VenueKey(BaseModel):
    """A key that signs for a venue, without what signs; `passphrase`: it has one."""

    name: str
    dialect: str
    key_id: str
    algorithm: str
    added_us: int
    passphrase: bool


class VenueKeyPut(VenueKey):
    """A key now in the vault; `used`: an account has it, `in_force`: the gateway signs with it."""

    used: bool
    in_force: bool


class VenueKeyRemoved(VenueKey):
    """A key that is gone; `in_force`: the engine has followed."""

    in_force: bool


class Hold(BaseModel):
    """A hold on volumes. Months are `YYYY-MM`; null leaves that side open."""

    name: str
    since: str | None
    until: str | None
    who: str
    why: str
    placed_us: int


class Dropped(BaseModel):
    """A volume that is gone: its entries by class, its bytes, and until when it had to be kept."""

    month: str
    trade: int
    security: int
    size_bytes: int
    until: str
    holds: list[str]


class StepUp(BaseModel):
    """A proof that an operator gave: which, and when."""

    by: str
    time_us: int


class Passkey(BaseModel):
    """A passkey in force; `synced`: it is backed up, `unlocks`: it can open a seal."""

    id: str
    label: str
    synced: bool
    unlocks: bool
    created_us: int
    used_us: int | None


class LinkOpened(BaseModel):
    """A link to one of the gateway's pages: this once, for one browser."""

    id: str
    link: str
    expires_us: int


class LinkState(BaseModel):
    """What became of a link: `waiting`, `done` or `failed`; `said` is for people."""

    id: str
    kind: str
    state: str
    said: str
    expires_us: int


class Released(BaseModel):
    """What a passkey released on a page of the seal: sealed to the command that asked."""

    statement: str
    sealed: str
    credential_id: str
    rp_id: str


class FactorsOf(BaseModel):
    """An operator's second factors; `asked`: step-ups are asked for at this gateway."""

    operator: str
    totp: bool
    passkeys: list[Passkey]
    recovery_codes: int
    step_up: StepUp | None
    asked: bool


class TotpBegun(BaseModel):
    """What an authenticator app takes: this once."""

    secret: str
    uri: str


class VoteGiven(BaseModel):
    """What one operator said."""

    voter: str
    approves: bool
    time_us: int


class Approval(BaseModel):
    """A request: what exactly is to be done, by which rule, and where it stands."""

    id: str
    standing: str
    act: str
    parameters: dict[str, Any]
    requester: str
    need: int
    roles: list[str]
    asked_us: int
    not_before_us: int
    expires_us: int
    votes: list[VoteGiven]


class Exported(BaseModel):
    """What leaves the vault, or, with `until_us`, by when another operator must ask for it."""

    until_us: int | None
    parts: list[str]


class PoliciesLoaded(BaseModel):
    """Policies now in force: how many, SHA-256 before and after, what is strange about them."""

    before: str
    after: str
    policies: int
    warnings: list[str]


class Erased(BaseModel):
    """What went of one volume."""

    volume: str
    field: str
    count: int
