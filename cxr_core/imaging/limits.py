"""How large a film may be, checked before anything is decoded."""

from __future__ import annotations

from ..errors import InputRefused
from ..settings import settings

__all__ = ["MIN_SIDE", "check_bytes", "check_size"]

MIN_SIDE = 16


def check_bytes(data: bytes) -> None:
    """Raise InputRefused for a file that is larger than the setting ``max_file_mb``."""
    most = settings().max_file_mb
    if len(data) > most * 10**6:
        raise InputRefused(f"File of {len(data) / 1e6:.0f} MB: {most} MB are accepted. Give one film a file.")


def check_size(rows: int, columns: int) -> None:
    """Raise InputRefused for a film of too few pixels, or of more than the setting ``max_megapixels``."""
    most = settings().max_megapixels
    if rows * columns > most * 10**6:
        raise InputRefused(f"Image of {columns} x {rows} pixels: {most} million pixels are accepted.")
    if min(rows, columns) < MIN_SIDE:
        raise InputRefused(f"Image of {columns} x {rows} pixels: at least {MIN_SIDE} a side are needed.")
