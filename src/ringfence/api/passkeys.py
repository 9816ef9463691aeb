"""What operators do by passkey on the gateway's pages: enrol one, step up, approve, seal.

A command opens a link; the page behind it shows a statement and has the passkey sign its digest;
what is done then is what the statement says, and nothing the page sends could change it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from webauthn.helpers import bytes_to_base64url

from ringfence.api.approvals import ApprovalService
from ringfence.api.clock import now_us
from ringfence.api.factors import FactorService
from ringfence.api.links import Link, Links
from ringfence.api.operators import Operators
from ringfence.api.releasing import read_recipient, sealed_in, shown, stated
from ringfence.errors import ApprovalError, EngineError, FactorError
from ringfence.identity.factor import Challenges, Passkey, RelyingParty
from ringfence.identity.factor.answer import challenge_of, credential_id_of
from ringfence.identity.factor.statement import challenge_for, read_statement, statement
from ringfence.identity.seal.passkey import Way

__all__ = ["PasskeyService"]

PROVED = "step_up"
ENROL, ACCOUNT, APPROVE, SEAL = "enrol", "account", "approve", "seal"
ENDPOINTS = {
    ENROL: "POST /mfa/passkeys",
    PROVED: "POST /mfa/passkeys/step-up",
    ACCOUNT: "POST /mfa/accounts/{name}/passkey",
    APPROVE: "POST /approvals/{name}/approve",
    SEAL: "POST /seal/passkeys",
}
"""Whose roles a link of each kind needs, when it is opened and when it is used."""


class PasskeyService:
    """The passkeys of a gateway's operators, and its links."""

    def __init__(
        self,
        party: RelyingParty,
        factors: FactorService,
        approvals: ApprovalService,
        operators: Operators,
    ) -> None:
        """Keep what is needed. The first of the party's origins is where the pages are."""
        self._party = party
        self._factors = factors
        self._passkeys = factors.step_ups.factors.passkeys
        self._approvals = approvals
        self._operators = operators
        self._links = Links(party.origins[0], now_us)
        self._challenges = Challenges(now_us)
        self._finish: Mapping[str, Callable[[Link, dict[str, Any], bytes], str]] = {
            ENROL: self._enrolled,
            PROVED: self._proved,
            ACCOUNT: self._proved_for,
            APPROVE: self._approved,
            SEAL: self._released,
        }

    def enrol(self, operator: str, label: str, who: str) -> dict[str, Any]:
        """Return a link to the page that enrols a passkey.

        Raises:
            FactorError: `passkey_label`, `passkey_full`; `factor_first`.
            StepUpError: another factor is to be proved first, or nobody has admitted them.
        """
        self._factors.may_enrol(operator)
        self._passkeys.check_room(operator, label)
        return self._links.open(operator, ENROL, {"label": label}, who)

    def step_up(self, operator: str, who: str) -> dict[str, Any]:
        """Return a link to the page where a passkey proves who is there.

        Raises:
            FactorError: `passkey_missing`.
        """
        self._some(operator)
        return self._links.open(operator, PROVED, {}, who)

    def step_up_for(self, account: str, operator: str, who: str) -> dict[str, Any]:
        """Return a link to the same for what an account's keys are about to ask.

        Raises:
            PrincipalMissingError, PrincipalStateError, RunningError, FactorError.
        """
        self._factors.check_account(account)
        self._some(operator)
        return self._links.open(operator, ACCOUNT, {"account": account}, who)

    def approve(self, name: str, operator: str, who: str) -> dict[str, Any]:
        """Return a link to the page that shows a request and has it approved.

        Raises:
            ApprovalError: this operator cannot approve it.
            FactorError: `passkey_missing`.
        """
        self._approvals.votable(name, operator)
        self._some(operator)
        return self._links.open(operator, APPROVE, {"approval": name}, who)

    def seal(
        self, operator: str, recipient: str, inputs: Sequence[tuple[bytes, bytes, bytes]], who: str
    ) -> dict[str, Any]:
        """Return a link to the page where a passkey releases what will open the seal.

        `recipient` is the key of the command that waits; of each passkey that may, `inputs` has its
        id, what its PRF is to evaluate, and the salt.

        Raises:
            FactorError: `passkey_missing`: one is not this operator's; PageError: `page_request`.
        """
        known = {one.credential_id: one for one in self._passkeys.of(operator)}
        if not inputs or any(name not in known for name, _, _ in inputs):
            hint = "`ringfence mfa passkey list` shows yours"
            raise FactorError("this passkey is not yours", code="passkey_missing", hint=hint)
        ways = [Way(known[name], self._party.rp_id, given, salt) for name, given, salt in inputs]
        about = {"recipient": read_recipient(recipient), "ways": ways}
        return self._links.open(operator, SEAL, about, who)

    def released(self, name: str, operator: str) -> dict[str, Any]:
        """Return what a page of the seal was given, sealed to the command that opened its link.

        Raises:
            FactorError: `link_unknown`: also where nothing was released.
        """
        about = self._links.one(name, operator).about
        if "released" not in about:
            raise FactorError(
                "nothing was released", code="link_unknown", hint="use the link first"
            )
        found: dict[str, Any] = about["released"]
        return found

    def state(self, name: str, operator: str) -> dict[str, Any]:
        """Return what became of a link.

        Raises:
            FactorError: `link_unknown`.
        """
        return self._links.state(name, operator)

    def begin(self, token: str, browser: str | None) -> tuple[dict[str, Any], str | None]:
        """Return what the page of a link shows and asks the browser for.

        The second is what the browser is known by from now on, if that is new.

        Raises:
            FactorError: `link_unknown`; GatewayError: it may not be done any more.
        """
        link, fresh = self._links.claim(token, browser)
        self._operators.check(link.operator, ENDPOINTS[link.kind])
        text = self._statement(link)
        challenge = challenge_for(text)
        self._challenges.issue(link.operator, purpose(link), challenge, text)
        if link.kind == SEAL:
            return shown(self._party, text, link.about["ways"]), fresh
        known = self._passkeys.of(link.operator)
        if link.kind == ENROL:
            ids = [one.credential_id for one in known]
            options = self._party.registration(link.operator, challenge, ids)
        else:
            options = self._party.assertion(challenge, [])
            options["allowCredentials"] = [one.descriptor() for one in known]
        return {"kind": link.kind, "statement": text.decode(), "options": options}, fresh

    def finish(self, token: str, browser: str | None, answer: dict[str, Any]) -> dict[str, Any]:
        """Judge what the browser answered, and do what the statement says that it signed.

        Raises:
            FactorError: `link_unknown`, `challenge_unknown`, `passkey_refused`,
                `passkey_counter`, `passkey_missing`, `passkey_known`.
            GatewayError: it may not be done any more. Nothing is done then.
        """
        with self._links.using(token, browser) as link:
            self._operators.check(link.operator, ENDPOINTS[link.kind])
            try:
                value = challenge_of(answer)
                text = self._challenges.take(link.operator, purpose(link), value)
                link.said = self._finish[link.kind](link, answer, text)
            except FactorError as e:
                # Refused whether or not the ledger takes it.
                with suppress(EngineError):
                    about = {"kind": "passkey", "code": e.code}
                    self._factors.tell("factor.refused", link.operator, link.who, **about)
                raise
            return {"said": link.said}

    def _statement(self, link: Link) -> bytes:
        """Return a new statement of what a link is for."""
        gateway = self._factors.node
        match link.kind:
            case "enrol":
                return statement("passkey.enrol", link.operator, gateway, **link.about)
            case "approve":
                found = self._approvals.votable(link.about["approval"], link.operator)
                more = {"description": read_statement(found.canonical)}
                return statement("approval.approve", link.operator, gateway, **link.about, **more)
            case "seal":
                return stated("seal.add", link.operator, gateway, **link.about)
        return statement("step-up", link.operator, gateway, **link.about)

    def _enrolled(self, link: Link, answer: dict[str, Any], text: bytes) -> str:
        operator, label = link.operator, link.about["label"]
        self._factors.may_enrol(operator)
        made = self._party.enrolled(operator, label, answer, challenge_for(text), now_us())
        about = {"kind": "passkey", "passkey": made.short}
        self._passkeys.add(
            made, lambda: self._factors.tell("factor.enrolled", operator, link.who, **about)
        )
        # As the first code of an app is: whoever enrolled it verified themself just now.
        self._factors.keep(operator, "passkey")
        return f"the passkey {label} of {operator} is in force"

    def _proved(self, link: Link, answer: dict[str, Any], text: bytes) -> str:
        used = self._used(link, answer, text)
        self._factors.stepped_up(link.operator, link.who, "passkey", passkey=used.short)
        return f"{link.operator} has stepped up by passkey"

    def _proved_for(self, link: Link, answer: dict[str, Any], text: bytes) -> str:
        account = link.about["account"]
        self._factors.check_account(account)
        used = self._used(link, answer, text)
        self._factors.open_account(account, link.operator, link.who, "passkey", passkey=used.short)
        return f"{link.operator} has stepped up by passkey for {account}"

    def _approved(self, link: Link, answer: dict[str, Any], text: bytes) -> str:
        name = link.about["approval"]
        found = self._approvals.votable(name, link.operator)
        signed_for = read_statement(text)
        if signed_for["description"] != read_statement(found.canonical):
            said = f"{name} is not what the page showed"
            raise ApprovalError(said, code="approval_changed", hint="tell security")
        used = self._used(link, answer, text)
        # With the request's description, whoever reads the ledger can make the statement again.
        signed = {"passkey": used.short, "statement": hashlib.sha256(text).hexdigest()}
        signed["nonce"] = signed_for["nonce"]
        standing = self._approvals.vote(name, link.operator, True, link.who, **signed)["standing"]
        return f"the request {name} is {standing}"

    def _released(self, link: Link, answer: dict[str, Any], text: bytes) -> str:
        asked = credential_id_of(answer)
        if all(way.passkey.credential_id != asked for way in link.about["ways"]):
            hint = "use one of those that the page lists"
            raise FactorError("this passkey was not asked for", code="passkey_missing", hint=hint)
        sealed = sealed_in(answer)
        used = self._used(link, answer, text)
        named = bytes_to_base64url(used.credential_id)
        link.about["released"] = {
            "statement": text.decode(),
            "sealed": sealed,
            "credential_id": named,
            "rp_id": self._party.rp_id,
        }
        return f"the passkey {used.label} of {link.operator} has released its key to the command"

    def _used(self, link: Link, answer: dict[str, Any], text: bytes) -> Passkey:
        """Return the passkey that signed a statement, its counter kept."""
        challenge = challenge_for(text)
        return self._passkeys.use(
            link.operator,
            credential_id_of(answer),
            lambda kept: self._party.used(kept, answer, challenge),
            now_us(),
        )

    def _some(self, operator: str) -> None:
        """Make sure that an operator has a passkey.

        Raises:
            FactorError: `passkey_missing`.
        """
        if not self._passkeys.any(operator):
            hint = "`ringfence mfa passkey add` enrols one"
            raise FactorError(f"{operator} has no passkey", code="passkey_missing", hint=hint)


def purpose(link: Link) -> str:
    """Return what a challenge of a link is good for: this link alone."""
    return f"{link.kind}/{link.id}"
