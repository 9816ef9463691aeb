"""What can go wrong on the Python side: flat classes, each with a stable `code` and a `hint`.

The message says what and which; the hint says what to do. Neither carries a secret.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "AddressError",
    "ApprovalError",
    "AttestationError",
    "BanError",
    "ClusterError",
    "ConfigError",
    "DerivationError",
    "DialectMissingError",
    "EngineError",
    "ExportError",
    "FactorError",
    "FileError",
    "GatewayError",
    "InternalError",
    "KeyExistsError",
    "KeyMissingError",
    "KeyStateError",
    "KeyTextError",
    "LedgerError",
    "MessageError",
    "PageError",
    "PolicyError",
    "PolicyForbidsError",
    "PrincipalExistsError",
    "PrincipalMissingError",
    "PrincipalStateError",
    "PropertyError",
    "RequestError",
    "RoleError",
    "RunningError",
    "SealError",
    "ShardError",
    "StepUpError",
    "StoreError",
    "TerminalError",
    "VaultError",
    "WitnessError",
]


class GatewayError(Exception):
    """A failure that has a name. Only subclasses are raised."""

    code = "internal"
    hint = ""

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        """Keep `message`; `hint` and `code` replace the class's own where one call knows better."""
        super().__init__(message)
        if hint is not None:
            self.hint = hint
        if code is not None:
            self.code = code


class AddressError(GatewayError):
    """A withdrawal address is not there, is there already, or is not what was added.

    Codes: `address_unknown`, `address_exists`, `address_changed`, and `address_invalid` for text
    that cannot be one.
    """

    code = "address_unknown"
    hint = "`ringfence address list` shows the ids"


class ApprovalError(GatewayError):
    """Something needs others to approve it, or a vote or an execution of it is refused."""

    code = "approval_required"
    hint = "`ringfence approval list` shows what was asked for"


class AttestationError(GatewayError):
    """A request at the engine's end of the admin API that the engine did not send."""

    code = "attestation_invalid"
    hint = "ask the listener of the dialect ringfence-admin, and sign the request"


class BanError(GatewayError):
    """There is no such ban."""

    code = "ban_unknown"
    hint = "`ringfence ban list` shows the bans in force"


class ClusterError(GatewayError):
    """The server between gateways does not answer, or has what none of them said.

    Codes: `cluster_failed`, and `cluster_forged` for what is not sealed by one of the cluster.
    """

    code = "cluster_failed"
    hint = "`ringfence status` shows whether it is reached"


class ConfigError(GatewayError):
    """The configuration is wrong. `problems` are `file:line: field: what` lines, in file order."""

    code = "config_invalid"
    hint = "correct the lines named above; `ringfence check FILE` tells when all is well"

    def __init__(self, problems: list[str], *, hint: str | None = None) -> None:
        """Keep every problem, so that one run shows them all."""
        super().__init__("\n".join(problems), hint=hint)
        self.problems = problems


class DerivationError(GatewayError):
    """A key cannot be derived so."""

    code = "derivation_refused"
    hint = "paths are hardened throughout, and indices are 0' to 2147483647'"


class DialectMissingError(GatewayError):
    """No dialect of this name is shipped."""

    code = "dialect_unknown"
    hint = "`ringfence dialect list` shows the names"


class EngineError(GatewayError):
    """The native engine refused; its own code and sentence are passed on.

    `field` is the path of the field concerned, such as `routes[3].operation`, or empty.
    """

    code = "engine_failed"
    hint = "`ringfence check FILE` tells what the engine makes of a configuration"

    def __init__(
        self, message: str, *, hint: str | None = None, code: str | None = None, field: str = ""
    ) -> None:
        """Keep what the engine said."""
        super().__init__(message, hint=hint, code=code)
        self.field = field


class ExportError(GatewayError):
    """What leaves one vault for another is refused, going out or coming in.

    Codes: `export_changed` (it is not what was approved), `export_damaged`, `export_expired`,
    `export_recipient` (it is sealed to another key), `export_there` (it is here already),
    `export_unconfirmed` (nobody says that it is what was sent), and `export_failed` for all else.
    """

    code = "export_failed"
    hint = "nothing was written; docs/vault.md has the steps of an export"


class FactorError(GatewayError):
    """A passkey, one-time code or recovery code is refused. Its code says which and why."""

    code = "factor_refused"
    hint = "begin again, with a factor that is enrolled for you"


class FileError(GatewayError):
    """A file or folder cannot be read or written."""

    code = "file_failed"
    hint = "check that the path exists and that this user may use it"


class MessageError(GatewayError):
    """A captured message cannot be tested."""

    code = "message_unusable"
    hint = "give a request as it stood on the wire, or a WebSocket message in JSON"


class PrincipalExistsError(GatewayError):
    """A principal of this name exists already."""

    code = "principal_exists"
    hint = "names are never used twice; choose another"


