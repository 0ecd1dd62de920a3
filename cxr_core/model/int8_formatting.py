"""Text of a model's INT8 graph, the same in a terminal and in every file."""

from __future__ import annotations

from collections.abc import Iterator

from ..formatting import format_estimate, format_images
from ..labels import display_name
from .card import ModelCard
from .int8 import Int8, MapAgreement, PrecisionDifference

__all__ = ["describe_int8", "describe_precision", "format_difference", "format_int8"]


def describe_precision(card: ModelCard) -> str:
    """Return what follows a model's name where it reads at INT8; empty at float32."""
    return "" if card.int8 is None else " at INT8"


def describe_int8(difference: PrecisionDifference) -> str:
    """Return in two sentences that a reading is at INT8, and how far it is from float32."""
    mean = format_estimate(difference.mean_auc_difference, signed=True)
    return (
        f"Read at INT8 (8-bit integers), whose numbers differ from float32: on {_images(difference)} the mean AUC "
        f"differed by {mean}, and the state of a label was another one on "
        f"{format_estimate(difference.any_state, percent=True)} of the images. AUC, readers and heat-map measurements "
        "of the card are of float32."
    )


OUTDATED = (
    "INT8: outdated, and refused. The model was calibrated after its INT8 graph was made; make it again with models "
    "quantise. Of before:"
)


def format_int8(int8: Int8 | None, *, outdated: bool = False) -> list[str]:
    """Return an INT8 graph as lines of text."""
    if int8 is None:
        return ["INT8: no graph; models quantise makes it"]
    return [
        *([OUTDATED] if outdated else []),
        f"INT8: {int8.method}; ranges from {int8.range_images:,} images of {int8.range_patients:,} patients",
        f"model.bin SHA-256: {int8.weights_sha256}",
        *format_difference(int8.difference),
    ]


def format_difference(difference: PrecisionDifference) -> list[str]:
    """Return INT8 beside float32 as lines of text; differences are INT8 minus float32."""
    fitted = "thresholds at INT8 were set on these images" if difference.fitted_here else "thresholds set on others"
    lines = [
        f"INT8 beside float32 on {_images(difference)}; reference: {difference.reference}",
        f"operating point {difference.operating_point}, {fitted}; interval: {difference.interval}",
        f"  {'Mean AUC':<28}{format_estimate(difference.mean_auc)}, float32 "
        f"{format_estimate(difference.mean_auc_float32)}, difference "
        f"{format_estimate(difference.mean_auc_difference, signed=True)}",
        f"  {'Images with another state':<28}{format_estimate(difference.any_state, percent=True)}"
        + _counted(difference),
    ]
    if difference.familiarity_changes is not None:
        rate = format_estimate(difference.familiarity_changes, percent=True)
        lines.append(f"  {'Warning of familiarity':<28}at one precision alone: {rate} of images")
    lines.append(f"  {'Maps, all labels':<28}{_maps(difference.maps)}")
    lines.append(f"  {'Maps, labels that are above':<28}{_maps(difference.maps_above)}")
    return [*lines, *_labels(difference)]


def _labels(difference: PrecisionDifference) -> Iterator[str]:
    for label, one in difference.per_label.items():
        yield f"  {display_name(label)}"
        yield (
            f"    AUC {format_estimate(one.auc)}, float32 {format_estimate(one.auc_float32)}, difference "
            f"{format_estimate(one.auc_difference, signed=True)}"
        )
        correlation = "not known" if one.logit_correlation is None else f"{one.logit_correlation:.4f}"
        changes = format_estimate(one.state_changes, percent=True)
        yield f"    another state: {changes}; correlation of logits {correlation}"
        yield f"    maps: {_maps(one.maps)}"


def _maps(maps: MapAgreement) -> str:
    return (
        f"correlation {format_estimate(maps.correlation)}; strongest cell the same "
        f"{format_estimate(maps.same_cell, percent=True)}, within one cell "
        f"{format_estimate(maps.within_one_cell, percent=True)}"
    )


def _counted(difference: PrecisionDifference) -> str:
    counts = difference.any_state.counts
    return "" if counts is None else f", {format_images(counts)}"


def _images(difference: PrecisionDifference) -> str:
    return (
        f"{difference.number_of_images:,} {difference.images} ({', '.join(difference.sources)}; "
        f"{difference.number_of_patients:,} patients)"
    )
