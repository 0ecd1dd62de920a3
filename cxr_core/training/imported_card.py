"""The card of a model that was not trained here: what was published with it, and what was not."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import keras

from ..labels import CAVEATS, LABELS, not_looked_for
from ..model.card import (
    Architecture,
    Imported,
    InputSpec,
    Metric,
    MetricTable,
    ModelCard,
    OperatingPoint,
    Threshold,
    TrainingRecord,
)
from ..model.network import FEATURES_LAYER, LOGITS_LAYER, STEM
from ..model.normalisation import Normalisation
from ..model.presets import Preset
from ..model.published import Published
from ..model.published_auc import AUC_SOURCE, PUBLISHED_AUC
from ..shown import shown_name

__all__ = ["ANCHOR_ODDS", "NOT_VERIFIED", "Blank", "file_card", "published_card"]

ANCHOR_ODDS = 1.5
ANCHOR_RULE = (
    f"a cell that alone multiplies the odds by {ANCHOR_ODDS:g} (ln {ANCHOR_ODDS:g} = {math.log(ANCHOR_ODDS):.2f} logit "
    "units), the same for every label: no validation films came with the weights to measure a scale on"
)

THRESHOLD_SOURCE = "published by the authors; the patients behind it are not stated"

NOT_VERIFIED = "weights not verified by hash"
"""Stands in the title and at every published number of a model whose file is not proved to be the published one."""

_MORE_CAVEATS = {
    "Enlarged Cardiomediastinum": "On AP and supine films the mediastinum is magnified; overlaps cardiomegaly.",
    "Lung Opacity": "An umbrella term: consolidation, edema, atelectasis, masses and others count as it too.",
    "Lung Lesion": "Overlaps nodule and mass.",
    "Fracture": "A thin fracture line is lost at the network's resolution.",
}

_DENSENET = "Huang et al., Densely Connected Convolutional Networks, CVPR 2017"
_DATA_CITATIONS = {
    "NIH ChestX-ray14": "Wang et al., ChestX-ray8, CVPR 2017, doi 10.1109/CVPR.2017.369. Images: NIH Clinical Center",
    "PadChest": "Bustos et al., PadChest, Medical Image Analysis 2020, doi 10.1016/j.media.2020.101797",
    "CheXpert": "Irvin et al., CheXpert, AAAI 2019, arXiv 1901.07031",
    "MIMIC-CXR": "Johnson et al., MIMIC-CXR, Scientific Data 2019, doi 10.1038/s41597-019-0322-0",
    "NIH ChestX-ray14, labelled by Google": "Majkowska et al., Radiology 2020, doi 10.1148/radiol.2019191293",
    "OpenI": "Demner-Fushman et al., JAMIA 2016, doi 10.1093/jamia/ocv080",
    "NIH ChestX-ray14, as in the RSNA": "Shih et al., Radiology: Artificial Intelligence 2019, "
    "doi 10.1148/ryai.2019180041",
}


@dataclass(frozen=True)
class Blank:
    """What only the finished folder knows: id, network, and the hashes of its files."""

    id: str
    network: keras.Model
    weights_sha256: str
    files: dict[str, str]


def published_card(published: Published, imported: Imported, blank: Blank, *, same_file: bool) -> ModelCard:
    """Return the card of weights of torchxrayvision.

    Args:
        published: what is known of them.
        imported: the file.
        blank: the folder.
        same_file: whether the file's SHA-256 is the known one of the published file.
    """
    labels = published.labels
    doubt = "" if same_file else f"; {NOT_VERIFIED}"
    thresholds = {label: Threshold(published.thresholds[label], source=THRESHOLD_SOURCE + doubt) for label in labels}
    point = OperatingPoint(
        name="default",
        rule=f"largest sum of sensitivity and specificity for each label, by the authors' script{doubt}",
        films="a part of the training data sets that the authors do not list",
        thresholds=thresholds,
    )
    identity = (
        "Whether these weights are the published ones was not proved: the file's SHA-256 was compared with "
        f"{imported.checked}."
    )
    benchmarks = PUBLISHED_AUC.get(published.name, {})
    return ModelCard(
        version="1",
        title=f"DenseNet121 of torchxrayvision: {published.name}"
        if same_file
        else f"DenseNet121 imported as torchxrayvision's {published.name}, {NOT_VERIFIED}",
        labels=labels,
        input=InputSpec(
            size=224,
            scaling="displayed grey in [0, 1]; the graph takes it to -1024..1024, as the authors do",
            fit="crop",
            resampling="torchxrayvision",
        ),
        training=TrainingRecord(
            datasets=published.datasets,
            augmentation="rotation to 45 degrees, shift to 15 %, scaling by 15 % (from the file's name)",
            horizontal_flip=False,
        ),
        operating_points={"default": point},
        metrics=tuple(_auc_table(where, values, published, doubt) for where, values in benchmarks.items()),
        limits=(
            *(() if same_file else (identity,)),
            f"Each threshold was set for one label by itself: with {len(labels)} labels most films without findings "
            "have some label above. Which share, nobody published.",
            "It sees 224 x 224 pixels: small nodules and thin lines are lost before it looks.",
            "It sees the centre square of the film: what lies outside is marked as not seen.",
            "Its labels were mined from reports, by rules that differ between the data sets.",
            "Its outputs are scores, not probabilities: nothing was published to calibrate them with.",
            "Its published AUC have no intervals, and may partly be on images that were seen in training."
            if benchmarks
            else "How good it is was not published, or not where it was looked for.",
            "Nothing is known of your hospital's films. Frontal films of adults only.",
        ),
        licence="Apache-2.0, as the repository that publishes the weights; the data sets they were trained on have "
        "terms of their own, some for research only.",
        citations=(
            "Cohen et al., TorchXRayVision: A library of chest X-ray datasets and models, MIDL 2022, arXiv 2111.00595. "
            "https://github.com/mlmed/torchxrayvision",
            "Cohen et al., On the limits of cross-domain generalization in automated X-ray prediction, MIDL 2020, "
            "arXiv 2002.02497",
            *_citations_of(published.datasets),
            _DENSENET,
        ),
        **_common(
            labels,
            replace(imported, verified=same_file),
            blank,
            "random weights, as the authors' training script starts",
            False,
        ),
    )


def file_card(
    kind: str,
    labels: tuple[str, ...],
    size: int,
    normalisation: Normalisation,
    imported: Imported,
    blank: Blank,
    *,
    preset: Preset | None = None,
) -> ModelCard:
    """Return the card of a weights file of unknown origin: no label has an operating point.

    Args:
        kind: ``Keras`` or ``torch``.
        labels: of its outputs.
        size: side of its input.
        normalisation: what its graph does to grey values first.
        imported: the file.
        blank: the folder.
        preset: the repository that the user named.
    """
    nothing = "no operating point came with the weights"
    point = OperatingPoint(
        name="default",
        rule="none",
        films="no films",
        thresholds={label: Threshold(None, reason=nothing) for label in labels},
    )
    colour = blank.network.get_layer(STEM).weights[0].shape[2] == 3
    channels = ", on three channels" if colour else ""
    order = "by NIH's order of labels" if labels == LABELS else "by the labels given at the import"
    of = f"by the labels of {preset.url}" if preset else order
    return ModelCard(
        version="1",
        title=f"DenseNet121 from the {kind} file {shown_name(imported.file).partition(' (')[0]}"
        + (f", read as {preset.name}'s, {NOT_VERIFIED}" if preset else ""),
        labels=labels,
        input=InputSpec(
            size=size,
            scaling=f"displayed grey in [0, 1]{channels}, {normalisation.words}",
            fit="crop" if kind == "torch" else "pad",
            crop_fraction=preset.crop_fraction if preset else 1.0,
        ),
        training=TrainingRecord(datasets=()),
        operating_points={"default": point},
        metrics=(),
        limits=(
            "Nothing came with the weights but the numbers: who trained them, on what, and how good they are is not "
            "known here.",
            f"Its outputs are named {of}. With another order every name is wrong: compare it on images whose "
            "findings are known.",
            f"Its input is {normalisation.words}, as stated at the import. Weights that were trained on other values "
            "give wrong scores without a sign of it.",
            *((preset.differs,) if preset and preset.differs else ()),
            "No label has an operating point: it is not evaluated, and nothing is said to be above or below.",
            "Its outputs are scores, not probabilities; each is taken as one sigmoid.",
            "Nothing is known of your hospital's films. Frontal films of adults only.",
        ),
        licence="Not stated in the file. Ask who gave it to you.",
        citations=(*((preset.url,) if preset else ()), _DENSENET),
        **_common(
            labels,
            # it wears a repository's name, which no hash confirms
            replace(imported, file=shown_name(imported.file), verified=False if preset else imported.verified),
            blank,
            "not stated in the file",
            None,
        ),
    )


def _common(
    labels: tuple[str, ...], imported: Imported, blank: Blank, start: str, transfer_learned: bool | None
) -> dict[str, object]:
    return {
        "id": blank.id,
        "demonstration": False,
        "architecture": Architecture(
            name=f"DenseNet121, global average pooling, {len(labels)} logits",
            features_layer=FEATURES_LAYER,
            head=LOGITS_LAYER,
            parameters=int(blank.network.count_params()),
            initialisation=start,
            transfer_learned=transfer_learned,
        ),
        "counts": {},
        "weights_sha256": blank.weights_sha256,
        "map_anchors": dict.fromkeys(labels, math.log(ANCHOR_ODDS)),
        "map_anchor_rule": ANCHOR_RULE,
        "not_looked_for": not_looked_for(labels),
        "caveats": {label: words for label, words in (CAVEATS | _MORE_CAVEATS).items() if label in labels},
        "files": blank.files,
        "imported": imported,
    }


def _auc_table(where: str, values: dict[str, float], published: Published, doubt: str) -> MetricTable:
    name = where.partition(",")[0]
    seen = "; images possibly seen in training" if any(d.startswith(name) for d in published.datasets) else ""
    return MetricTable(
        name=f"published: {where}{doubt}",
        metric="AUC",
        films=f"20 % of the data set, drawn by patient by the authors' script{seen}",
        reference="the data set's own labels",
        number_of_films=None,
        number_of_patients=None,
        interval=f"none published ({AUC_SOURCE})",
        per_label={
            label: Metric(value, None, None, None, f"published without interval{doubt}")
            for label, value in values.items()
        },
    )


def _citations_of(datasets: tuple[str, ...]) -> tuple[str, ...]:
    """Return the sources of data sets, each once: images of NIH are NIH's under every name."""
    found = []
    for dataset in datasets:
        found += [words for start, words in _DATA_CITATIONS.items() if dataset.startswith(start)]
    return tuple(dict.fromkeys(found))
