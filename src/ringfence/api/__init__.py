"""The admin API: what may be changed on a running gateway, and by whom it is asked.

`ringfence.api.server` is imported by `serve` only: commands start faster without a web framework.
"""

from __future__ import annotations

from ringfence.api.client import Client, runs
from ringfence.api.keys import Asked, Keys, KeyService, NewKey
from ringfence.api.vault import AskedVault, NewVenueKey, Vaults, VaultService
from ringfence.api.volumes import AskedVolumes, Volumes, VolumeService

__all__ = [
    "Asked",
    "AskedVault",
    "AskedVolumes",
    "Client",
    "KeyService",
    "Keys",
    "NewKey",
    "NewVenueKey",
    "VaultService",
    "Vaults",
    "VolumeService",
    "Volumes",
    "runs",
]
