"""Patient Orientation: which way round a picture is filed, and what brings it to the convention.

A frontal chest is shown with the patient's left on the image's right and the feet below: rows run to the left,
columns to the feet, ``L\\F`` (PS3.3 C.7.6.1.1.1). A picture that differs is turned, mirrored, or both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["UPRIGHT", "Pose", "pose_left", "pose_of", "pose_words", "posed", "runs_sideways"]

_STEPS = {"L": (1, 0), "R": (-1, 0), "F": (0, 1), "H": (0, -1)}


@dataclass(frozen=True)
class Pose:
    """What is done to a picture before it is shown and read.

    Attributes:
        mirrored: left and right are exchanged, first.
        quarter_turns: then it is turned clockwise by so many quarters, 0 to 3.
    """

    mirrored: bool = False
    quarter_turns: int = 0

    def __bool__(self) -> bool:
        return self.mirrored or self.quarter_turns != 0


UPRIGHT = Pose()


def pose_of(orientation: str) -> Pose | None:
    """Return what brings a picture with this Patient Orientation to ``L\\F``; None where it is no frontal plane.

    Of an oblique direction, such as ``LA``, the first letter counts: it is the principal one.
    """
    parts = orientation.split("\\")
    if len(parts) != 2 or any(part[:1] not in _STEPS for part in parts):
        return None
    across, down = (np.array(_STEPS[part[0]]) for part in parts)
    if across @ down:
        return None
    mirrored = bool(across[0] * down[1] - across[1] * down[0] < 0)
    if mirrored:
        across = -across
    # a clockwise quarter turn: what ran across runs down, what ran down runs against the rows
    for turns in range(4):
        if tuple(across) == _STEPS["L"] and tuple(down) == _STEPS["F"]:
            return Pose(mirrored, turns)
        across, down = -down, across
    return None


_OPPOSITE = str.maketrans("LRAPHF", "RLPAFH")


def pose_left(orientation: str, done: Pose) -> Pose | None:
    """Return :func:`pose_of` a picture that has been brought into another pose since its orientation was written."""
    parts = orientation.split("\\")
    if len(parts) != 2:
        return None
    across, down = parts
    if done.mirrored:
        across = across.translate(_OPPOSITE)
    for _ in range(done.quarter_turns):
        across, down = down.translate(_OPPOSITE), across
    return pose_of(f"{across}\\{down}")


def runs_sideways(orientation: str) -> bool:
    """Return whether rows run to the patient's front or back: a lateral view."""
    parts = orientation.split("\\")
    return len(parts) == 2 and parts[0][:1] in "AP" and parts[1][:1] in "FH" and "" not in parts


def posed(pixels: np.ndarray, pose: Pose) -> np.ndarray:
    """Return (rows, columns, ...) pixels mirrored and turned, as a view."""
    return np.rot90(pixels[:, ::-1] if pose.mirrored else pixels, -pose.quarter_turns)


def pose_words(pose: Pose, by: str = "reader") -> tuple[str, ...]:
    """Return the transforms of a picture that was mirrored or turned, in words that say by whom."""
    mirrored = (f"mirrored by the {by}: left and right exchanged",) if pose.mirrored else ()
    turned = (f"turned by the {by}: {90 * pose.quarter_turns} degrees clockwise",) if pose.quarter_turns else ()
    return (*mirrored, *turned)
