"""How an approved act is done: the same services, with the parameters that were approved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ringfence.api.addresses import AddressService
from ringfence.api.approvals import Perform
from ringfence.api.export_files import ExportFiles
from ringfence.api.factors import FactorService
from ringfence.api.keys import KeyService, Successor
from ringfence.api.newkey import NewKey
from ringfence.api.policies import PolicyService
from ringfence.api.principals import NewPrincipal, PrincipalService
from ringfence.errors import ExportError, PolicyError
from ringfence.identity.address import NewAddress

__all__ = ["performers"]

Parameters = dict[str, Any]


def performers(
    keys: KeyService,
    factors: FactorService,
    addresses: AddressService,
    policies: PolicyService | None = None,
    files: ExportFiles | None = None,
) -> Mapping[str, Perform]:
    """Return what does each act that can need approval."""

    def create(of: Parameters, who: str, by: tuple[str, ...]) -> Parameters:
        return keys.create(NewKey(**of), who, by)

    def rotate(of: Parameters, who: str, _by: tuple[str, ...]) -> Parameters:
        about = {name: value for name, value in of.items() if name not in ("of", "scopes")}
        return keys.rotate(of["of"], Successor(**about), who)

    def scope(of: Parameters, who: str, by: tuple[str, ...]) -> Parameters:
        return keys.rescope(of["of"], of["scopes"], of["why"], who, permitted, by)

    def expire(of: Parameters, who: str, by: tuple[str, ...]) -> Parameters:
        return keys.expire(of["of"], of["expires_us"], of["why"], who, permitted, by)

    def operator(of: Parameters, who: str, by: tuple[str, ...]) -> Parameters:
        made = PrincipalService(keys).create(NewPrincipal(**of), who, by)
        factors.admit(of["name"])
        return made

    def reset(of: Parameters, who: str, _by: tuple[str, ...]) -> Parameters:
        return factors.reset(of["of"], of["why"], who, None)

    def address(of: Parameters, who: str, by: tuple[str, ...]) -> Parameters:
        return addresses.add(NewAddress(**of), who, by)

    def load(of: Parameters, who: str, by: tuple[str, ...]) -> Parameters:
        if policies is None:
            raise PolicyError("this gateway has no policies")
        return policies.load(of["why"], who, of["sha256"], by)

    def move(of: Parameters, who: str, by: tuple[str, ...]) -> Parameters:
        return PrincipalService(keys).move(of["of"], of["parent"], of["why"], who, by)

    def export(of: Parameters, who: str, by: tuple[str, ...]) -> Parameters:
        if files is None:
            raise ExportError("this gateway exports nothing")
        return files.make(of, who, by)

    return {
        "vault.export": export,
        "principal.move": move,
        "policy.load": load,
        "address.add": address,
        "key.create": create,
        "key.rotate": rotate,
        "key.scope": scope,
        "key.expire": expire,
        "operator.create": operator,
        "factor.reset": reset,
    }


def permitted(_act: str, _what: str) -> None:
    """Let an act pass: who executes it has stepped up, and others have approved it."""
