"""Boxes and masks that readers drew, read from tables of NIH, ChestX-Det and RSNA, and from folders of masks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from ..errors import PathUnusable
from ..labels import LABELS
from ..model.localisation import CHEST, HEART
from ..table_files import open_unpacked
from .box_sources import BOX_SIDE, ENLARGED

__all__ = ["BoxTable", "Boxes", "Region", "read_boxes", "read_masks"]

Boxes = Mapping[str, NDArray[np.float64]]
"""Label to (k, 4) left, top, right, bottom, in pixels of an image of BOX_SIDE x BOX_SIDE."""

Region = Literal["heart", "chest"]

MASK_SIDE = 64
"""Masks are brought to this many squares a side: 9 or more for each cell of a map."""

OPACITY_LABELS = ("Consolidation", "Infiltration", "Pneumonia")
"""Labels whose maps are compared with RSNA's boxes of "Lung Opacity": the opacities that the challenge asked for."""

_NIH = ("Image Index", "Finding Label")
_CHESTX_DET = ("image", "split", "finding", "x1", "y1", "x2", "y2")
_RSNA = ("image", "rsna_class", "target", "boxes_xywh_1024")
_AS_TEXT: dict[str, Any] = {"dtype": str, "keep_default_na": False}
_SIX: dict[str, Any] = {"usecols": range(6), "header": 0}
"""NIH's header names the four numbers as one, and ends in commas."""
_SYNONYMS = {"Infiltrate": "Infiltration"}
_WITHOUT_LABEL = ("Calcification", "Diffuse Nodule", "Fracture")
"""Findings of ChestX-Det without a label here. A box around diffuse nodules holds a lung rather than a nodule."""
_ACCEPTED = "Accepted: the layouts of NIH's BBox_List_2017.csv, of chestx_det.csv and of rsna.csv (docs/heat-maps.md)."


@dataclass(frozen=True)
class BoxTable:
    """Boxes of one source.

    Attributes:
        source: a key of :data:`SOURCES`.
        by_image: boxes by name of the image; only images with a box of a label of the model.
        left_out: number of boxes of each finding that is no label of the model.
    """

    source: str
    by_image: Mapping[str, Boxes]
    left_out: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def _by_stem(self) -> dict[str, Boxes]:
        return {_stem(image): boxes for image, boxes in self.by_image.items()}

    def of(self, image: str) -> Boxes:
        """Return the boxes of an image, empty without any; the ending of a name (.png, .jpg) does not matter."""
        return self.by_image.get(image) or self._by_stem.get(_stem(image), {})


def read_boxes(csv: Path, labels: Collection[str] = LABELS) -> BoxTable:
    """Read a table of boxes; its layout is recognised by its columns.

    - NIH's ``BBox_List_2017.csv``: image, label, x, y, width, height; every label must be permitted.
    - ``chestx_det.csv``: image, split, finding, x1, y1, x2, y2; a row without numbers is an image without findings.
    - ``rsna.csv``: image, rsna_class, target, boxes_xywh_1024 (``x y w h``, semicolons between boxes); each box counts
      for :data:`OPACITY_LABELS`.

    Args:
        csv: the table, plain or gzipped.
        labels: permitted labels.

    Raises:
        PathUnusable: for another layout, a label that is not permitted, or a box without an area, with its row.
    """
    try:
        columns = set(pd.read_csv(open_unpacked(csv), nrows=0).columns)
        known = columns >= set(_CHESTX_DET) or columns >= set(_RSNA)
        frame = pd.read_csv(open_unpacked(csv), **_AS_TEXT) if known else pd.read_csv(open_unpacked(csv), **_SIX)
    except (OSError, ValueError, IndexError) as error:
        raise PathUnusable(f"Boxes {csv}: cannot be read. {_ACCEPTED}") from error
    if columns >= set(_CHESTX_DET):
        source, rows = "ChestX-Det", _chestx_det(frame)
    elif known:
        source, rows = "RSNA", _rsna(frame, csv)
    else:
        source, rows = "NIH layout", _nih(frame, csv)
    by_image, left_out = _collect(rows, csv, labels, () if source == "NIH layout" else _WITHOUT_LABEL)
    return BoxTable(source, by_image, left_out)


_Row = tuple[int, str, str, tuple[float, ...]]
"""Number of the row in the file, image, finding, and left, top, right, bottom."""


def _chestx_det(frame: pd.DataFrame) -> Iterator[_Row]:
    sides = frame[["x1", "y1", "x2", "y2"]].apply(lambda column: column.str.strip())
    for row, (image, finding, texts) in enumerate(
        zip(frame["image"], frame["finding"].str.strip(), sides.to_numpy().tolist(), strict=True), start=2
    ):
        if finding or any(texts):
            yield row, image, finding, tuple(map(_number, texts))


