"""Which operator asks, and whether its role reaches so far, as `roles.yaml` says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import resources

import yaml

from ringfence.api.clock import now_us
from ringfence.api.person import login
from ringfence.errors import (
    InternalError,
    PrincipalExistsError,
    PrincipalMissingError,
    RoleError,
    StoreError,
)
from ringfence.identity.principal import Principal
from ringfence.identity.tree import Tree

__all__ = ["ENDPOINTS", "STEP_UP", "Operators", "ensure_owner"]


TABLE = yaml.safe_load((resources.files("ringfence") / "api" / "roles.yaml").read_bytes())
ENDPOINTS: Mapping[str, frozenset[str]] = {
    name: frozenset(roles) for name, roles in TABLE["endpoints"].items()
}
"""The roles of each endpoint, which is called `METHOD /path/{parameter}`."""
STEP_UP: Mapping[str, str] = TABLE["step_up"]
"""The act of `stepup.yaml` that an endpoint always is."""


STATUS = "GET /status"
UNHEARD = Principal("ringfence", "operator", 0, role="auditor")
"""Who runs the gateway, while the store cannot say who that is: it may see how the gateway is.

It could read all of that from the process.
"""


class Operators:
    """The operators in a store, and what their roles allow."""

    def __init__(self, tree: Tree) -> None:
        """Keep the store's tree."""
        self._tree = tree

    def check(self, asks: int | str, endpoint: str) -> Principal:
        """Return the operator that asks, if it may call `endpoint`.

        `asks` is the Unix user at the admin socket, or the principal that the engine attests.

        Raises:
            RoleError: it is none, it is out of use, or its role is none of the endpoint's.
        """
        try:
            found = self._tree.operator(asks) if isinstance(asks, int) else self._named(asks)
        except StoreError:
            if endpoint != STATUS or asks != os.geteuid():
                raise
            return UNHEARD
        if found is None:
            said = f"the user {login(asks)}" if isinstance(asks, int) else asks
            hint = "an owner adds one: `ringfence principal create NAME --kind operator`"
            raise RoleError(f"{said} is no operator", hint=hint)
        if found.state != "active" or self._tree.holds(found.name):
            hint = "an owner or admin resumes it: `ringfence principal resume`"
            raise RoleError(f"operator {found.name} is out of use", hint=hint)
        roles = ENDPOINTS.get(endpoint, frozenset())
        if found.role not in roles:
            hint = f"this needs one of: {', '.join(sorted(roles)) or 'nobody'}"
            raise RoleError(f"operator {found.name} is {found.role}: not allowed", hint=hint)
        return found

    def _named(self, name: str) -> Principal | None:
        """Return the operator of this name, if there is one."""
        try:
            found = self._tree.one(name)
        except PrincipalMissingError:
            return None
        return found if found.kind == "operator" else None

    def guards(self, asking: Principal, account: str) -> None:
        """Make sure that only an owner makes keys for operators.

        Whoever makes a key can be who it speaks for.
        Raises:
            RoleError: `account` is an operator, and who asks is not an owner.
        """
        if self._named(account) is not None and asking.role != "owner":
            hint = "this needs one of: owner"
            raise RoleError(f"operator {asking.name} is {asking.role}: not allowed", hint=hint)

    def knows(self, endpoint: str) -> None:
        """Make sure that an endpoint has roles.

        Raises:
            InternalError: it has none.
        """
        if not ENDPOINTS.get(endpoint):
            raise InternalError(f"the endpoint {endpoint} has no roles")


def ensure_owner(tree: Tree, uid: int) -> None:
    """Make the state folder's owner the first operator, where there is none yet."""
    if tree.operators():
        return
    name = f"operator.{login(uid)}"[:64]
    owner = Principal(name, "operator", now_us(), role="owner", uid=uid)
    try:
        tree.add(owner, "ringfence", "the state folder's owner")
    except PrincipalExistsError:
        # Another gateway on the same database was faster.
        return
