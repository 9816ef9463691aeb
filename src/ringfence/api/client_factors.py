"""What a client of a running gateway asks about factors."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

__all__ = ["FactorClient"]


class FactorClient:
    """`Mfa` of a running gateway."""

    def _ask(self, method: str, target: str, body: dict[str, Any] | None = None) -> Any:
        """Send one request and return the answer; a client says how."""
        raise NotImplementedError

    def factors(self) -> dict[str, Any]:
        """Return one's own factors and last step-up."""
        found: dict[str, Any] = self._ask("GET", "/mfa")
        return found

    def begin_totp(self) -> dict[str, Any]:
        """Return a new secret, shown this once."""
        begun: dict[str, Any] = self._ask("POST", "/mfa/totp")
        return begun

    def confirm_totp(self, code: str) -> dict[str, Any]:
        """Put it in force."""
        found: dict[str, Any] = self._ask("POST", "/mfa/totp/confirm", {"code": code})
        return found

    def recovery_codes(self) -> list[str]:
        """Return ten new codes, shown this once."""
        codes: list[str] = self._ask("POST", "/mfa/recovery")
        return codes

    def remove_totp(self) -> dict[str, Any]:
        """Take one's codes out of force."""
        found: dict[str, Any] = self._ask("POST", "/mfa/totp/remove")
        return found

    def step_up(self, kind: str, code: str) -> dict[str, Any]:
        """Prove a factor."""
        found: dict[str, Any] = self._ask("POST", "/mfa/step-up", {"kind": kind, "code": code})
        return found

    def step_up_for(self, account: str, code: str) -> dict[str, Any]:
        """Prove a one-time code for what an account's keys are about to ask."""
        target = f"/mfa/accounts/{quote(account, safe='')}/step-up"
        found: dict[str, Any] = self._ask("POST", target, {"code": code})
        return found

    def reset_factors(self, name: str, why: str) -> dict[str, Any]:
        """Take another's factors away."""
        target = f"/mfa/{quote(name, safe='')}/reset"
        found: dict[str, Any] = self._ask("POST", target, {"why": why})
        return found

    def enrol_passkey(self, label: str) -> dict[str, Any]:
        """Return a link to the page that enrols a passkey."""
        opened: dict[str, Any] = self._ask("POST", "/mfa/passkeys", {"label": label})
        return opened

    def remove_passkey(self, label: str) -> dict[str, Any]:
        """Take a passkey out of force."""
        found: dict[str, Any] = self._ask("POST", "/mfa/passkeys/remove", {"label": label})
        return found

    def passkey_step_up(self, account: str | None) -> dict[str, Any]:
        """Return a link to the page where a passkey proves who is there, for an account perhaps."""
        target = "/mfa/passkeys/step-up"
        if account is not None:
            target = f"/mfa/accounts/{quote(account, safe='')}/passkey"
        opened: dict[str, Any] = self._ask("POST", target)
        return opened

    def link(self, name: str) -> dict[str, Any]:
        """Return what became of a link."""
        found: dict[str, Any] = self._ask("GET", f"/mfa/links/{quote(name, safe='')}")
        return found
