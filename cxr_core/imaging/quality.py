"""The gate's verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Quality", "Status"]

Status = Literal["ok", "warning", "refused"]


@dataclass(frozen=True)
class Quality:
    """Whether the film may be read, and the reasons to distrust the reading.

    ``override`` is the reason that a user gave for reading a refused film, else None. ``turned`` says by
    how many degrees, counter-clockwise, the film looks turned: 0, 90, 180 or 270.
    """

    status: Status = "ok"
    reasons: tuple[str, ...] = ()
    override: str | None = None
    turned: int = 0
