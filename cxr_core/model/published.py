"""Weights that others have published for this very network, and what they published with them.

Source: torchxrayvision 1.5.7, ``models.py`` (https://github.com/mlmed/torchxrayvision, Apache-2.0): addresses,
labels and operating points. Their SHA-256 stand in no place of the authors'; those here were written down by
others who use the files, and ``witness`` says by how many.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import WrongArguments

__all__ = ["OUTPUTS", "PUBLISHED", "Published", "find_published"]

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
"""What the 18 outputs of every one of these networks are for."""

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
class Published:
    """One file of weights.

    Attributes:
        name: of the weights, and of the model that is made of them.
        url: where it is downloaded.
        sha256: of the file, hex, or None where nobody is known to have written it down.
        witness: who did, in words.
        thresholds: by label, on the scale of the sigmoid. An output that is not named here was not
            trained, and is dropped.
        datasets: what it was trained on; images of one source begin with one name.
    """

    name: str
    url: str
    sha256: str | None
    witness: str
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
    witness: str = "no public material was found that gives it",
) -> Published:
    points = dict(zip(outputs, thresholds, strict=True))
    return Published(f"densenet121-res224-{name}", f"{_RELEASE}{file}{_ENDING}", sha256, witness, points, datasets)


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
        witness="written down by more than five public repositories that use the file",
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
        witness="written down by one public repository that uses the file",
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
        witness="written down by one public repository that uses the file",
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

PUBLISHED: dict[str, Published] = {weights.name: weights for weights in _ALL}
"""By name."""


def find_published(name: str) -> Published:
    """Return published weights by name, also without ``densenet121-res224-``; raises WrongArguments."""
    for known in (name, f"densenet121-res224-{name}"):
        if known in PUBLISHED:
            return PUBLISHED[known]
    raise WrongArguments(f"torchxrayvision:{name[:60]}: unknown weights. Accepted: {', '.join(PUBLISHED)}.")
