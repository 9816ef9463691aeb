"""A key encryption key in a hardware security module, which it never leaves.

Named by a URI of RFC 7512: `pkcs11:token=NAME;object=KEY?module-path=/usr/lib/….so`. The PIN comes
as a passphrase would. Source: PKCS#11 3.0, CKM_AES_GCM.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ringfence.errors import SealError
from ringfence.identity.seal.kek import wrong_key
from ringfence.identity.seal.unlock import Unlock, wiped

__all__ = ["Pkcs11Kek", "reach"]

NONCE_BYTES = 12
NAMES = ("token", "object")
OPEN: list[Pkcs11Kek] = []
"""Those whose sessions are open; a module that starts anew would end them."""


def parse(uri: str) -> tuple[str, str, Path]:
    """Return (token, object, module) of a URI.

    Raises:
        SealError: one is missing, or there is more.
    """
    path, _, query = uri.removeprefix("pkcs11:").partition("?")
    parts = [part.partition("=") for part in [*path.split(";"), *query.split("&")] if part]
    found = {name: unquote(value) for name, _, value in parts}
    hint = "pkcs11:token=NAME;object=KEY?module-path=/usr/lib/softhsm/libsofthsm2.so"
    if "pin-value" in found:
        said = "a PIN has no place in a URI, which everybody may read"
        raise SealError(said, hint="it is asked for, or comes by --unlock-file or --unlock-fd")
    if set(found) != {*NAMES, "module-path"} or len(parts) != len(found) or not all(found.values()):
        raise SealError("the URI does not name token, object and module-path alone", hint=hint)
    return found["token"], found["object"], Path(found["module-path"])


def check_module(module: Path) -> None:
    """Refuse a module that another user than root or this one could have written.

    Raises:
        SealError: it is not there, or others may write it.
    """
    try:
        found = module.stat()
    except OSError as e:
        said = f"there is no PKCS#11 module {module}: {e.strerror}"
        raise SealError(said, code="seal_locked") from None
    if found.st_uid not in (0, os.getuid()) or found.st_mode & 0o022:
        raise SealError(f"others may write the PKCS#11 module {module}", code="seal_locked")


def reach(uri: str, unlock: Unlock, *, make: bool = False) -> Pkcs11Kek:
    """Log in and find the key; `make`: it is generated in the module where there is none.

    Raises:
        SealError: module, token or key is not there, or the PIN is another.
    """
    token, label, module = parse(uri)
    check_module(module)
    with wiped(unlock.read("PIN")) as pin:
        session = logged_in(module, token, pin, make=make)
    return Pkcs11Kek(uri, session, key_of(session, label, make=make))


def logged_in(module: Path, name: str, pin: bytearray, *, make: bool) -> Any:
    """Return a session on a token.

    Raises:
        SealError: module or token is not there, or the PIN is another.
    """
    import pkcs11
    from pkcs11 import exceptions as told

    try:
        library = pkcs11.lib(str(module))
        if not OPEN:
            # Tokens that were plugged in or laid since the module was loaded are seen too.
            library.reinitialize()
        token = library.get_token(token_label=name)
        try:
            return token.open(rw=make, user_pin=pin.decode("utf-8", "replace"))
        except told.UserAlreadyLoggedIn:
            # By this process, for another key: a token knows one login of a process.
            return token.open(rw=make)
    except (told.NoSuchToken, told.TokenNotPresent, told.TokenNotRecognised):
        said, hint = f"there is no token {name} in {module}", "plug it in, or start its service"
        raise SealError(said, hint=hint, code="seal_locked") from None
    except (told.PinIncorrect, told.PinInvalid, told.PinLenRange, told.PinLocked) as e:
        said = f"the token {name} does not take the PIN: {type(e).__name__}"
        hint = "tokens lock themselves after a few wrong ones"
        raise SealError(said, hint=hint, code="seal_wrong_key") from None
    except (told.PKCS11Error, RuntimeError) as e:
        said = f"the module {module} does not work: {type(e).__name__}"
        raise SealError(said, code="seal_locked") from None


def key_of(session: Any, label: str, *, make: bool) -> Any:
    """Return the AES key of this label.

    Raises:
        SealError: there is none, there are several, or it cannot be made.
    """
    from pkcs11 import Attribute, KeyType, ObjectClass
    from pkcs11 import exceptions as told

    kinds = {"object_class": ObjectClass.SECRET_KEY, "key_type": KeyType.AES, "label": label}
    try:
        return session.get_key(**kinds)
    except told.NoSuchKey:
        if not make:
            session.close()
            said = f"the token has no AES key {label}"
            raise SealError(said, code="seal_locked") from None
    except told.MultipleObjectsReturned:
        session.close()
        raise SealError(f"the token has several keys {label}", code="seal_locked") from None
    template = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
    return session.generate_key(KeyType.AES, 256, label=label, store=True, template=template)


class Pkcs11Kek:
    """An AES key in a token, and the session that may use it."""

    def __init__(self, uri: str, session: Any, key: Any) -> None:
        """Take the session, which `close` ends."""
        self._uri = uri
        self._session = session
        self._key = key
        OPEN.append(self)

    def describe(self) -> dict[str, Any]:
        """As `Kek.describe`."""
        return {"kind": "pkcs11", "uri": self._uri}

    def wrap(self, key: bytearray, about: bytes) -> bytes:
        """As `Kek.wrap`."""
        from pkcs11 import GCMParams, Mechanism
        from pkcs11 import exceptions as told

        nonce = secrets.token_bytes(NONCE_BYTES)
        how = {"mechanism": Mechanism.AES_GCM, "mechanism_param": GCMParams(nonce, about)}
        try:
            return nonce + bytes(self._key.encrypt(bytes(key), **how))
        except told.PKCS11Error as e:
            said = f"the token does not encrypt with AES-GCM: {type(e).__name__}"
            raise SealError(said, code="seal_locked") from None

    def unwrap(self, wrapped: bytes, about: bytes) -> bytearray:
        """As `Kek.unwrap`."""
        from pkcs11 import GCMParams, Mechanism
        from pkcs11 import exceptions as told

        nonce, sealed = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
        how = {"mechanism": Mechanism.AES_GCM, "mechanism_param": GCMParams(nonce, about)}
        try:
            return bytearray(self._key.decrypt(sealed, **how))
        except (told.PKCS11Error, ValueError):
            # Modules differ in what they call a tag that does not fit.
            raise wrong_key("pkcs11 key") from None

    def close(self) -> None:
        """As `Kek.close`."""
        if self in OPEN:
            OPEN.remove(self)
            self._session.close()
