"""Whether who asks has just proved again who they are.

One question for all that needs it. Nothing can answer it yet, so the answer is no.
"""

from __future__ import annotations

from ringfence.errors import StepUpError

__all__ = ["require_step_up"]


def require_step_up(who: str, act: str) -> None:
    """Make sure that `who` has a fresh proof for `act`.

    Raises:
        StepUpError: there is none. What needs it stays undone.
    """
    raise StepUpError(f"{act} needs a step-up of {who}")