def _rsna(frame: pd.DataFrame, csv: Path) -> Iterator[_Row]:
    texts = frame["boxes_xywh_1024"].str.strip()
    for row, (image, target, text) in enumerate(zip(frame["image"], frame["target"], texts, strict=True), start=2):
        if (target.strip() == "1") != bool(text):
            raise PathUnusable(f"Boxes {csv}, row {row}: boxes are accepted where target is 1, and only there.")
        for box in text.split(";") if text else ():
            numbers = tuple(map(_number, box.split()))
            if len(numbers) != 4:
                raise PathUnusable(f"Boxes {csv}, row {row}: a box is not four numbers (x, y, width, height).")
            x, y, width, height = numbers
            for label in OPACITY_LABELS:
                yield row, image, label, (x, y, x + width, y + height)


def _nih(frame: pd.DataFrame, csv: Path) -> Iterator[_Row]:
    if tuple(frame.columns[:2]) != _NIH:
        columns = ", ".join(map(str, frame.columns))
        raise PathUnusable(f"Boxes {csv}: columns {columns} found; {', '.join(_NIH)}, x, y, w, h are needed.")
    for row, (image, finding, *sides) in enumerate(frame.itertuples(index=False), start=2):
        x, y, width, height = map(_number, sides)
        yield row, str(image), str(finding).strip(), (x, y, x + width, y + height)


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return float("nan")


def _collect(
    rows: Iterable[_Row], csv: Path, labels: Collection[str], without: Collection[str]
) -> tuple[dict[str, dict[str, NDArray[np.float64]]], dict[str, int]]:
    """Return boxes by image and label, and the numbers of those whose finding has no label."""
    label_of_text = {label.replace("_", " "): label for label in labels}
    boxes: dict[str, dict[str, list[tuple[float, ...]]]] = {}
    left_out: dict[str, int] = {}
    for row, image, finding, corners in rows:
        text = finding.replace("_", " ")
        label = label_of_text.get(_SYNONYMS.get(text, text))
        if not (np.isfinite(corners).all() and corners[0] < corners[2] and corners[1] < corners[3]):
            raise PathUnusable(f"Boxes {csv}, row {row}: a box has no area or is not four numbers.")
        if label is not None:
            boxes.setdefault(image, {}).setdefault(label, []).append(corners)
        elif text in without or (without and text in OPACITY_LABELS):
            left_out[text] = left_out.get(text, 0) + 1
        else:
            raise PathUnusable(
                f"Boxes {csv}, row {row}: the label {finding!r} is not one of {', '.join([*labels, *without])}."
            )
    return {image: {x: np.array(drawn) for x, drawn in by.items()} for image, by in boxes.items()}, left_out


def read_masks(folder: Path, region: Region, labels: Collection[str] = LABELS) -> BoxTable:
    """Read masks of heart and lungs: folders ``heart``, ``left_lung`` and ``right_lung`` of images, white inside.

    A mask becomes boxes that fill it: rows of squares, :data:`MASK_SIDE` a side.

    Args:
        folder: of the three; masks of one radiograph have its name but for the ending, and its shape.
        region: ``heart`` is the heart, for Cardiomegaly, where it is over :data:`ENLARGED` times as wide as the two
            lungs together; ``chest`` is lungs and heart, for every label.
        labels: of the model.

    Raises:
        PathUnusable: a folder is missing, or a mask is missing, empty or cannot be read.
    """
    parts = {name: folder / name for name in ("heart", "left_lung", "right_lung")}
    for path in parts.values():
        if not path.is_dir():
            raise PathUnusable(f"Masks {folder}: no folder {path.name}. Needed: {', '.join(parts)}.")
    by_image: dict[str, Boxes] = {}
    for path in sorted(parts["heart"].iterdir()):
        heart, left, right = (_mask(part / path.name, folder) for part in parts.values())
        if region == "chest":
            boxes = _filling(heart | left | right)
            by_image[path.name] = dict.fromkeys(labels, boxes)
        elif _width(heart) > ENLARGED * _width(left | right):
            by_image[path.name] = {"Cardiomegaly": _filling(heart)}
    return BoxTable(HEART if region == "heart" else CHEST, by_image)


def _mask(path: Path, folder: Path) -> NDArray[np.bool_]:
    try:
        with Image.open(path) as image:
            mask = np.asarray(image.convert("L")) > 127
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise PathUnusable(f"Masks {folder}: a mask of {path.parent.name} is missing or cannot be read.") from error
    if not mask.any():
        raise PathUnusable(f"Masks {folder}: a mask of {path.parent.name} is empty.")
    return mask


def _width(mask: NDArray[np.bool_]) -> int:
    columns = np.flatnonzero(mask.any(axis=0))
    return int(columns[-1] - columns[0] + 1)


def _filling(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (k, 4) boxes that fill the squares of which at least half is in a mask."""
    squares = Image.fromarray(mask.astype(np.uint8) * 255).resize((MASK_SIDE, MASK_SIDE), Image.Resampling.BOX)
    boxes = []
    for row, inside in enumerate(np.asarray(squares) > 127):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(np.int8), [0]]))).reshape(-1, 2)
        boxes += [(start, row, end, row + 1) for start, end in edges.tolist()]
    return np.array(boxes, dtype=np.float64).reshape(-1, 4) * BOX_SIDE / MASK_SIDE


def _stem(image: str) -> str:
    name, dot, ending = image.rpartition(".")
    return name if dot and len(ending) <= 4 else image
