"""The gate's verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .orientation import UPRIGHT, Pose

__all__ = ["Quality", "Status"]

Status = Literal["ok", "warning", "refused"]


@dataclass(frozen=True)
class Quality:
    """Whether the film may be read, and the reasons to distrust the reading.

    ``override`` is the reason that a user gave for reading a refused film, else None. ``turned`` says by
    how many degrees, counter-clockwise, the film looks turned: 0, 90, 180 or 270. ``notes`` are what is merely
    unknown, which speaks neither for nor against the reading. ``pose`` is what would bring the picture the right way
    round by the header's Patient Orientation; nothing where the header does not say or agrees. ``scalable`` says that a
    table of the file reaches only a small part of its declared range, so that the picture is shown nearly black.
    """

    status: Status = "ok"
    reasons: tuple[str, ...] = ()
    override: str | None = None
    turned: int = 0
    notes: tuple[str, ...] = ()
    pose: Pose = UPRIGHT
    scalable: bool = False
