"""Patient Orientation: how an image lies in its file, and the pose that brings it to the convention.

A frontal chest radiograph is displayed with the patient's left on the image's right and the feet below: rows run to
the left, columns to the feet, ``L\\F`` (PS3.3 C.7.6.1.1.1). An image that differs is mirrored, turned, or both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = [
    "UPRIGHT",
    "Pose",
    "apply_pose",
    "describe_pose",
    "is_lateral_orientation",
    "pose_from_orientation",
    "posed_orientation",
    "remaining_pose",
]

_STEPS = {"L": (1, 0), "R": (-1, 0), "F": (0, 1), "H": (0, -1)}
_OPPOSITE = str.maketrans("LRAPHF", "RLPAFH")


@dataclass(frozen=True)
class Pose:
    """What is done to an image before it is shown and read.

    Attributes:
        mirrored: left and right are exchanged, first.
        quarter_turns: then it is turned clockwise by so many quarters, 0 to 3.
    """

    mirrored: bool = False
    quarter_turns: int = 0

    def __bool__(self) -> bool:
        return self.mirrored or self.quarter_turns != 0


UPRIGHT = Pose()


def pose_from_orientation(orientation: str) -> Pose | None:
    """Return the pose that brings an image of this Patient Orientation to ``L\\F``; None if the plane is not frontal.

    Of an oblique direction, such as ``LA``, the first letter counts: it is the principal one.
    """
    directions = orientation.split("\\")
    if len(directions) != 2 or any(direction[:1] not in _STEPS for direction in directions):
        return None
    across, down = (np.array(_STEPS[direction[0]]) for direction in directions)
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


def remaining_pose(orientation: str, applied: Pose) -> Pose | None:
    """Return :func:`pose_from_orientation` of an image to which a pose was applied since its header was written."""
    return pose_from_orientation(posed_orientation(orientation, applied))


def posed_orientation(orientation: str, applied: Pose) -> str:
    """Return the Patient Orientation of an image after a pose, or an empty string where it was not two directions."""
    directions = orientation.split("\\")
    if len(directions) != 2:
        return ""
    across, down = directions
    if applied.mirrored:
        across = across.translate(_OPPOSITE)
    for _ in range(applied.quarter_turns):
        across, down = down.translate(_OPPOSITE), across
    return f"{across}\\{down}"


def is_lateral_orientation(orientation: str) -> bool:
    """Return whether rows run to the patient's front or back: a lateral view."""
    directions = orientation.split("\\")
    return len(directions) == 2 and directions[0][:1] in "AP" and directions[1][:1] in "FH" and "" not in directions


def apply_pose(pixels: np.ndarray, pose: Pose) -> np.ndarray:
    """Return (rows, columns, ...) pixels mirrored and turned, as a view."""
    return np.rot90(pixels[:, ::-1] if pose.mirrored else pixels, -pose.quarter_turns)


def describe_pose(pose: Pose, by: str = "reader") -> tuple[str, ...]:
    """Return the transforms of an image that was mirrored or turned; ``by`` names who did it."""
    mirrored = (f"mirrored by the {by}: left and right exchanged",) if pose.mirrored else ()
    turned = (f"turned by the {by}: {90 * pose.quarter_turns} degrees clockwise",) if pose.quarter_turns else ()
    return (*mirrored, *turned)
