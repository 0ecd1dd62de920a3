"""The INT8 graph of a model, as a card of its own records it: how it was made, and its difference to float32.

At INT8, convolutions multiply 8-bit integers: faster on a processor with instructions for that, and not the same
numbers. So the card of an INT8 graph has thresholds, calibration curves, map anchors and a limit of familiarity that
were fitted for this graph, and is bound to its files.
"""

from __future__ import annotations

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from ..estimate import Estimate

__all__ = ["Int8", "LabelAtInt8", "MapAgreement", "PrecisionDifference"]

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class MapAgreement:
    """The maps of the INT8 graph beside those of float32, over pairs of an image and a label.

    Attributes:
        correlation: mean of Pearson's correlation of the cells of both maps, unrectified.
        same_cell: proportion of pairs whose strongest cell is the same.
        within_one_cell: proportion of pairs whose strongest cell is the same or one that touches it.
    """

    correlation: Estimate
    same_cell: Estimate
    within_one_cell: Estimate


@dataclass(frozen=True, config=_STRICT)
class LabelAtInt8:
    """One label on the same images at both precisions; differences are INT8 minus float32.

    Attributes:
        auc, auc_float32, auc_difference: against the reference standard; the difference is paired.
        state_changes: proportion of images whose state is another one, each graph with thresholds of its own; missing
            for a label that is not evaluated at both precisions.
        logit_correlation: Pearson's, of the logits at both precisions over all images; None where one is constant.
        maps: over the images of this label.
    """

    auc: Estimate
    auc_float32: Estimate
    auc_difference: Estimate
    state_changes: Estimate
    logit_correlation: float | None
    maps: MapAgreement


@dataclass(frozen=True, config=_STRICT)
class PrecisionDifference:
    """INT8 beside float32, on images that the model was not trained on.

    Attributes:
        images: description of the images.
        sources: names of the data sets or folders.
        reference: the reference standard.
        split, split_sha256: of the patients; empty where every image of a table was used.
        number_of_images, number_of_patients: that were read at both precisions.
        interval: how the intervals were made.
        operating_point: name of the one whose states were compared.
        fitted_here: whether the thresholds of the INT8 graph were set on these images.
        mean_auc, mean_auc_float32, mean_auc_difference: unweighted means over labels with enough patients.
        any_state: proportion of images on which the state of at least one label is another one.
        familiarity_changes: proportion of images with the warning of familiarity at one precision alone; None for a
            model without a reference.
        maps: over all images and labels.
        maps_above: over images and labels that are above at float32.
        per_label: by label.
    """

    images: str
    sources: tuple[str, ...]
    reference: str
    split: str
    split_sha256: str
    number_of_images: int
    number_of_patients: int
    interval: str
    operating_point: str
    fitted_here: bool
    mean_auc: Estimate
    mean_auc_float32: Estimate
    mean_auc_difference: Estimate
    any_state: Estimate
    familiarity_changes: Estimate | None
    maps: MapAgreement
    maps_above: MapAgreement
    per_label: dict[str, LabelAtInt8]


@dataclass(frozen=True, config=_STRICT)
class Int8:
    """What makes the card of an INT8 graph that of this graph.

    Attributes:
        graph_sha256, weights_sha256: of ``model.xml`` and ``model.bin`` beside the card. Operating points, map anchors
            and the limit of familiarity of the card were fitted for them, and its calibration is bound to the latter.
        float32_fit_sha256: of what was fitted for float32 when the two were compared; with another fit, the difference
            is of thresholds that the model no longer has.
        method: how the graph was made.
        range_images, range_patients: images from which the ranges of the integers were taken, and their patients.
        difference: to float32, on the images that the card was fitted on.
    """

    graph_sha256: str
    weights_sha256: str
    float32_fit_sha256: str
    method: str
    range_images: int
    range_patients: int
    difference: PrecisionDifference
