"""What commands on a stopped gateway's folder ask of whoever runs them, as the admin API would."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringfence.config import Loaded
    from ringfence.identity import RootKey
    from ringfence.identity.stepup import May

__all__ = ["judge"]


def judge(loaded: Loaded, master: RootKey) -> May:
    """Return what judges the step-ups of whoever runs this process.

    Raises:
        StoreError: the store cannot be used.
    """
    from ringfence.api import StepUps, ensure_owner
    from ringfence.identity import Store
    from ringfence.identity.factor import Factors

    store = Store(loaded.store())
    ensure_owner(store.principals, loaded.folder.stat().st_uid)
    operator = store.principals.operator(os.getuid())
    judged = StepUps.of(loaded, Factors(store.database, master))
    return judged.may(None if operator is None else operator.name)
