"""What the services in this process, for one person, and a client of a gateway both do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ringfence.api.approvals import matching
from ringfence.api.keys import KeyService, Successor
from ringfence.api.newkey import NewKey
from ringfence.api.principals import NewPrincipal, PrincipalService
from ringfence.config.model import Approval
from ringfence.errors import ApprovalError
from ringfence.identity.stepup import May, refused

__all__ = ["Asked", "Keys"]


class Keys(Protocol):
    """Credentials and principals; the services say what each does and refuses."""

    def create(self, wanted: NewKey) -> dict[str, Any]:
        """Create a credential; the answer holds its secret, this once."""
        ...

    def all(self) -> list[dict[str, Any]]:
        """Return all credentials without secrets."""
        ...

    def one(self, key_id: str) -> dict[str, Any]:
        """Return one credential without its secret, and its history."""
        ...

    def step(self, key_id: str, asked: str, why: str) -> dict[str, Any]:
        """Let a credential take a step; `effective_us` is how long the engine took."""
        ...

    def rotate(self, key_id: str, wanted: Successor) -> dict[str, Any]:
        """Give a credential a successor; the answer holds its secret, this once."""
        ...

    def rescope(self, key_id: str, scopes: Sequence[str], why: str) -> dict[str, Any]:
        """Put other scopes in the place of a credential's."""
        ...

    def expire(self, key_id: str, expires_us: int, why: str) -> dict[str, Any]:
        """Let a credential end at another time."""
        ...

    def create_principal(self, wanted: NewPrincipal) -> dict[str, Any]:
        """Create a principal."""
        ...

    def principals(self) -> list[dict[str, Any]]:
        """Return all principals."""
        ...

    def principal(self, name: str) -> dict[str, Any]:
        """Return one principal and its history."""
        ...

    def step_principal(self, name: str, asked: str, why: str) -> dict[str, Any]:
        """Let a principal take a step."""
        ...

    def move_principal(self, name: str, parent: str | None, why: str) -> dict[str, Any]:
        """Put a principal under another one, or at the top."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """`Keys` of the services in this process, on behalf of one person.

    `may` judges their step-ups, for the same acts as at the admin API.
    """

    service: KeyService
    who: str
    may: May = refused
    rules: Mapping[str, Approval] = field(default_factory=dict)
    """What needs others to approve it: that takes a running gateway."""

    def create(self, wanted: NewKey) -> dict[str, Any]:
        """As `KeyService.create`."""
        self.may("key.create", "")
        self._alone("key.create", wanted.scopes)
        return self.service.create(wanted, self.who)

    def all(self) -> list[dict[str, Any]]:
        """As `KeyService.all`."""
        return self.service.all()

    def one(self, key_id: str) -> dict[str, Any]:
        """As `KeyService.one`."""
        return self.service.one(key_id)

    def step(self, key_id: str, asked: str, why: str) -> dict[str, Any]:
        """As `KeyService.step`."""
        if asked == "resume":
            self.may("key.resume", "")
        return self.service.step(key_id, asked, why, self.who)

    def rotate(self, key_id: str, wanted: Successor) -> dict[str, Any]:
        """As `KeyService.rotate`."""
        self.may("key.rotate", "")
        self._alone("key.rotate", self._scopes(key_id))
        return self.service.rotate(key_id, wanted, self.who)

    def rescope(self, key_id: str, scopes: Sequence[str], why: str) -> dict[str, Any]:
        """As `KeyService.rescope`."""
        return self.service.rescope(key_id, scopes, why, self.who, self._judge(scopes))

    def expire(self, key_id: str, expires_us: int, why: str) -> dict[str, Any]:
        """As `KeyService.expire`."""
        judge = self._judge(self._scopes(key_id))
        return self.service.expire(key_id, expires_us, why, self.who, judge)

    def create_principal(self, wanted: NewPrincipal) -> dict[str, Any]:
        """As `PrincipalService.create`; a new operator may enrol a factor."""
        if wanted.kind == "operator":
            self.may("operator.create", "")
            self._alone("operator.create")
        made = PrincipalService(self.service).create(wanted, self.who)
        if wanted.kind == "operator":
            self.service.factors.keep_step_up(wanted.name, "admitted", made["created_us"])
        return made

    def principals(self) -> list[dict[str, Any]]:
        """As `PrincipalService.all`."""
        return PrincipalService(self.service).all()

    def principal(self, name: str) -> dict[str, Any]:
        """As `PrincipalService.one`."""
        return PrincipalService(self.service).one(name)

    def step_principal(self, name: str, asked: str, why: str) -> dict[str, Any]:
        """As `PrincipalService.step`."""
        if asked == "resume":
            self.may("principal.resume", "")
        return PrincipalService(self.service).step(name, asked, why, self.who)

    def move_principal(self, name: str, parent: str | None, why: str) -> dict[str, Any]:
        """As `PrincipalService.move`."""
        self.may("principal.move", "")
        self._alone("principal.move")
        return PrincipalService(self.service).move(name, parent, why, self.who)

    def _scopes(self, key_id: str) -> Sequence[str]:
        return self.service.store.one(key_id).scopes

    def _judge(self, scopes: Sequence[str]) -> May:
        """Return what judges an act's step-up, and then whether one may do it alone."""

        def judge(act: str, what: str) -> None:
            self.may(act, what)
            self._alone(act, scopes)

        return judge

    def _alone(self, act: str, scopes: Sequence[str] = ()) -> None:
        """Refuse what needs others.

        Raises:
            ApprovalError: `approval_required`.
        """
        if (rule := matching(self.rules, act, scopes)) is not None:
            hint = "start the gateway and ask again: only there can others approve it"
            raise ApprovalError(f"this needs {rule.need} to approve", hint=hint)
