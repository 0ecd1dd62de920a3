"""Published AUCs for ChestX-ray14, each with its split.

Results on two splits cannot be compared: the AUC of the same model is about 0.03 higher on a random split by patient
than on NIH's official split (Guendel et al. .807 and .841, Baltruschat et al. .806 and .822). A published result is
therefore shown with a run on the same split only.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..labels import LABELS
from ..store import RunRecord

__all__ = ["OFFICIAL", "PUBLISHED", "Published", "comparable"]

OFFICIAL = "nih_official"
"""Name of NIH's split, as made by ``--split official``."""


@dataclass(frozen=True)
class Published:
    """Results of one publication.

    Attributes:
        name: of the model or its authors.
        split: :data:`OFFICIAL`, or a description.
        source: citation.
        auc: by label, without intervals, as published.
    """

    name: str
    split: str
    source: str
    auc: dict[str, float]


def _all(*values: float) -> dict[str, float]:
    return dict(zip(LABELS, values, strict=True))


PUBLISHED = (
    Published(
        "Wang et al.",
        OFFICIAL,
        "Wang et al., ChestX-ray8, arXiv 1705.02315, version 4",
        _all(0.716, 0.807, 0.784, 0.609, 0.706, 0.671, 0.633, 0.806, 0.708, 0.835, 0.815, 0.769, 0.708, 0.767),
    ),
    Published(
        "CheXNet",
        "its own random split by patient",
        "Rajpurkar et al., CheXNet, arXiv 1711.05225",
        _all(
            *(0.8094, 0.9248, 0.8638, 0.7345, 0.8676, 0.7802, 0.7680),
            *(0.8887, 0.7901, 0.8878, 0.9371, 0.8047, 0.8062, 0.9164),
        ),
    ),
    Published(
        "tcc-raio-x",
        "its own random split by patient",
        "tcc-raio-x, a thesis' repository: DenseNet121 from ImageNet",
        _all(0.816, 0.920, 0.886, 0.720, 0.851, 0.788, 0.751, 0.888, 0.783, 0.896, 0.915, 0.823, 0.797, 0.939),
    ),
)


def comparable(record: RunRecord) -> tuple[Published, ...]:
    """Return the publications whose results can be compared with a run: those on the same test split."""
    if record.part != "test" or record.split != OFFICIAL:
        return ()
    return tuple(published for published in PUBLISHED if published.split == OFFICIAL)
