"""Whether step-ups are asked for at all, and of whom: what a rule needs and what an operator gave.

Nobody has a second factor in the first minutes, and asking for one would only lock the owner out.
So they are asked for from the moment on when any operator has enrolled one, of every operator, for
good; with `admin.step_up: required`, before that as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ringfence.api.clock import now_us
from ringfence.config import Loaded
from ringfence.identity.factor import Factors
from ringfence.identity.stepup import May, require_step_up

__all__ = ["StepUps"]


@dataclass(frozen=True, slots=True)
class StepUps:
    """The judgement of one gateway. `required`: also before anybody has enrolled a factor."""

    factors: Factors
    required: bool = False

    @classmethod
    def of(cls, loaded: Loaded, factors: Factors) -> StepUps:
        """Return the judgement that a configuration wants."""
        return cls(factors, required=loaded.config.admin.step_up == "required")

    def asked(self) -> bool:
        """Tell whether step-ups are asked for."""
        return self.required or self.factors.ever()

    def require(self, operator: str | None, act: str, what: str = "") -> None:
        """Make sure that an operator may do `act` now; None: nobody that we know.

        Raises:
            StepUpError: a proof is missing, too old or too weak.
        """
        if not self.asked():
            return
        proof = None if operator is None else self.factors.step_up(operator)
        enrolled = () if operator is None else self.factors.kinds(operator)
        require_step_up(act, what, proof, now_us(), enrolled=enrolled)

    def may(self, operator: str | None) -> May:
        """Return `require` of one operator."""
        return partial(self.require, operator)
