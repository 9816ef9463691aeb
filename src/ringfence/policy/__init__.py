"""What is done with policies outside the way of messages: reviewed, tested, proved."""

from __future__ import annotations

from ringfence.policy.property import Property, read_property, shipped_properties
from ringfence.policy.table import Case, Outcome, read_table, run_table

__all__ = [
    "Case",
    "Outcome",
    "Property",
    "read_property",
    "read_table",
    "run_table",
    "shipped_properties",
]
