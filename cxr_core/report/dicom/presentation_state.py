"""The contours of what is above its operating point, as annotations that a workstation draws on the original.

Source: PS3.3 A.33.1 (Grayscale Softcopy Presentation State), C.10.5 (Graphic Annotation), C.11.6 (Softcopy Presentation
LUT).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from highdicom import VOILUT, PresentationLUTTransformation
from highdicom.pr import (
    GraphicAnnotation,
    GraphicLayer,
    GraphicObject,
    GrayscaleSoftcopyPresentationState,
    SoftcopyVOILUTTransformation,
    TextObject,
)
from pydicom.dataset import Dataset
from pydicom.valuerep import DA, TM

from ...errors import InputRefused
from ...explain import contour, heat_map
from ...imaging import Lut, Radiograph
from ...imaging.lookup_tables import read_lut
from ...imaging.windowing import apply_voi
from ...labels import NOTICE, display_name
from ...model import Finding
from ...model.formatting import format_finding
from .identification import ResultSource
from .stored_pixels import to_stored

__all__ = ["presentation_states"]

_LABEL = "SECOND READ"

_TEXT_HEIGHT = 0.03
"""Of a line of text, as a fraction of the image's height."""

_LO = 64


def presentation_states(source: ResultSource) -> list[Dataset]:
    """Return one presentation state with the contour of each finding that is above; none where nothing is.

    It shows the original by the window and the polarity by which it was read.

    Raises:
        InputRefused: the original is in colour.
    """
    above = [finding for finding in source.image.reading.ranked() if finding.state == "above"]
    if not above:
        return []
    if source.original.get("SamplesPerPixel") != 1:
        raise InputRefused("Contours (gsps) need a grayscale image: this one is in colour. The other results do not.")
    radiograph = source.displayed()
    layers = [
        GraphicLayer(f"FINDING_{number}", number, description=display_name(finding.label)[:_LO])
        for number, finding in enumerate(above, 1)
    ]
    annotations = [
        _annotation(source, radiograph, finding, layer, number)
        for number, (finding, layer) in enumerate(zip(above, layers, strict=True))
    ]
    inverse = source.original.PhotometricInterpretation == "MONOCHROME1"
    result = GrayscaleSoftcopyPresentationState(
        referenced_images=[source.original],
        content_label=_LABEL,
        content_description="Contours of findings above their operating point",
        graphic_annotations=annotations,
        graphic_layers=layers,
        voi_lut_transformations=[_voi(radiograph, source.original)],
        # a presentation state takes the place of the photometric interpretation
        presentation_lut_transformation=PresentationLUTTransformation("INVERSE" if inverse else "IDENTITY"),
        **source.attributes("gsps", dated=False),
    )
    result.BodyPartExamined = "CHEST"
    result.PresentationCreationDate, result.PresentationCreationTime = DA(source.when.date()), TM(source.when.time())
    return [result]


def _annotation(
    source: ResultSource, radiograph: Radiograph, finding: Finding, layer: GraphicLayer, number: int
) -> GraphicAnnotation:
    original = source.original
    stored = int(original.Rows), int(original.Columns)
    shown = radiograph.rows, radiograph.columns
    lines = (
        to_stored(line, shown, radiograph.pose, stored)
        for line in contour(heat_map(source.image.reading, finding.label, source.card))
    )
    name = f"{display_name(finding.label)}: {format_finding(finding)}"
    texts = [name] if number else [name, NOTICE]
    return GraphicAnnotation(
        referenced_images=[original],
        graphic_layer=layer,
        graphic_objects=[GraphicObject("POLYLINE", line, "PIXEL") for line in lines] or None,
        text_objects=list(_texts(texts, number, stored)),
    )


def _texts(texts: list[str], number: int, stored: tuple[int, int]) -> Iterator[TextObject]:
    """Yield texts on the image: the first below those of the findings before, the second at the lower edge."""
    rows, columns = stored
    height = rows * _TEXT_HEIGHT
    tops = ((number + 1) * height, rows - 2 * height)
    for text, top in zip(texts, tops, strict=False):
        box = (0.02 * columns, top, 0.98 * columns, top + height)
        yield TextObject(text, "PIXEL", bounding_box=box, text_justification="LEFT")


def _voi(radiograph: Radiograph, original: Dataset) -> SoftcopyVOILUTTransformation:
    """Return the window or the table by which the image was displayed and read.

    A Modality LUT that is a table becomes a part of the table.
    """
    first = radiograph.alternatives[0] if radiograph.alternatives else radiograph.voi
    modality = original.get("ModalityLUTSequence")
    table = read_lut(modality[0], signed=False, name="", repairs=[]) if modality else None
    if table is not None:
        return _table(table.first, apply_voi(table.entries.astype(np.float32), first))
    if isinstance(first, Lut):
        return _table(first.first, first.entries / first.top)
    return SoftcopyVOILUTTransformation(
        window_center=first.center, window_width=first.width, voi_lut_function=first.function
    )


def _table(first: int, brightness: np.ndarray) -> SoftcopyVOILUTTransformation:
    """Return a table from values, of which ``first`` has the first entry, to brightness in [0, 1]."""
    # highdicom's tables have 8 or 16 bits, and white is the largest value of these
    table = VOILUT(max(first, 0), np.rint(np.clip(brightness, 0, 1) * 65535).astype(np.uint16))
    if first < 0:
        # which highdicom does not make: a signed descriptor
        count = table.LUTDescriptor[0]
        table.add_new("LUTDescriptor", "SS", [count - (1 << 16) if count >= 1 << 15 else count, first, 16])
    return SoftcopyVOILUTTransformation(voi_luts=[table])
