"""Boxes that readers drew, and where a model's maps point beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import PathUnusable
from ..gunzip import open_unpacked
from ..imaging import Placement
from ..labels import LABELS
from ..metrics import Estimate, Look, look_at, overlap_of, pointing_game_of
from ..store import Localisation

__all__ = ["ALL_BOXES", "BOX_SIDE", "THRESHOLDS", "BoxNumbers", "box_numbers", "look_at_boxes", "read_boxes"]

BOX_SIDE = 1024
"""NIH's boxes are in pixels of pictures of 1024 x 1024; a film of another size is that picture, scaled."""

THRESHOLDS = tuple(tenth / 10 for tenth in range(1, 10))
"""Of what is drawn in full colour for the label: the same on every film, as on the screen."""

ALL_BOXES = "All boxed labels"

Boxes = Mapping[str, Mapping[str, NDArray[np.float64]]]
"""Image name to label to (k, 4) left, top, right, bottom, in pixels of NIH's pictures."""

_COLUMNS = ("Image Index", "Finding Label")
_ALSO_CALLED = {"Infiltrate": "Infiltration"}


@dataclass(frozen=True)
class BoxNumbers:
    """Whether the maps of a label point at what was boxed.

    Attributes:
        boxed: films with a box of the label.
        blank: of these, maps without a strongest cell.
        hit_rate: of films whose strongest cell lies in a box.
        centre_hit_rate: the same for the centre of the map, whatever the film: what a map has to beat.
        gain: the one less the other on the same films.
        thresholds: as shares of full colour.
        overlap: mean intersection over union of what is marked and the boxes, for each threshold.
        centre_overlap: the same for a rectangle in the centre, as large as what is marked.
    """

    boxed: int
    blank: int
    hit_rate: Estimate
    centre_hit_rate: Estimate
    gain: Estimate
    thresholds: tuple[float, ...]
    overlap: tuple[Estimate, ...]
    centre_overlap: tuple[Estimate, ...]


def read_boxes(csv: Path) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Read a table in the layout of NIH's ``BBox_List_2017.csv``: image, label, x, y, width, height.

    Raises:
        PathUnusable: another layout, a label that is not one of ours, a box without an area.
    """
    try:
        frame = pd.read_csv(open_unpacked(csv), usecols=range(6), header=0)
    except (OSError, ValueError, IndexError) as error:
        raise PathUnusable(f"Boxes {csv}: cannot be read. Accepted: the layout of NIH's BBox_List_2017.csv.") from error
    if tuple(frame.columns[:2]) != _COLUMNS:
        found = ", ".join(map(str, frame.columns))
        raise PathUnusable(f"Boxes {csv}: columns {found} found; {', '.join(_COLUMNS)}, x, y, w, h are needed.")
    labels = frame["Finding Label"].astype(str).str.strip().str.replace(" ", "_").replace(_ALSO_CALLED)
    if unknown := sorted(set(labels) - set(LABELS)):
        raise PathUnusable(f"Boxes {csv}: the label {unknown[0]!r} is not one of {', '.join(LABELS)}.")
    sides = frame.iloc[:, 2:6].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    if not (np.isfinite(sides).all() and (sides[:, 2:] > 0).all()):
        raise PathUnusable(f"Boxes {csv}: a box has no area or is not four numbers (x, y, width, height).")
    corners = np.concatenate([sides[:, :2], sides[:, :2] + sides[:, 2:]], axis=1)
    boxes: dict[str, dict[str, list]] = {}
    for image, label, corner in zip(frame["Image Index"].astype(str), labels, corners, strict=True):
        boxes.setdefault(image, {}).setdefault(label, []).append(corner)
    return {image: {label: np.array(drawn) for label, drawn in of.items()} for image, of in boxes.items()}


def look_at_boxes(
    maps: Mapping[str, NDArray[np.float32]],
    full_colour: Mapping[str, float],
    boxes: Mapping[str, NDArray[np.float64]],
    placement: Placement,
) -> list[tuple[str, NDArray[np.float64], NDArray[np.float64], Look]]:
    """Return, for each boxed label of one film, what its map shows.

    Args:
        maps: (rows, columns) of each label, logit units, of either sign; what is drawn is what is over 0.
        full_colour: of each label, in the same units.
        boxes: of each label, (k, 4) in pixels of NIH's pictures.
        placement: of the network's input on the film.

    Returns:
        (label, boxes (k, 4) in pixel edges of the film, strongest (2,) likewise or NaN, look) of each label that
        has a map.
    """
    found = []
    for label, drawn in boxes.items():
        if label not in maps:
            continue
        on_film = drawn * np.tile([placement.columns, placement.rows], 2) / BOX_SIDE
        cells = np.maximum(maps[label], 0) / max(full_colour[label], np.finfo(np.float32).tiny)
        matrix = placement.to_original(*cells.shape)
        scale, offset = np.array([matrix[0, 0], matrix[1, 1]]), matrix[:, 2]
        # the matrix maps centres, integers at centres on both sides; edges lie half a pixel and half a cell before
        on_grid = (on_film - 0.5 - np.tile(offset, 2)) / np.tile(scale, 2) + 0.5
        look = look_at(cells, on_grid, THRESHOLDS)
        strongest = np.full(2, np.nan)
        if look.strongest is not None:
            strongest = (np.array(look.strongest) - 0.5) * scale + offset + 0.5
        found.append((label, on_film, strongest, look))
    return found


def box_numbers(localisation: Localisation, resamples: int) -> dict[str, BoxNumbers]:
    """Return the numbers of each boxed label and, where there are several, of :data:`ALL_BOXES`."""
    names = sorted(set(localisation.labels.tolist()))
    rows_of = {name: np.flatnonzero(localisation.labels == name) for name in names}
    if len(names) > 1:
        rows_of[ALL_BOXES] = np.arange(len(localisation))
    return {name: _numbers(localisation, rows, resamples) for name, rows in rows_of.items()}


def _numbers(all_rows: Localisation, rows: NDArray[np.intp], resamples: int) -> BoxNumbers:
    patients = all_rows.patients[rows]
    blank = int(np.isnan(all_rows.strongest[rows, 0]).sum())
    options = {"resamples": resamples}
    game = pointing_game_of(all_rows.hits[rows], all_rows.centre_hits[rows], blank, patients, **options)
    measured = (getattr(all_rows, name)[rows] for name in ("overlap", "centre_overlap", "marked"))
    curve = overlap_of(all_rows.thresholds, *measured, patients, **options)
    return BoxNumbers(
        len(rows),
        blank,
        game.hit_rate,
        game.centre,
        game.gain,
        tuple(all_rows.thresholds.tolist()),
        curve.overlap,
        curve.centre,
    )
