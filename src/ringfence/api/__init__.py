"""The admin API: what may be changed on a running gateway, and by whom it is asked.

`ringfence.api.server` is imported by `serve` only: commands start faster without a web framework.
"""

from __future__ import annotations

from ringfence.api.addresses import AddressBook, AddressService, AskedAddresses
from ringfence.api.approvals import ApprovalService
from ringfence.api.asked import Asked, Keys
from ringfence.api.client import Client
from ringfence.api.factors import FactorService
from ringfence.api.keys import KeyRules, KeyService, Successor
from ringfence.api.mfa import AskedFactors, Mfa
from ringfence.api.newkey import NewKey
from ringfence.api.operators import Operators, ensure_owner
from ringfence.api.policies import PolicyService
from ringfence.api.principals import NewPrincipal, PrincipalService
from ringfence.api.shards import AskedShards, ShardBook, ShardService
from ringfence.api.stepup import StepUps
from ringfence.api.vault import AskedVault, NewVenueKey, Vaults, VaultService
from ringfence.api.volumes import AskedVolumes, Volumes, VolumeService
from ringfence.api.where import Elsewhere, runs

__all__ = [
    "AddressBook",
    "AddressService",
    "ApprovalService",
    "Asked",
    "AskedAddresses",
    "AskedFactors",
    "AskedShards",
    "AskedVault",
    "AskedVolumes",
    "Client",
    "Elsewhere",
    "FactorService",
    "KeyRules",
    "KeyService",
    "Keys",
    "Mfa",
    "NewKey",
    "NewPrincipal",
    "NewVenueKey",
    "Operators",
    "PolicyService",
    "PrincipalService",
    "ShardBook",
    "ShardService",
    "StepUps",
    "Successor",
    "VaultService",
    "Vaults",
    "VolumeService",
    "Volumes",
    "ensure_owner",
    "runs",
]
