"""Repositories whose checkpoints of DenseNet121 circulate, and what their code does with an image.

Their files do not say any of it. Labels, normalisation and sizes are those of each repository's own test code.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import WrongArguments
from ..labels import LABELS

__all__ = ["PRESETS", "Preset", "find_preset"]


@dataclass(frozen=True)
class Preset:
    """One repository's way with an image.

    Attributes:
        name: as given on the command line.
        url: of the repository.
        labels: of its outputs, in order.
        normalisation: a key of :data:`.normalisation.NORMALISATIONS`.
        size: side of the network's input, pixels.
        crop_fraction: see :class:`.Preparation`.
        differs: what its test code does otherwise than we do; empty for nothing.
    """

    name: str
    url: str
    labels: tuple[str, ...] = LABELS
    normalisation: str = "imagenet"
    size: int = 224
    crop_fraction: float = 1.0
    differs: str = ""


_TEN_CROPS = "Its authors average ten crops of an image of 256 pixels; here the centre one is read."

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset("arnoweng", "https://github.com/arnoweng/CheXNet", crop_fraction=0.875, differs=_TEN_CROPS),
        Preset("zoogzog", "https://github.com/zoogzog/chexnet", crop_fraction=0.875, differs=_TEN_CROPS),
        Preset(
            "thtang",
            "https://github.com/thtang/CheXNet-with-localization",
            labels=LABELS[:8],
            crop_fraction=0.875,
            differs="Its authors squeeze an image that is not square to 256 x 256 pixels, by scikit-image; here its "
            "proportions are kept.",
        ),
        Preset("jrzech", "https://github.com/jrzech/reproduce-chexnet"),
    )
}
"""By name."""


def find_preset(name: str) -> Preset:
    """Return a preset by name; raises WrongArguments."""
    if name not in PRESETS:
        raise WrongArguments(f"--preset {name[:60]!r}: not known. Accepted: {', '.join(PRESETS)}.")
    return PRESETS[name]
