"""Authenticated encryption of what is stored, where the setting ``store_key`` is set: AES-256-GCM.

What was stored before a key was set stays as it is, and is read. Each text or file is bound to what it belongs to, so
that one cannot be put in the place of another. While the key is changed, what the one of the setting
``store_key_previous`` has encrypted is read as well (:mod:`.rekeying`).

Source: NIST SP 800-38D; with random nonces of 96 bits at most 2^32 messages per key (section 8.3).
"""

from __future__ import annotations

import base64
import os

from ..errors import PathUnusable
from ..settings import settings

__all__ = ["open_bytes", "open_text", "reseal_bytes", "reseal_text", "seal_bytes", "seal_text"]

_MARK = b"second-read sealed 1\n"
"""Begins sealed bytes; no image file and no JSON begins so."""

_TEXT_MARK = "sealed-1:"
_NONCE_BYTES = 12


def seal_bytes(data: bytes, purpose: str) -> bytes:
    """Return data encrypted, or as they are where no key is set.

    Args:
        data: what is stored.
        purpose: what they belong to, such as ``image`` and its digest; needed to open them.
    """
    key = settings().store_key
    if key is None:
        return data
    # imported here, since most installations have no key
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE_BYTES)
    return _MARK + nonce + AESGCM(key).encrypt(nonce, data, purpose.encode())


def open_bytes(data: bytes, purpose: str) -> bytes:
    """Return what :func:`seal_bytes` was given.

    Raises PathUnusable where the key is missing or another one, or the data were changed or belong elsewhere.
    """
    if not data.startswith(_MARK):
        return data
    keys = [key for key in (settings().store_key, settings().store_key_previous) if key is not None]
    if not keys:
        raise PathUnusable("What is stored is encrypted. Set SECOND_READ_STORE_KEY to the key it was stored with.")
    for key in keys:
        opened = _decrypted(data, purpose, key)
        if opened is not None:
            return opened
    both = " and SECOND_READ_STORE_KEY_PREVIOUS" if settings().store_key_previous else ""
    raise PathUnusable(
        f"What is stored was changed, or encrypted with another key than that of SECOND_READ_STORE_KEY{both}."
    )


def _decrypted(data: bytes, purpose: str, key: bytes) -> bytes | None:
    """Return what sealed bytes hold, or None where another key sealed them, or for another purpose."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce, sealed = data[len(_MARK) :][:_NONCE_BYTES], data[len(_MARK) + _NONCE_BYTES :]
    try:
        return AESGCM(key).decrypt(nonce, sealed, purpose.encode())
    except (InvalidTag, ValueError):
        return None


def reseal_bytes(data: bytes, purpose: str) -> bytes | None:
    """Return stored data encrypted with the key of the setting, or None where they are already.

    Raises as :func:`open_bytes`.
    """
    key = settings().store_key
    if key is not None and data.startswith(_MARK) and _decrypted(data, purpose, key) is not None:
        return None
    return seal_bytes(open_bytes(data, purpose), purpose)


def seal_text(text: str, purpose: str) -> str:
    """Return a text encrypted, in base64, or as it is where no key is set; raises as :func:`seal_bytes`."""
    sealed = seal_bytes(text.encode(), purpose)
    return _TEXT_MARK + base64.b64encode(sealed).decode("ascii") if sealed.startswith(_MARK) else text


def open_text(text: str, purpose: str) -> str:
    """Return what :func:`seal_text` was given; raises as :func:`open_bytes`."""
    if not text.startswith(_TEXT_MARK):
        return text
    return open_bytes(_sealed(text), purpose).decode()


def reseal_text(text: str, purpose: str) -> str | None:
    """Return a stored text encrypted with the key of the setting, or None where it is already.

    Raises as :func:`open_bytes`.
    """
    key = settings().store_key
    if key is not None and text.startswith(_TEXT_MARK) and _decrypted(_sealed(text), purpose, key) is not None:
        return None
    return seal_text(open_text(text, purpose), purpose)


def _sealed(text: str) -> bytes:
    """Return the sealed bytes of a sealed text."""
    try:
        sealed = base64.b64decode(text.removeprefix(_TEXT_MARK), validate=True)
    except ValueError:
        # no base64: not what was sealed
        sealed = _MARK
    # without its mark it would be taken for bytes that were stored without a key
    return sealed if sealed.startswith(_MARK) else _MARK
