"""The heat maps of what is above its operating point, on the pixels of the original, for programs.

A map is a contribution to a logit and no probability. A fractional segmentation has no other unit than a fraction, so
each map is divided by the value of its full colour, which the segment's description states.

Source: PS3.3 A.51, C.8.20 (Segmentation).
"""

from __future__ import annotations

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import Segmentation, SegmentDescription
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import JPEG2000Lossless

from ...explain import HeatMap, heat_map
from ...labels import display_name
from .codes import finding_code
from .identification import MANUFACTURER, ResultSource
from .stored_pixels import map_on_stored_pixels

__all__ = ["segmentations"]

_LO = 64


def segmentations(source: ResultSource) -> list[Dataset]:
    """Return one fractional segmentation with a segment for each finding that is above; none where nothing is.

    A value of 255 is full colour. The frames are compressed without loss: the maps of all labels of an image of 1 MB
    would take 15 MB.
    """
    reading, original = source.image.reading, source.original
    above = [finding for finding in reading.ranked() if finding.state == "above"]
    if not above:
        return []
    pose, stored = source.displayed().pose, (int(original.Rows), int(original.Columns))
    heats = [heat_map(reading, finding.label, source.card) for finding in above]
    result = Segmentation(
        source_images=[original],
        pixel_array=np.stack([map_on_stored_pixels(heat, pose, stored) for heat in heats], axis=-1)[None],
        segmentation_type="FRACTIONAL",
        fractional_type="PROBABILITY",
        max_fractional_value=255,
        segment_descriptions=[_segment(source, heat, number) for number, heat in enumerate(heats, 1)],
        content_label="SECOND_READ_MAPS",
        content_description="Heat maps, fractions of full colour; not probabilities",
        transfer_syntax_uid=JPEG2000Lossless,
        omit_empty_frames=False,
        **source.attributes("seg"),
    )
    # required, and empty where the original does not state it validly
    result.PatientOrientation = []
    _replace_random_uids(result, source)
    return [result]


def _segment(source: ResultSource, heat: HeatMap, number: int) -> SegmentDescription:
    card, name = source.card, display_name(heat.label)
    normalisation = f"contribution of a place to the logit, divided by {heat.anchor:.6g} and limited to 1"
    segment = SegmentDescription(
        segment_number=number,
        segment_label=name[:_LO],
        segmented_property_category=codes.cid7150.MorphologicallyAbnormalStructure,
        segmented_property_type=finding_code(heat.label),
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name=card.id[:_LO],
            family=codes.cid7162.ArtificialIntelligence,
            version=card.version[:_LO],
            source=MANUFACTURER,
            parameters={
                "normalisation": normalisation,
                "weights SHA-256": card.weights_sha256,
                "operating point": source.image.reading.operating_point,
            },
        ),
        tracking_uid=source.uid("finding", heat.label),
        tracking_id=name[:_LO],
    )
    segment.SegmentDescription = (
        f"Gradient-weighted class activation map of {name}, not a probability and not an outline of the finding: "
        f"{normalisation}."
    )
    return segment


def _replace_random_uids(result: Dataset, source: ResultSource) -> None:
    """Give the dimensions a UID by content, so that the same result has the same bytes."""
    for item in (*result.DimensionOrganizationSequence, *result.DimensionIndexSequence):
        item.DimensionOrganizationUID = source.uid("dimensions")
