"""Sources of boxes and masks: who drew them, and of what."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.localisation import CHEST, HEART

__all__ = ["BOX_SIDE", "ENLARGED", "SOURCES", "BoxSource"]

BOX_SIDE = 1024
"""Side of the images that boxes refer to, in pixels; boxes are scaled to images of another size."""

ENLARGED = 0.5
"""Cardiothoracic ratio over which a heart is enlarged."""


@dataclass(frozen=True)
class BoxSource:
    """What boxes of a source are.

    Attributes:
        description: the boxes, who drew them, and the publication.
        same_label: whether a box is of the label that its map is compared with.
        masks: whether they are masks, of which runs keep the surrounding box only.
    """

    description: str
    same_label: bool = True
    masks: bool = False


SOURCES = {
    "NIH layout": BoxSource("bounding boxes of a label, in the layout of NIH's BBox_List_2017.csv (Wang et al. 2017)"),
    "ChestX-Det": BoxSource("bounding boxes of a label by three radiologists, ChestX-Det (Lian et al. 2021)"),
    "RSNA": BoxSource(
        "bounding boxes of lung opacity by radiologists, RSNA challenge 2018 (Shih et al. 2019); such a box is not "
        "one of the label itself",
        same_label=False,
    ),
    HEART: BoxSource(
        f"masks of the heart where the cardiothoracic ratio is over {ENLARGED}, for the map of Cardiomegaly",
        same_label=False,
        masks=True,
    ),
    CHEST: BoxSource("masks of both lungs and the heart, for the map of every label", same_label=False, masks=True),
}
