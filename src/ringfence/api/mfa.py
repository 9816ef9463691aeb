"""What commands do with the factors of who asks: at a running gateway, or in this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ringfence.api.factors import FactorService
from ringfence.errors import RunningError

__all__ = ["AskedFactors", "Mfa"]


class Mfa(Protocol):
    """The factors of who asks; `FactorService` says what each does and refuses."""

    def factors(self) -> dict[str, Any]:
        """Return what is enrolled, and the last step-up."""
        ...

    def begin_totp(self) -> dict[str, Any]:
        """Return a new secret, shown this once."""
        ...

    def confirm_totp(self, code: str) -> dict[str, Any]:
        """Put it in force."""
        ...

    def recovery_codes(self) -> list[str]:
        """Return ten new codes, shown this once."""
        ...

    def remove_totp(self) -> dict[str, Any]:
        """Take the codes out of force."""
        ...

    def step_up(self, kind: str, code: str) -> dict[str, Any]:
        """Prove a factor."""
        ...

    def step_up_for(self, account: str, code: str) -> dict[str, Any]:
        """Prove a one-time code for what an account's keys are about to ask."""
        ...

    def reset_factors(self, name: str, why: str) -> dict[str, Any]:
        """Take another's factors away."""
        ...

    def enrol_passkey(self, label: str) -> dict[str, Any]:
        """Return a link to the page that enrols a passkey."""
        ...

    def remove_passkey(self, label: str) -> dict[str, Any]:
        """Take a passkey out of force."""
        ...

    def passkey_step_up(self, account: str | None) -> dict[str, Any]:
        """Return a link to the page where a passkey proves who is there, for an account perhaps."""
        ...

    def link(self, name: str) -> dict[str, Any]:
        """Return what became of a link."""
        ...


@dataclass(frozen=True, slots=True)
class AskedFactors:
    """`Mfa` of a service in this process, while no gateway runs."""

    service: FactorService
    operator: str
    who: str

    def factors(self) -> dict[str, Any]:
        """As `FactorService.shown`."""
        return self.service.shown(self.operator)

    def begin_totp(self) -> dict[str, Any]:
        """As `FactorService.begin_totp`."""
        return self.service.begin_totp(self.operator)

    def confirm_totp(self, code: str) -> dict[str, Any]:
        """As `FactorService.confirm_totp`."""
        return self.service.confirm_totp(self.operator, code, self.who)

    def recovery_codes(self) -> list[str]:
        """As `FactorService.recovery_codes`, after the step-up that it needs."""
        self.service.step_ups.require(self.operator, "factor.change")
        return self.service.recovery_codes(self.operator, self.who)

    def remove_totp(self) -> dict[str, Any]:
        """As `FactorService.remove_totp`, after the step-up that it needs."""
        self.service.step_ups.require(self.operator, "factor.change")
        return self.service.remove_totp(self.operator, self.who)

    def step_up(self, kind: str, code: str) -> dict[str, Any]:
        """As `FactorService.step_up`."""
        return self.service.step_up(self.operator, kind, code, self.who)

    def step_up_for(self, account: str, code: str) -> dict[str, Any]:
        """As `FactorService.step_up_for`."""
        return self.service.step_up_for(account, self.operator, code, self.who)

    def reset_factors(self, name: str, why: str) -> dict[str, Any]:
        """As `FactorService.reset`: whoever has the folder has its master key, too."""
        return self.service.reset(name, why, self.who, None)

    def enrol_passkey(self, label: str) -> dict[str, Any]:
        """Refuse: the page is a running gateway's."""
        raise no_page(f"{label!r} cannot be enrolled")

    def remove_passkey(self, label: str) -> dict[str, Any]:
        """As `FactorService.remove_passkey`, after the step-up that it needs."""
        self.service.step_ups.require(self.operator, "factor.change")
        return self.service.remove_passkey(self.operator, label, self.who)

    def passkey_step_up(self, account: str | None) -> dict[str, Any]:
        """Refuse: the page is a running gateway's."""
        raise no_page(f"no passkey can be shown for {account or self.operator}")

    def link(self, name: str) -> dict[str, Any]:
        """Refuse: there are none."""
        raise no_page(f"there is no link {name}")


def no_page(what: str) -> RunningError:
    """Return the refusal of what needs a page while no gateway runs."""
    hint = "start it: a passkey is shown on a page of the gateway (`admin.pages`)"
    return RunningError(f"{what}: no gateway runs", hint=hint, code="gateway_down")
