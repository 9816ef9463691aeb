"""Loads ringfence.yaml with everything that it names, and makes the engine's snapshot of it."""

from __future__ import annotations

import json
import os
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ringfence import engine
from ringfence.config.authority import own_names
from ringfence.config.cluster import Cluster
from ringfence.config.model import Config
from ringfence.config.policy import definition
from ringfence.config.problem import lines, nearest
from ringfence.config.text import Document, Place, read_document
from ringfence.config.upstream import Upstream
from ringfence.errors import ConfigError, EngineError, FileError

__all__ = ["ADMIN_DIALECT", "Loaded", "check", "encoded", "load", "shipped_dialects"]

ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Debian and Alpine; Fedora; SUSE; BSD and macOS."""

ADMIN_DIALECT = "ringfence-admin"
"""What a listener speaks that leads to the admin API instead of to the venue."""

Found = Iterator[tuple[Place, str]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid configuration, its file, and the dialects that its listeners name."""

    config: Config
    document: Document
    dialects: dict[str, Document]

    @property
    def folder(self) -> Path:
        """The state folder, absolute; relative paths start here."""
        return self.document.path.resolve().parent

    def path(self, text: str) -> str:
        """Return a path of the file as an absolute one."""
        return str(self.folder / text)

    def roots(self) -> str | None:
        """Return the PEM file of roots that the venue's certificate must lead to; None: no TLS."""
        return self._roots_of(self.config.upstream)

    def cluster_roots(self) -> str | None:
        """Return the PEM file of roots for the cluster's server; None: no TLS."""
        cluster = self.config.cluster
        return None if cluster is None else self._roots_of(cluster)

    def _roots_of(self, section: Upstream | Cluster) -> str | None:
        if section.ca is not None:
            return self.path(section.ca)
        return system_roots() if section.is_secure else None

    def store(self) -> Path | str:
        """Return where principals and credentials are: a file, or a URL that may hold a secret."""
        section = self.config.store
        if section.url is not None:
            return section.url.get_secret_value()
        return Path(self.path(section.file or "ringfence.db"))

    def vault(self) -> Path | None:
        """Return where the sealed venue keys lie; None: nothing is signed for a venue."""
        egress = self.config.egress
        return None if egress is None else Path(self.path(egress.vault))

    def venue_keys(self) -> set[str]:
        """Return the names of the venue keys that accounts use."""
        egress = self.config.egress
        if egress is None:
            return set()
        return {*egress.accounts.values(), *([egress.default] if egress.default else [])}

    def policies(self) -> dict[str, Any] | None:
        """Return the policies with their texts; None: only scopes decide.

        Raises:
            FileError: a file is not there or cannot be read.
        """
        policy = self.config.policy
        if policy is None:
            return None
        return definition(self.document.path.parent, policy.path)

    def issuers(self) -> list[dict[str, Any]]:
        """Return the issuers with their keys, as their files are now.

        Raises:
            ConfigError: a file is not there, or no JSON Web Key Set.
        """
        issuers = [issuer.model_dump(mode="json") for issuer in self.config.issuers]
        for issuer in issuers:
            issuer["keys"] = key_set(Path(self.path(issuer.pop("jwks"))))
        return issuers

    def administers(self) -> bool:
        """Tell whether a listener leads to the admin API."""
        return any(one.dialect == ADMIN_DIALECT for one in self.config.listeners)

    def snapshot(
        self, instead: Mapping[str, str] | None = None, admin: Mapping[str, Any] | None = None
    ) -> bytes:
        """Return what the engine takes, as JSON; see `content`."""
        return encoded(self.content(instead, admin))

    def content(
        self, instead: Mapping[str, str] | None = None, admin: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what the engine takes: absolute paths, dialects, policies and keys inlined.

        `instead` tells where to read a file that cannot be read where it lies; `admin` where the
        admin API is, once it is open.
        """
        other = instead or {}

        def lies(text: str) -> str:
            path = self.path(text)
            return other.get(os.path.normpath(path), path)

        content = self.config.model_dump(mode="json", by_alias=True)
        cluster = self.config.cluster
        content["dialects"] = {name: file.value for name, file in self.dialects.items()}
        content["attestation"]["issuer"] = self.config.attestation.issuer or self.config.node
        content["attestation"]["key"] = lies(self.config.attestation.key)
        for name in ("directory", "key"):
            content["ledger"][name] = lies(content["ledger"][name])
        # Nothing that the engine does.
        del content["ledger"]["retention"], content["ledger"]["publish"], content["watch"]
        del content["store"], content["keys"]
        del content["shards"]["pins"]
        # One cell is no cell: nothing is counted by it.
        content["shards"]["count"] = self.config.shards.engine_count()
        del content["withdrawals"]["lock_s"]
        content["admin"] = admin
        if content["cluster"] is not None:
            # Where it is may be a secret: that is for whoever starts the engine to add.
            del content["cluster"]["url"], content["cluster"]["nodes"]
            content["cluster"]["ca"] = self.cluster_roots()
        if content["egress"] is not None:
            del content["egress"]["vault"]
        content["budget"]["limits"] = [
            limit.content(cluster.nodes if cluster else None) for limit in self.config.budget.limits
        ]
        on_loss = content["freshness"].pop("on_loss") or "refuse"
        content["freshness"]["across"] = on_loss if self.config.freshness.is_shared else None
        content["policy"] = self.policies()
        content["issuers"] = self.issuers()
        content["upstream"]["ca"] = self.roots()
        for listener in content["listeners"]:
            tls = listener["tls"] or {}
            for name in ("certificate", "key", "client_ca"):
                if tls.get(name) is not None:
                    tls[name] = lies(tls[name])
            if listener["authorities"] is None:
                certificate = Path(tls["certificate"]) if tls else None
                listener["authorities"] = own_names(listener["address"], certificate)
        return content


def encoded(content: Mapping[str, Any]) -> bytes:
    """Return what the engine takes as the engine takes it."""
    return json.dumps(content, ensure_ascii=False).encode()


def load(path: Path) -> Loaded:
    """Read and check the configuration at `path`, without the engine's help.

    Raises:
        FileError: the file cannot be read.
        ConfigError: every problem found, as `file:line: field: what` lines.
    """
    document = read_document(path)
    try:
        config = Config.model_validate(document.value)
    except ValidationError as e:
        raise ConfigError(lines(document, e, Config)) from e
    loaded = Loaded(config, document, {})
    places = [*repeated(config), *absent(loaded), *named_dialects(loaded)]
    if places:
        places.sort(key=lambda found: document.line(found[0]))
        raise ConfigError([document.problem(place, what) for place, what in places])
    return loaded


def check(loaded: Loaded, instead: Mapping[str, str] | None = None) -> None:
    """Let the engine check the configuration too, without opening a socket.

    `instead`: as `Loaded.snapshot` takes it.

    Raises:
        ConfigError: what the engine refuses, at its line in the configuration or in the dialect.
    """
    problems = []
    for file in loaded.dialects.values():
        try:
            engine.check_dialect(file.value)
        except EngineError as e:
            problems.append(file.problem(placed(e.field), str(e)))
    problems.extend(policy_problems(loaded))
    if not problems:
        try:
            engine.check_snapshot(loaded.snapshot(instead))
        except EngineError as e:
            problems.append(loaded.document.problem(placed(e.field), str(e)))
    if problems:
        raise ConfigError(problems)


def policy_problems(loaded: Loaded) -> Iterator[str]:
    """Yield what is wrong with the policies, each with file, line and column."""
    try:
        policies = loaded.policies()
        if policies is not None:
            engine.PolicySet(policies)
    except FileError as e:
        yield loaded.document.problem(("policy", "path"), str(e))
    except EngineError as e:
        yield from str(e).splitlines()


def placed(field: str) -> Place:
    """Return the place that the engine calls `field`: `listeners[0].tls` or `routes[3]`."""
    parts = re.findall(r"[^.\[\]]+", field)
    return tuple(int(part) if part.isdecimal() else part for part in parts)


def shipped_dialects() -> dict[str, Path]:
    """Return the dialects that come with Ringfence, by name."""
    folder = Path(str(resources.files("ringfence"))) / "dialects"
    return {file.stem: file for file in sorted(folder.glob("*.yaml"))}


def system_roots() -> str | None:
    """Return the system's PEM file of roots, if it has one."""
    paths = ssl.get_default_verify_paths()
    said = os.environ.get(paths.openssl_cafile_env)
    for name in [said] if said else [paths.cafile, *ROOTS]:
        if name and Path(name).is_file():
            return name
    return None


def repeated(config: Config) -> Found:
    """Yield names that a list has twice."""
    lists: list[tuple[Place, str, Sequence[Any]]] = [
        (("listeners",), "name", config.listeners),
        (("issuers",), "name", config.issuers),
        (("budget", "limits"), "name", config.budget.limits),
        (("guard", "instruments"), "symbol", config.guard.instruments),
        (("guard", "instruments"), "code", config.guard.instruments),
        (("upstream", "websockets"), "path", config.upstream.websockets),
    ]
    for place, field, items in lists:
        seen: set[str] = set()
        for i, item in enumerate(items):
            name = getattr(item, field)
            if name is None:
                continue
            if name in seen:
                yield (*place, i, field), f"{name} is there twice; rename or remove one"
            seen.add(name)


def key_set(path: Path) -> list[Any]:
    """Return the keys of a JSON Web Key Set.

    Raises:
        ConfigError: the file is none.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as e:
        raise ConfigError([f"{path}: not a JSON Web Key Set: {e}"]) from e
    keys = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(keys, list):
        raise ConfigError([f'{path}: not a JSON Web Key Set: it has no list of "keys"'])
    return keys


def absent(loaded: Loaded) -> Found:
    """Yield files that are named and not there, and private keys that others may use."""
    config = loaded.config
    files: list[tuple[Place, str | None, str]] = [
        (("attestation", "key"), config.attestation.key, "`ringfence init` makes one"),
        (("ledger", "key"), config.ledger.key, "`ringfence init` makes one"),
        (("upstream", "ca"), config.upstream.ca, "name a PEM file of roots"),
    ]
    if config.cluster is not None:
        files.append((("cluster", "ca"), config.cluster.ca, "name a PEM file of roots"))
    for i, issuer in enumerate(config.issuers):
        hint = "name a JSON Web Key Set"
        files.append((("issuers", i, "jwks"), issuer.jwks, hint))
    for i, listener in enumerate(config.listeners):
        if listener.tls is not None:
            tls, hint = listener.tls, "name a PEM file"
            files.append((("listeners", i, "tls", "certificate"), tls.certificate, hint))
            files.append((("listeners", i, "tls", "key"), tls.key, hint))
            files.append((("listeners", i, "tls", "client_ca"), tls.client_ca, hint))
    if (pages := config.admin.pages) is not None and pages.tls is not None:
        under, hint = ("admin", "pages", "tls"), "name a PEM file"
        files.append(((*under, "certificate"), pages.tls.certificate, hint))
        files.append(((*under, "key"), pages.tls.key, hint))
    for place, text, hint in files:
        if text is None:
            continue
        path = Path(loaded.path(text))
        if not path.is_file():
            yield place, f"there is no file {path}; {hint}"
        elif place[-1] == "key" and path.stat().st_mode & 0o077:
            yield place, f"others than its owner may use {path}; chmod 600 it"
    if config.upstream.is_secure and loaded.roots() is None:
        yield ("upstream", "ca"), "is not set, and this system has no roots; name a PEM file"
    secure = config.cluster is not None and config.cluster.is_secure
    if secure and loaded.cluster_roots() is None:
        yield ("cluster", "ca"), "is not set, and this system has no roots; name a PEM file"


def named_dialects(loaded: Loaded) -> Found:
    """Fill `loaded.dialects` and yield those that cannot be read."""
    shipped = shipped_dialects()
    for i, listener in enumerate(loaded.config.listeners):
        name, place = listener.dialect, ("listeners", i, "dialect")
        is_path = "/" in name or name.endswith((".yaml", ".yml"))
        if not is_path and name not in shipped:
            yield place, f"no dialect {name} is shipped; {nearest(name, list(shipped))}"
            continue
        try:
            file = Path(loaded.path(name)) if is_path else shipped[name]
            loaded.dialects[name] = read_document(file)
        except (FileError, ConfigError) as e:
            yield place, f"cannot be used: {e}"
