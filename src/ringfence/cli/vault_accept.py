"""`ringfence vault accept`: what lies in the state folder is the newest, as the newest is lost."""

from __future__ import annotations

from typing import Any

from ringfence import config as configuration
from ringfence import engine
from ringfence.cli.attach import attached
from ringfence.cli.key import WhyOption
from ringfence.cli.say import DEFAULT_CONFIG, ConfigOption, JsonOption, say_json
from ringfence.cli.stopped import judge
from ringfence.cli.unlock import unlock
from ringfence.errors import SealError, VaultError

__all__ = ["accept"]


def accept(
    config: ConfigOption = DEFAULT_CONFIG, why: WhyOption = "", as_json: JsonOption = False
) -> None:
    """Take the venue keys and the seal that lie there for the newest, when those are lost."""
    from ringfence.api import AskedVault, VaultService
    from ringfence.api.seal import SealService
    from ringfence.identity import Vault
    from ringfence.identity.opened import key_files, laid
    from ringfence.identity.seal.folder import floor_of, open_folder, raised, sealing
    from ringfence.identity.seal.standing import SEAL, Standing

    with attached(config) as (folder, gateway, who):
        if gateway is not None:
            hint = "stop it first: while it runs, what it has is the newest"
            raise VaultError("a gateway runs, so nothing is lost", hint=hint)
        loaded = configuration.load(config)
        keys: list[dict[str, Any]] = []
        with (
            sealing(folder),
            open_folder(folder, unlock(loaded)) as opening,
            laid(loaded, opening) as state,
        ):
            alone = engine.Engine(state.snapshot()).event_alone
            standing = Standing.of(loaded, state.master).read()
            newest = standing.versions.get(SEAL, 0)
            if opening is None and newest:
                hint = "put keys/seal.json back, and the files that belong to it"
                said = "the folder lies in the clear, and the ledger has seen its seal"
                raise SealError(said, hint=hint, code="seal_rolled_back")
            may = judge(loaded, state.master)
            may("vault.put", "")
            if (path := loaded.vault()) is not None:
                vault = Vault(path, state.master, floor_of(folder))
                service = VaultService(vault, loaded, alone, standing=standing)
                keys = AskedVault(service, who, may).accept(why)
            if opening is not None and state.seal_version < newest:
                seal = SealService(alone, folder, standing)
                seal.accept(state.seal_version, newest, who, why)
                version = raised(folder, opening, newest, key_files(loaded))
                standing.tell(alone, {SEAL: version})
    if as_json:
        say_json(keys)
        return
    print(f"the vault holds {', '.join(one['name'] for one in keys) or 'nothing'}")
