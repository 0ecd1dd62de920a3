"""What a network's authors did to grey values before the first layer.

With another normalisation than that of the training, scores are wrong without a sign of it; a file of weights does not
say which it was. It becomes part of the graph, so that every model of ours takes displayed grey in [0, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import WrongArguments

__all__ = ["NORMALISATIONS", "Normalisation", "normalisation_of"]


@dataclass(frozen=True)
class Normalisation:
    """``(grey - mean) / deviation`` on displayed grey in [0, 1].

    Attributes:
        name: as given on the command line.
        words: what it does, for the card.
        means, deviations: one each, or one for each of three channels.
        each_image: mean and deviation are those of the image itself; ``means`` and ``deviations`` are not used.
    """

    name: str
    words: str
    means: tuple[float, ...] = (0.0,)
    deviations: tuple[float, ...] = (1.0,)
    each_image: bool = False

    def scaling(self, channels: int) -> tuple[float | list[float], float | list[float]]:
        """Return factor and offset for a network of one channel or three: lists for three.

        A network of one channel is given the average of three means and deviations.
        """
        means, deviations = self.means, self.deviations
        if channels == 1:
            mean, deviation = sum(means) / len(means), sum(deviations) / len(deviations)
            return 1 / deviation, -mean / deviation
        means, deviations = (values * (3 // len(values)) for values in (means, deviations))
        return [1 / d for d in deviations], [-m / d for m, d in zip(means, deviations, strict=True)]


NORMALISATIONS: dict[str, Normalisation] = {
    known.name: known
    for known in (
        Normalisation(
            "imagenet",
            "normalised by ImageNet's mean and standard deviation",
            (0.485, 0.456, 0.406),
            (0.229, 0.224, 0.225),
        ),
        Normalisation("torchxrayvision", "taken to -1024..1024, as torchxrayvision does", (0.5,), (1 / 2048,)),
        Normalisation("unit", "given as it is, 0 to 1"),
        Normalisation("255", "taken to 0..255", (0.0,), (1 / 255,)),
        Normalisation(
            "samplewise", "normalised by the mean and standard deviation of the image itself", each_image=True
        ),
    )
}
"""By the name that the command line takes."""

ACCEPTED = (
    f"Accepted: {', '.join(NORMALISATIONS)}, or MEAN,SD of the training images' grey from 0 to 1 (three means and "
    "three standard deviations for three channels; where yours are of 0 to 255, divide them by 255)."
)


def normalisation_of(text: str) -> Normalisation:
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
        raise WrongArguments(f"--normalisation {text[:60]!r}: not known. {ACCEPTED}")
    shown = ", ".join(f"{number:g}" for number in means), ", ".join(f"{number:g}" for number in deviations)
    return Normalisation(
        name,
        f"normalised by the mean {shown[0]} and the standard deviation {shown[1]} given at the import",
        means,
        deviations,
    )
