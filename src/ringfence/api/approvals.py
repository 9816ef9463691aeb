"""What needs more than one operator: asked for, voted on, and done by who asked, once.

`admin.approvals` says which acts. Whatever is done here is in the ledger first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ringfence.api.clock import now_us
from ringfence.config.model import Approval
from ringfence.engine import Detail
from ringfence.errors import ApprovalError
from ringfence.identity.approval import Approvals, Description, Vote, standing
from ringfence.identity.approval.store import Request
from ringfence.identity.tree import Tree

__all__ = ["ApprovalService", "Perform", "matching"]

Perform = Callable[[dict[str, Any], str, tuple[str, ...]], dict[str, Any]]
"""Does an act: its parameters, who asked, and whose approvals it rests on."""

ALWAYS = {"vault.export": Approval(need=1, roles=("owner",))}
"""What needs others whatever the configuration says, which can only ask for more of them."""

VOTABLE = ("open", "locked", "approved")
"""Where a request stands while it can still be voted on."""


def matching(rules: Mapping[str, Approval], act: str, scopes: Iterable[str]) -> Approval | None:
    """Return the rule that an act falls under; one that names scopes is for these only."""
    rule = rules.get(act)
    if rule is None or (rule.scopes and not set(rule.scopes) & set(scopes)):
        return None
    return rule


def at_least(rules: Mapping[str, Approval]) -> dict[str, Approval]:
    """Return rules that ask for no less than `ALWAYS`."""
    found = dict(rules)
    for act, least in ALWAYS.items():
        rule = rules.get(act, least)
        need = max(rule.need, least.need)
        found[act] = rule.model_copy(update={"need": need, "roles": least.roles, "scopes": ()})
    return found


class ApprovalService:
    """The requests of a running gateway."""

    def __init__(
        self,
        approvals: Approvals,
        tree: Tree,
        rules: Mapping[str, Approval],
        record: Callable[[str, Detail], None],
    ) -> None:
        """Keep what is needed. `record` returns when the ledger has an event durably."""
        self._approvals = approvals
        self._tree = tree
        self._rules = at_least(rules)
        self._record = record
        self.perform: Mapping[str, Perform] = {}

    def require(
        self, act: str, requester: str, parameters: dict[str, Any], scopes: Iterable[str] = ()
    ) -> None:
        """Let an act pass that nobody else needs to approve; ask for the approval of another.

        Raises:
            ApprovalError: `approval_required`; the message has the request's id.
        """
        rule = matching(self._rules, act, scopes)
        if rule is None:
            return
        name = self._asked(rule, act, requester, parameters)
        hint = f"others run `ringfence approval approve {name}`; then you: `ringfence approval "
        hint += f"execute {name}`"
        said = f"this needs {rule.need} to approve ({', '.join(rule.roles)}): asked for as {name}"
        raise ApprovalError(said, hint=hint)

    def request(self, act: str, requester: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Ask for the approval of an act that always needs it; return the request."""
        return self.one(self._asked(self._rules[act], act, requester, parameters))

    def all(self) -> list[dict[str, Any]]:
        """Return every request, oldest first."""
        return [self._shown(one) for one in self._approvals.all()]

    def one(self, name: str) -> dict[str, Any]:
        """Return one request.

        Raises:
            ApprovalError: `approval_unknown`, `approval_changed`.
        """
        return self._shown(self._approvals.one(name))

    def votable(self, name: str, voter: str) -> Request:
        """Return a request that an operator can approve at this moment.

        Raises:
            ApprovalError: as `vote`.
        """
        found = self._approvals.one(name)
        check_vote(found, Vote(voter, True, now_us()), self._eligible(found))
        self._in_state(found, VOTABLE)
        return found

    def vote(
        self, name: str, voter: str, approves: bool, who: str, **signed: str
    ) -> dict[str, Any]:
        """Approve or reject. Who asked cannot approve, but withdraw by rejecting.

        `signed`: by which passkey, and the digest of which statement, if it was by one.

        Raises:
            ApprovalError: `approval_own`, `approval_role`, `approval_voted`, `approval_state`.
        """
        vote = Vote(voter, approves, now_us())
        word = "approved" if approves else "rejected"

        def may(found: Request) -> None:
            check_vote(found, vote, self._eligible(found))
            self._in_state(found, VOTABLE)

        self._approvals.vote(
            name, vote, may, lambda: self._tell(f"approval.{word}", name, voter, who, **signed)
        )
        return self.one(name)

    def execute(self, name: str, requester: str, who: str) -> dict[str, Any]:
        """Do exactly what was approved; return what doing it answers.

        Raises:
            ApprovalError: `approval_state`: not approved, or done already; `approval_other`.
            GatewayError: what doing it is refused with. It is spent all the same.
        """

        def may(found: Request) -> None:
            if found.about.requester != requester:
                said = f"{found.about.requester} asked for this"
                hint = "who asked executes it"
                raise ApprovalError(said, code="approval_other", hint=hint)
            self._in_state(found, ("approved",))

        found = self._approvals.execute(
            name, may, lambda: self._tell("approval.executed", name, requester, who)
        )
        by = tuple(f"{one.voter}:{name}" for one in found.votes if one.approves)
        return self.perform[found.about.act](found.about.parameters, who, by)

    def _asked(self, rule: Approval, act: str, requester: str, parameters: dict[str, Any]) -> str:
        """Return the request of the same that is on its way, or of a new one."""
        there = self._asked_already(act, requester, parameters)
        return there or self._ask(rule, act, requester, parameters)

    def _ask(self, rule: Approval, act: str, requester: str, parameters: dict[str, Any]) -> str:
        asked_us = now_us()
        about = Description(
            act,
            parameters,
            requester,
            rule.need,
            sorted(rule.roles),
            asked_us,
            asked_us + rule.wait_s * 1_000_000,
            asked_us + rule.expire_s * 1_000_000,
        )
        more: dict[str, str | int] = {"act": act, "need": rule.need}
        return self._approvals.ask(
            about, lambda name: self._tell("approval.asked", name, requester, "", **more)
        )

    def _asked_already(self, act: str, requester: str, parameters: dict[str, Any]) -> str | None:
        """Return the request of the same that is on its way."""
        for one in self._approvals.all():
            about = one.about
            same = (about.act, about.requester, about.parameters) == (act, requester, parameters)
            if same and self._standing(one) in VOTABLE:
                return one.id
        return None

    def _eligible(self, found: Request) -> set[str]:
        """Return who may vote at this moment."""
        rule = self._rules.get(found.about.act)
        roles = set(found.about.roles) & set(found.about.roles if rule is None else rule.roles)
        return {
            one.name
            for one in self._tree.operators()
            if one.role in roles and not self._tree.holds(one.name)
        } - {found.about.requester}

    def _standing(self, found: Request) -> str:
        rule = self._rules.get(found.about.act)
        need = 0 if rule is None else rule.need
        eligible = self._eligible(found)
        return standing(found.about, found.ended, found.votes, eligible, need, now_us())

    def _in_state(self, found: Request, wanted: tuple[str, ...]) -> None:
        if (state := self._standing(found)) not in wanted:
            hint = f"`ringfence approval show {found.id}` tells who and when"
            raise ApprovalError(f"{found.id} is {state}", code="approval_state", hint=hint)

    def _shown(self, found: Request) -> dict[str, Any]:
        return {
            "id": found.id,
            "standing": self._standing(found),
            **json.loads(found.canonical),
            "votes": [
                {"voter": one.voter, "approves": one.approves, "time_us": one.time_us}
                for one in found.votes
            ],
        }

    def _tell(self, event: str, name: str, operator: str, who: str, **more: str | int) -> None:
        about: dict[str, str | int] = {"approval": name, "operator": operator, **more}
        self._record(event, about | ({"who": who} if who else {}))


def check_vote(found: Request, vote: Vote, eligible: set[str]) -> None:
    """Refuse a vote that its voter cannot give."""
    if vote.voter == found.about.requester:
        if vote.approves:
            hint = "others approve; rejecting withdraws it"
            raise ApprovalError("you asked for this yourself", code="approval_own", hint=hint)
    elif vote.voter not in eligible:
        hint = f"roles that may: {', '.join(found.about.roles)}"
        raise ApprovalError(f"{vote.voter} may not vote on this", code="approval_role", hint=hint)
    if any(one.voter == vote.voter for one in found.votes):
        hint = "one vote each, and it stands"
        raise ApprovalError(f"{vote.voter} has voted", code="approval_voted", hint=hint)
