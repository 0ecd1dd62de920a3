"""Preprocessing of published networks: normalisation of grey values, and presets of repositories.

A weights file does not say how its authors prepared the images, and with another preparation the scores are wrong
without a sign of it. The normalisation becomes part of the graph: every model here takes displayed grey in [0, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import WrongArguments
from ..labels import LABELS

__all__ = ["NORMALISATIONS", "PRESETS", "Normalisation", "Preset", "find_preset", "parse_normalisation"]


@dataclass(frozen=True)
class Normalisation:
    """``(grey - mean) / standard deviation`` on displayed grey in [0, 1].

    Attributes:
        name: as given on the command line.
        description: for the model card, after "The input is".
        means, deviations: one each, or one for each of three channels.
        per_image: mean and standard deviation are those of the image itself; ``means`` and ``deviations`` are not used.
    """

    name: str
    description: str
    means: tuple[float, ...] = (0.0,)
    deviations: tuple[float, ...] = (1.0,)
    per_image: bool = False

    def scaling(self, channels: int) -> tuple[float | list[float], float | list[float]]:
        """Return factor and offset for a network of one channel or three: lists for three.

        A network of one channel is given the average of three means and deviations.
        """
        if channels == 1:
            mean = sum(self.means) / len(self.means)
            deviation = sum(self.deviations) / len(self.deviations)
            return 1 / deviation, -mean / deviation
        means, deviations = (values * (3 // len(values)) for values in (self.means, self.deviations))
        return [1 / d for d in deviations], [-m / d for m, d in zip(means, deviations, strict=True)]


NORMALISATIONS: dict[str, Normalisation] = {
    normalisation.name: normalisation
    for normalisation in (
        Normalisation(
            "imagenet",
            "normalised by ImageNet's mean and standard deviation",
            (0.485, 0.456, 0.406),
            (0.229, 0.224, 0.225),
        ),
        Normalisation("torchxrayvision", "scaled to -1024..1024, as torchxrayvision does", (0.5,), (1 / 2048,)),
        Normalisation("unit", "not normalised, 0 to 1"),
        Normalisation("255", "scaled to 0..255", (0.0,), (1 / 255,)),
        Normalisation(
            "samplewise", "normalised by the mean and standard deviation of the image itself", per_image=True
        ),
    )
}
"""By the name that the command line takes."""

ACCEPTED = (
    f"Accepted: {', '.join(NORMALISATIONS)}, or MEAN,SD of the training images' grey from 0 to 1 (three means and "
    "three standard deviations for three channels; divide values on a scale of 0 to 255 by 255)."
)


def parse_normalisation(text: str) -> Normalisation:
    """Return a normalisation by name or numbers, such as ``imagenet`` or ``0.5,0.25``; raises WrongArguments."""
    name = text.strip().lower()
    if name in NORMALISATIONS:
        return NORMALISATIONS[name]
    try:
        numbers = tuple(float(number) for number in name.split(","))
    except ValueError:
        numbers = ()
    half = len(numbers) // 2
    means, deviations = numbers[:half], numbers[half:]
    if (
        len(numbers) not in (2, 6)
        or not all(math.isfinite(number) for number in numbers)
        or not all(0 <= mean <= 1 for mean in means)
        or not all(0 < deviation <= 1 for deviation in deviations)
    ):
        raise WrongArguments(f"--normalisation {text[:60]!r}: unknown. {ACCEPTED}")
    mean, deviation = (", ".join(f"{number:g}" for number in values) for values in (means, deviations))
    return Normalisation(
        name,
        f"normalised by the mean {mean} and the standard deviation {deviation} given at the import",
        means,
        deviations,
    )


@dataclass(frozen=True)
class Preset:
    """Preprocessing and labels of a repository whose checkpoints of DenseNet121 circulate, from its own test code.

    Attributes:
        name: as given on the command line.
        url: of the repository.
        labels: of its outputs, in order.
        normalisation: a key of :data:`NORMALISATIONS`.
        size: side of the network's input, pixels.
        crop_fraction: see :class:`.Preparation`.
        difference: how its test code differs from what is done here, one sentence; empty where it does not.
    """

    name: str
    url: str
    labels: tuple[str, ...] = LABELS
    normalisation: str = "imagenet"
    size: int = 224
    crop_fraction: float = 1.0
    difference: str = ""


_TEN_CROPS = "Its authors average ten crops of an image of 256 pixels; here only the centre crop is read."

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset("arnoweng", "https://github.com/arnoweng/CheXNet", crop_fraction=0.875, difference=_TEN_CROPS),
        Preset("zoogzog", "https://github.com/zoogzog/chexnet", crop_fraction=0.875, difference=_TEN_CROPS),
        Preset(
            "thtang",
            "https://github.com/thtang/CheXNet-with-localization",
            labels=LABELS[:8],
            crop_fraction=0.875,
            difference="Its authors squeeze an image that is not square to 256 x 256 pixels, by scikit-image; here its "
            "proportions are kept.",
        ),
        Preset("jrzech", "https://github.com/jrzech/reproduce-chexnet"),
    )
}
"""By name."""


def find_preset(name: str) -> Preset:
    """Return a preset by name; raises WrongArguments."""
    if name not in PRESETS:
        raise WrongArguments(f"--preset {name[:60]!r}: unknown. Accepted: {', '.join(PRESETS)}.")
    return PRESETS[name]
