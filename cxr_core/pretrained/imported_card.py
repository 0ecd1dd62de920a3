"""Model cards of imported weights: what was published with them, and what was not."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import keras

from ..estimate import Estimate
from ..formatting import shown_name
from ..imaging import InputExposure, describe_exposure
from ..labels import CAVEATS, LABELS, not_looked_for
from ..model.card import Architecture, Imported, InputSpec, MetricTable, ModelCard, OperatingPoint, Threshold
from ..model.network import FEATURES_LAYER, LOGITS_LAYER, STEM
from ..model.training_record import TrainingRecord
from .catalogue import AUC_SOURCE, PUBLISHED_AUC, PublishedWeights
from .preprocessing import Normalisation, Preset

__all__ = ["ANCHOR_ODDS", "NOT_VERIFIED", "NewModel", "file_card", "published_card", "with_exposure"]

ANCHOR_ODDS = 1.5
ANCHOR_RULE = (
    f"a cell that alone multiplies the odds by {ANCHOR_ODDS:g} (a contribution of {math.log(ANCHOR_ODDS):.2f} to the "
    "logit), the same for every label: no validation images came with the weights to measure a scale on"
)

THRESHOLD_SOURCE = "published by the authors; the patients behind it are not stated"

NOT_VERIFIED = "weights not verified by hash"
"""Appended to the title and to every published number of a model whose file is not proved to be the published one."""

_MORE_CAVEATS = {
    "Enlarged Cardiomediastinum": "On AP and supine images the mediastinum is magnified; overlaps cardiomegaly.",
    "Lung Opacity": "An umbrella term: consolidation, edema, atelectasis, masses and others count as it too.",
    "Lung Lesion": "Overlaps nodule and mass.",
    "Fracture": "A thin fracture line is lost at the network's resolution.",
}

_UNKNOWN_HOSPITAL = "Its accuracy on your hospital's images is not known. Frontal images of adults only."

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
class NewModel:
    """The converted model: id, network, and the SHA-256 of its files by name."""

    id: str
    network: keras.Model
    weights_sha256: str
    files: dict[str, str]


def published_card(published: PublishedWeights, imported: Imported, model: NewModel, *, verified: bool) -> ModelCard:
    """Return the card of weights published by torchxrayvision.

    Args:
        published: entry of the catalogue.
        imported: origin of the file.
        model: the converted model.
        verified: whether the file's SHA-256 is the known one of the published file.
    """
    labels = published.labels
    doubt = "" if verified else f"; {NOT_VERIFIED}"
    point = OperatingPoint(
        name="default",
        rule=f"largest sum of sensitivity and specificity for each label, by the authors' script{doubt}",
        images="a part of the training data sets that the authors do not list",
        thresholds={label: Threshold(published.thresholds[label], source=THRESHOLD_SOURCE + doubt) for label in labels},
    )
    identity = (
        "Whether these weights are the published ones was not proved: the file's SHA-256 was compared with "
        f"{imported.checked}."
    )
    published_auc = PUBLISHED_AUC.get(published.name, {})
    return _card(
        model,
        replace(imported, verified=verified),
        title=f"DenseNet121 of torchxrayvision: {published.name}"
        if verified
        else f"DenseNet121 imported as torchxrayvision's {published.name}, {NOT_VERIFIED}",
        labels=labels,
        input_spec=InputSpec(
            size=224,
            scaling="displayed grey in [0, 1]; the graph scales it to -1024..1024, as the authors do",
            fit="crop",
            resampling="torchxrayvision",
        ),
        initialisation="random weights, as the authors' training script starts",
        transfer_learned=False,
        training=TrainingRecord(
            datasets=published.datasets,
            augmentation="rotation to 45 degrees, shift to 15 %, scaling by 15 % (from the file's name)",
            horizontal_flip=False,
        ),
        point=point,
        metrics=tuple(_auc_table(dataset, auc, published, doubt) for dataset, auc in published_auc.items()),
        limits=(
            *(() if verified else (identity,)),
            f"Each threshold was set for one label alone: with {len(labels)} labels most images without findings have "
            "some label above its threshold. The proportion was not published.",
            "It sees 224 x 224 pixels: small nodules and thin lines are lost before it reads the image.",
            "It sees the centre square of the image: what lies outside is marked as not seen.",
            "Its labels were extracted from reports, by rules that differ between the data sets.",
            "Its outputs are scores, not probabilities: nothing was published to calibrate them with.",
            "Its published AUC have no intervals, and may partly be on images that were seen in training."
            if published_auc
            else "No AUC of it was found published.",
            _UNKNOWN_HOSPITAL,
        ),
        licence="Apache-2.0, as the repository that publishes the weights; the data sets they were trained on have "
        "terms of their own, some for research only.",
        citations=(
            "Cohen et al., TorchXRayVision: A library of chest X-ray datasets and models, MIDL 2022, arXiv 2111.00595. "
            "https://github.com/mlmed/torchxrayvision",
            "Cohen et al., On the limits of cross-domain generalization in automated X-ray prediction, MIDL 2020, "
            "arXiv 2002.02497",
            *_citations(published.datasets),
            _DENSENET,
        ),
    )


def with_exposure(card: ModelCard, exposure: InputExposure) -> ModelCard:
    """Return the card of a model whose input has an exposure that was chosen at the import, and not by its authors."""
    if exposure == "none":
        return card
    limit = (
        f"The exposure of its input was chosen at the import ({describe_exposure(exposure).partition(': ')[2]}); its "
        "authors did not do this, so thresholds and numbers that they published may not hold. Compare it with the "
        "same weights imported without it."
    )
    return replace(card, input=replace(card.input, exposure=exposure), limits=(*card.limits, limit))


def file_card(
    kind: str,
    labels: tuple[str, ...],
    size: int,
    normalisation: Normalisation,
    imported: Imported,
    model: NewModel,
    *,
    preset: Preset | None = None,
) -> ModelCard:
    """Return the card of a weights file of unknown origin: no label has an operating point.

    Args:
        kind: ``Keras`` or ``torch``.
        labels: of its outputs.
        size: side of its input, pixels.
        normalisation: part of its graph.
        imported: origin of the file.
        model: the converted model.
        preset: the repository that the user named.
    """
    reason = "no operating point came with the weights"
    colour = model.network.get_layer(STEM).weights[0].shape[2] == 3
    order = "in NIH's order of labels" if labels == LABELS else "by the labels given at the import"
    naming = f"by the labels of {preset.url}" if preset else order
    return _card(
        model,
        # a preset names a repository, which no hash confirms
        replace(imported, file=shown_name(imported.file), verified=False if preset else imported.verified),
        title=f"DenseNet121 from the {kind} file {shown_name(imported.file).partition(' (')[0]}"
        + (f", read as {preset.name}'s, {NOT_VERIFIED}" if preset else ""),
        labels=labels,
        input_spec=InputSpec(
            size=size,
            scaling=f"displayed grey in [0, 1]{', on three channels' if colour else ''}, {normalisation.description}",
            fit="crop" if kind == "torch" else "pad",
            crop_fraction=preset.crop_fraction if preset else 1.0,
        ),
        initialisation="not stated in the file",
        transfer_learned=None,
        training=TrainingRecord(datasets=()),
        point=OperatingPoint(
            name="default",
            rule="none",
            images="no images",
            thresholds={label: Threshold(None, reason=reason) for label in labels},
        ),
        metrics=(),
        limits=(
            "The file holds nothing but weights: who trained them, on what data, and how good they are is not known.",
            f"Its outputs are named {naming}. With another order every name is wrong: compare it on images whose "
            "findings are known.",
            f"Its input is {normalisation.description}, as stated at the import. Weights that were trained on other "
            "values give wrong scores without a sign of it.",
            *((preset.difference,) if preset and preset.difference else ()),
            "No label has an operating point: none is evaluated, and none is called above or below.",
            "Its outputs are scores, not probabilities; each is read as a sigmoid of its own.",
            _UNKNOWN_HOSPITAL,
        ),
        licence="Not stated in the file. Ask its source.",
        citations=(*((preset.url,) if preset else ()), _DENSENET),
    )


def _card(
    model: NewModel,
    imported: Imported,
    *,
    title: str,
    labels: tuple[str, ...],
    input_spec: InputSpec,
    initialisation: str,
    transfer_learned: bool | None,
    training: TrainingRecord,
    point: OperatingPoint,
    metrics: tuple[MetricTable, ...],
    limits: tuple[str, ...],
    licence: str,
    citations: tuple[str, ...],
) -> ModelCard:
    return ModelCard(
        id=model.id,
        version="1",
        title=title,
        demonstration=False,
        labels=labels,
        input=input_spec,
        architecture=Architecture(
            name=f"DenseNet121, global average pooling, {len(labels)} logits",
            features_layer=FEATURES_LAYER,
            head=LOGITS_LAYER,
            parameters=int(model.network.count_params()),
            initialisation=initialisation,
            transfer_learned=transfer_learned,
        ),
        training=training,
        counts={},
        weights_sha256=model.weights_sha256,
        operating_points={point.name: point},
        map_anchors=dict.fromkeys(labels, math.log(ANCHOR_ODDS)),
        map_anchor_rule=ANCHOR_RULE,
        metrics=metrics,
        limits=limits,
        not_looked_for=not_looked_for(labels),
        caveats={label: text for label, text in (CAVEATS | _MORE_CAVEATS).items() if label in labels},
        licence=licence,
        citations=citations,
        files=model.files,
        imported=imported,
    )


def _auc_table(dataset: str, auc: dict[str, float], published: PublishedWeights, doubt: str) -> MetricTable:
    source = dataset.partition(",")[0]
    seen = "; images possibly seen in training" if any(d.startswith(source) for d in published.datasets) else ""
    return MetricTable(
        name=f"published: {dataset}{doubt}",
        metric="AUC",
        images=f"20 % of the data set, drawn by patient by the authors' script{seen}",
        reference="the data set's own labels",
        number_of_images=None,
        number_of_patients=None,
        interval=f"none published ({AUC_SOURCE})",
        per_label={label: Estimate(value, reason=f"not published{doubt}") for label, value in auc.items()},
    )


def _citations(datasets: tuple[str, ...]) -> tuple[str, ...]:
    """Return the sources of data sets, each once: relabelled images of NIH cite NIH as well."""
    citations = [
        citation for dataset in datasets for name, citation in _DATA_CITATIONS.items() if dataset.startswith(name)
    ]
    return tuple(dict.fromkeys(citations))