class PrincipalMissingError(GatewayError):
    """No principal has this name."""

    code = "principal_unknown"
    hint = "`ringfence principal list` shows the names"


class PrincipalStateError(GatewayError):
    """A principal is not, or cannot be, where something needs it to be."""

    code = "principal_state"
    hint = "`ringfence principal show NAME` tells where it stands"


class RequestError(GatewayError):
    """A request to the admin API that no endpoint takes."""

    code = "request_invalid"
    hint = "GET /openapi.json on the admin socket says what every endpoint takes and answers"


class RoleError(GatewayError):
    """Whoever asks is no operator, or one whose role does not reach so far."""

    code = "role_missing"
    hint = "ask an operator whose role allows it"


class StepUpError(GatewayError):
    """Something needs a fresh proof of who asks: of `strengths`, and at most `max_age_s` old.

    RFC 9470 calls them acr_values and max_age.
    """

    code = "step_up_required"
    hint = "`ringfence mfa step-up`, then ask again; what only takes rights away needs none"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        max_age_s: int = 0,
        strengths: Sequence[str] = (),
    ) -> None:
        """Keep what is wanted: any of `strengths`, weakest first."""
        super().__init__(message, hint=hint, code=code)
        self.max_age_s = max_age_s
        self.strengths = tuple(strengths)


class InternalError(GatewayError):
    """A defect of ours that reached the top."""

    code = "internal"
    hint = "run again with RINGFENCE_DEBUG=1 to see where, and report it"


class KeyExistsError(GatewayError):
    """A credential of this id exists already."""

    code = "key_exists"
    hint = "leave --key-id out to get a fresh one; ids are never used twice"


class KeyMissingError(GatewayError):
    """No credential has this id."""

    code = "key_unknown"
    hint = "`ringfence key list` shows the ids"


class KeyStateError(GatewayError):
    """The credential cannot go from its state to the asked one."""

    code = "key_state"
    hint = "`ringfence key show KEY` tells where it stands"


class KeyTextError(GatewayError):
    """A credential's account, scope, address, expiry or public key cannot be read."""

    code = "key_invalid"
    hint = "`ringfence key create --help` says what can be given"


class LedgerError(GatewayError):
    """The ledger is not what it should be, or cannot be read."""

    code = "ledger_invalid"
    hint = "keep a copy of the folder as it is; a gateway that is started on it refuses orders"


class PageError(GatewayError):
    """A request that none of the gateway's own pages made, or for a page that is not there."""

    code = "page_origin"
    hint = "open the link as the command printed it, in a browser of its own tab"


class PolicyError(GatewayError):
    """A policy, or a table of requests that tests policies, is wrong."""

    code = "policy_invalid"
    hint = "docs/policy.md has examples; `ringfence policy show --schema` lists the words"


class PolicyForbidsError(GatewayError):
    """The policies in force do not permit what an operator asks."""

    code = "policy_forbids"
    hint = (
        "`ringfence policy show` has them; a fresh `ringfence mfa step-up` may be what is missing"
    )


class PropertyError(GatewayError):
    """A property cannot be read, or not be proved either way."""

    code = "property_invalid"
    hint = "docs/policy.md says what can be proved; `ringfence policy prove --list` has examples"


class RunningError(GatewayError):
    """A gateway runs that should not, or the running one does not answer."""

    code = "gateway_running"
    hint = "`ringfence status` tells whether one runs"


class SealError(GatewayError):
    """The state folder's keys are sealed and cannot be opened, or cannot be sealed as asked.

    Codes: `seal_locked` (what opens it is not within reach), `seal_wrong_key`, `seal_damaged`,
    `seal_rolled_back`, and `seal_failed` for all else.
    """

    code = "seal_failed"
    hint = "nothing was written; `ringfence vault status` tells what opens the folder"


class ShardError(GatewayError):
    """A shard that this gateway does not have.

    Codes: `shards_off` (it has none), `shard_unknown` (not this one), and `shard_other`: a secret
    that stands in another one than this gateway's.
    """

    code = "shard_other"
    hint = "ask the gateway that has the master key, or the one that has that shard"


class StoreError(GatewayError):
    """The credential store cannot be used."""

    code = "store_failed"
    hint = "`ringfence init` lays a state folder; its ringfence.db must be readable and writable"


class TerminalError(GatewayError):
    """What draws was not started on a terminal."""

    code = "terminal_missing"
    hint = "`--once` prints one picture, `--json` its numbers"


class VaultError(GatewayError):
    """The vault with the venue keys cannot be opened, or not take what was asked."""

    code = "vault_failed"
    hint = "nothing was written; put the file or the master key back that belong together"


class WitnessError(GatewayError):
    """A witness cannot work, cannot be reached, or refuses to cosign."""

    code = "witness_failed"
    hint = "`ringfence witness serve` must run there and know this log"
