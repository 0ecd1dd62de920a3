"""Catalogue of published DenseNet121 weights: addresses, labels, thresholds and AUC that the authors state.

Source: torchxrayvision 1.5.7, ``models.py`` (https://github.com/mlmed/torchxrayvision, Apache-2.0): addresses, labels
and operating points; its ``BENCHMARKS.md``: AUC. The authors publish no SHA-256; those here are from public
repositories that use the files, see ``PublishedWeights.sha256_source``.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import WrongArguments

__all__ = ["AUC_SOURCE", "OUTPUTS", "PUBLISHED", "PUBLISHED_AUC", "PublishedWeights", "find_published"]


OUTPUTS: tuple[str, ...] = (
    "Atelectasis",
    "Consolidation",
    "Infiltration",
    "Pneumothorax",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Effusion",
    "Pneumonia",
    "Pleural_Thickening",
    "Cardiomegaly",
    "Nodule",
    "Mass",
    "Hernia",
    "Lung Lesion",
    "Fracture",
    "Lung Opacity",
    "Enlarged Cardiomediastinum",
)
"""Labels of the 18 outputs that each of these networks has."""

NIH = "NIH ChestX-ray14"
PADCHEST = "PadChest"
CHEXPERT = "CheXpert"
MIMIC = "MIMIC-CXR"
OPENI = "OpenI (Indiana University)"
GOOGLE = "NIH ChestX-ray14, labelled by Google"
RSNA = "NIH ChestX-ray14, as in the RSNA Pneumonia Challenge"

_RELEASE = "https://github.com/mlmed/torchxrayvision/releases/download/v1/"
_ENDING = "-densenet121-d121-tw-lr001-rot45-tr15-sc15-seed0-best.pt"


@dataclass(frozen=True)
class PublishedWeights:
    """One published weights file.

    Attributes:
        name: of the weights, and of the model that is made of them.
        url: address of the file.
        sha256: of the file, hex; None where no public source gives it.
        sha256_source: where ``sha256`` is from, for the model card.
        thresholds: by label, on the scale of the sigmoid. An output that is not named here was not trained, and is
            dropped.
        datasets: training data; names of data sets from one source begin alike.
    """

    name: str
    url: str
    sha256: str | None
    sha256_source: str
    thresholds: dict[str, float]
    datasets: tuple[str, ...]

    @property
    def source(self) -> str:
        """Its name on the command line."""
        return f"torchxrayvision:{self.name}"

    @property
    def labels(self) -> tuple[str, ...]:
        """The trained outputs, in the order of :data:`OUTPUTS`."""
        return tuple(label for label in OUTPUTS if label in self.thresholds)


_CHEXPERT_OUTPUTS = (
    *("Atelectasis", "Consolidation", "Pneumothorax", "Edema", "Effusion", "Pneumonia", "Cardiomegaly"),
    *("Lung Lesion", "Fracture", "Lung Opacity", "Enlarged Cardiomediastinum"),
)
_PADCHEST_OUTPUTS = (*OUTPUTS[:14], "Fracture")


def _published(
    name: str,
    file: str,
    outputs: tuple[str, ...],
    thresholds: tuple[float, ...],
    datasets: tuple[str, ...],
    sha256: str | None = None,
    sha256_source: str = "no public material was found that gives it",
) -> PublishedWeights:
    points = dict(zip(outputs, thresholds, strict=True))
    return PublishedWeights(
        f"densenet121-res224-{name}", f"{_RELEASE}{file}{_ENDING}", sha256, sha256_source, points, datasets
    )


_ALL = (
    _published(
        "all",
        "nih-pc-chex-mimic_ch-google-openi-kaggle",
        OUTPUTS,
        (
            *(0.07422872, 0.038290843, 0.09814756, 0.0098118475, 0.023601074, 0.0022490358, 0.010060724, 0.103246614),
            *(0.056810737, 0.026791653, 0.050318155, 0.023985857, 0.01939503, 0.042889766, 0.053369623, 0.035975814),
            *(0.20204692, 0.05015312),
        ),
        (NIH, PADCHEST, CHEXPERT, MIMIC, GOOGLE, OPENI, RSNA),
        sha256="56524913dd16a906422e8d8b66a7a5c46be1d82eb7ac012d8103776f1aa68899",
        sha256_source="written down by more than five public repositories that use the file",
    ),
    _published(
        "nih",
        "nih",
        OUTPUTS[:14],
        (
            *(0.039117552, 0.0034529066, 0.11396341, 0.0057298196, 0.00045666535, 0.0018880932, 0.012037827),
            *(0.038744126, 0.0037213727, 0.014730946, 0.016149804, 0.054241467, 0.037198864, 0.0004403434),
        ),
        (NIH,),
    ),
    _published(
        "pc",
        "pc",
        _PADCHEST_OUTPUTS,
        (
            *(0.031012505, 0.013347598, 0.081435576, 0.001262615, 0.002587246, 0.0035944257, 0.0023071, 0.055412333),
            *(0.044385884, 0.042766232, 0.043258056, 0.037629247, 0.005658899, 0.0091741895, 0.026507627),
        ),
        (PADCHEST,),
        sha256="a9148ef62ae4e7a31a9bed8cef22811f39681cd61e4390398936efc6280af521",
        sha256_source="written down by one public repository that uses the file",
    ),
    _published(
        "chex",
        "chex",
        _CHEXPERT_OUTPUTS,
        (
            *(0.1988969, 0.05710573, 0.0531293, 0.1435217, 0.27212676, 0.07749717, 0.19712369),
            *(0.09932402, 0.09273402, 0.3270967, 0.10888247),
        ),
        (CHEXPERT,),
        sha256="1a914ae802170187a4852e594708206c12468eeeefd66aa4e8e26141649d61a4",
        sha256_source="written down by one public repository that uses the file",
    ),
    _published("rsna", "kaggle", ("Pneumonia", "Lung Opacity"), (0.13486601, 0.13511065), (RSNA,)),
    _published(
        "mimic_ch",
        "mimic_ch",
        _CHEXPERT_OUTPUTS,
        (
            *(0.09121389, 0.010573786, 0.005023008, 0.003698257, 0.08001232, 0.037242252, 0.05006329),
            *(0.019866971, 0.03823637, 0.11303808, 0.0069147074),
        ),
        (f"{MIMIC}, labelled by CheXpert's labeller",),
    ),
    _published(
        "mimic_nb",
        "mimic_nb",
        _CHEXPERT_OUTPUTS,
        (
            *(0.08558747, 0.011884617, 0.0040595434, 0.010733786, 0.118761964, 0.022924708, 0.06358637),
            *(0.022143636, 0.017476924, 0.1258702, 0.014020768),
        ),
        (f"{MIMIC}, labelled by NegBio",),
    ),
)

PUBLISHED: dict[str, PublishedWeights] = {weights.name: weights for weights in _ALL}
"""By name."""


def find_published(name: str) -> PublishedWeights:
    """Return published weights by name, also without ``densenet121-res224-``; raises WrongArguments."""
    for known in (name, f"densenet121-res224-{name}"):
        if known in PUBLISHED:
            return PUBLISHED[known]
    raise WrongArguments(f"torchxrayvision:{name[:60]}: unknown weights. Accepted: {', '.join(PUBLISHED)}.")


AUC_SOURCE = "torchxrayvision, BENCHMARKS.md of 23 July 2023"

PUBLISHED_AUC: dict[str, dict[str, dict[str, float]]] = {
    "densenet121-res224-all": {
        "NIH ChestX-ray14": {
            "Atelectasis": 0.76,
            "Cardiomegaly": 0.88,
            "Consolidation": 0.77,
            "Edema": 0.85,
            "Effusion": 0.85,
            "Emphysema": 0.73,
            "Fibrosis": 0.72,
            "Hernia": 0.91,
            "Infiltration": 0.68,
            "Mass": 0.80,
            "Nodule": 0.69,
            "Pleural_Thickening": 0.74,
            "Pneumonia": 0.71,
            "Pneumothorax": 0.75,
        },
        "PadChest": {
            "Atelectasis": 0.77,
            "Cardiomegaly": 0.93,
            "Consolidation": 0.88,
            "Edema": 0.97,
            "Effusion": 0.95,
            "Emphysema": 0.87,
            "Fibrosis": 0.94,
            "Fracture": 0.70,
            "Hernia": 0.96,
            "Infiltration": 0.85,
            "Mass": 0.85,
            "Nodule": 0.69,
            "Pleural_Thickening": 0.79,
            "Pneumonia": 0.82,
            "Pneumothorax": 0.81,
        },
        "CheXpert": {
            "Atelectasis": 0.91,
            "Cardiomegaly": 0.91,
            "Consolidation": 0.90,
            "Edema": 0.92,
            "Enlarged Cardiomediastinum": 0.78,
            "Fracture": 0.74,
            "Lung Lesion": 0.84,
            "Lung Opacity": 0.87,
            "Effusion": 0.94,
            "Pneumonia": 0.84,
            "Pneumothorax": 0.85,
        },
        "NIH ChestX-ray14, labelled by Google": {"Lung Opacity": 0.92, "Fracture": 0.74, "Pneumothorax": 0.85},
        "NIH ChestX-ray14, as in the RSNA Pneumonia Challenge": {"Lung Opacity": 0.88, "Pneumonia": 0.86},
        "NIH ChestX-ray14, as in the SIIM Pneumothorax Challenge": {"Pneumothorax": 0.79},
        "VinDr-CXR (VinBrain in the source)": {
            "Atelectasis": 0.67,
            "Cardiomegaly": 0.90,
            "Consolidation": 0.93,
            "Effusion": 0.87,
            "Infiltration": 0.86,
            "Lung Opacity": 0.85,
            "Pleural_Thickening": 0.84,
            "Pneumothorax": 0.93,
        },
    },
}
"""AUC by weights, data set and label: two decimals, without intervals or counts.

"Performance for predicting each pathology on 20 % of each dataset". The authors' ``scripts/model_calibrate.py`` draws
the 20 % by patient with seed 0; their training script drew by image. An AUC on a data set of the training may therefore
be partly on images that were seen in training.
"""
