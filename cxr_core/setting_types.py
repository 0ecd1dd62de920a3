"""Types of settings that are written as text: lists, and keys."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

__all__ = ["Folders", "Names", "Networks", "StoreKey"]


def _split(separator: str) -> BeforeValidator:
    def split(value: object) -> object:
        return [name.strip() for name in value.split(separator) if name.strip()] if isinstance(value, str) else value

    return BeforeValidator(split)


def _store_key(value: object) -> object:
    """Return the 32 bytes of a key that is written in base64 (RFC 4648, either alphabet)."""
    if not isinstance(value, str):
        return value
    try:
        key = base64.b64decode(value.strip().replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 32:
        raise ValueError("must be 32 random bytes in base64, such as `openssl rand -base64 32` prints")
    return key


def _networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        ipaddress.ip_network(value)
    return values


Names = Annotated[tuple[str, ...], NoDecode, _split(",")]
"""Names separated by commas, or a list in the settings file."""

Networks = Annotated[tuple[str, ...], NoDecode, _split(","), AfterValidator(_networks)]
"""IP addresses and networks separated by commas, such as ``10.1.2.3,10.1.4.0/24``."""

Folders = Annotated[tuple[Path, ...], NoDecode, _split(os.pathsep)]
"""Folders, separated as in ``PATH``, or a list in the settings file."""

StoreKey = Annotated[bytes | None, BeforeValidator(_store_key)]
"""A key of 32 bytes in base64."""
