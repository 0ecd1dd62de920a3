"""How large a film may be, checked before anything is decoded."""

from __future__ import annotations

from ..errors import InputRefused

__all__ = ["MAX_BYTES", "MAX_PIXELS", "MIN_SIDE", "check_bytes", "check_size"]

MAX_BYTES = 256 * 2**20
MAX_PIXELS = 64 * 2**20
"""More than twice the largest detector on sale; a film of this size takes about 1 GB while it is read."""

MIN_SIDE = 16


def check_bytes(data: bytes) -> None:
    """Raise InputRefused for a file that is too large."""
    if len(data) > MAX_BYTES:
        raise InputRefused(
            f"File of {len(data) / 2**20:.0f} MB: {MAX_BYTES / 2**20:.0f} MB are accepted. Give one film a file."
        )


def check_size(rows: int, columns: int) -> None:
    """Raise InputRefused for a film with too many or too few pixels."""
    if rows * columns > MAX_PIXELS:
        raise InputRefused(f"Image of {columns} x {rows} pixels: {MAX_PIXELS / 2**20:.0f} million pixels are accepted.")
    if min(rows, columns) < MIN_SIDE:
        raise InputRefused(f"Image of {columns} x {rows} pixels: at least {MIN_SIDE} a side are needed.")
