"""What the card of a trained model says before anything is measured: its data, its training, its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..calibration.card_calibration import ANCHOR_RULE
from ..datasets.batches import POLICIES
from ..datasets.splits import Split
from ..datasets.table import EXPERTS, MINED, ImageTable
from ..labels import CAVEATS, not_looked_for
from ..model.card import Architecture, InputSpec, ModelCard
from ..model.network import FEATURES_LAYER, LOGITS_LAYER
from ..model.training_record import DataSummary, LossBalance, StageEnd, TrainingRecord
from .class_weights import LOSS_DESCRIPTIONS, class_weights, loss_contributions
from .plan import Plan, stages_text
from .recipe import Recipe

__all__ = ["trained_card", "training_record"]

_METHOD = (
    "Huang et al., Densely Connected Convolutional Networks, CVPR 2017",
    "Prajwal M and Jalaja G, X-Ray Image Classifier Using DenseNet",
)
_NIH = (
    "Wang et al., ChestX-ray8, CVPR 2017, doi 10.1109/CVPR.2017.369. Images: NIH Clinical Center, "
    "https://nihcc.app.box.com/v/ChestXray-NIHCC",
    "Majkowska et al., Radiology 2020, doi 10.1148/radiol.2019191293, and Nabulsi et al., Scientific Reports "
    "2021, arXiv 2010.11375: expert labels, for research and educational purposes only",
)


def training_record(
    plan: Plan,
    split: Split,
    images: Mapping[str, ImageTable],
    history: Sequence[Mapping[str, float]],
    near_duplicates: str,
) -> TrainingRecord:
    """Return what the card says of a training.

    Args:
        plan, split: of the training.
        images: by subset, all with the same labels.
        history: its log.
        near_duplicates: the result of the search for them, as text.
    """
    train, validation = images["train"], images["validation"]
    every = ImageTable.join([table for table in images.values() if len(table)])
    weights = class_weights(train.positive, plan.loss)
    contributions = loss_contributions(train.positive.mean(axis=0, dtype=np.float64), weights)
    return TrainingRecord(
        datasets=tuple(sorted(set(every.sources.tolist()))),
        images=len(train),
        patients=len(np.unique(train.patients)),
        validation_images=len(validation),
        validation_patients=len(np.unique(validation.patients)),
        split=split.name,
        split_sha256=split.sha256,
        stages=stages_text(plan.stages),
        augmentation=plan.policy,
        horizontal_flip=POLICIES[plan.policy].flip,
        loss=LOSS_DESCRIPTIONS[plan.loss],
        seed=plan.seed,
        history=tuple(dict(row) for row in history),
        balance={label: LossBalance(*row) for label, row in zip(train.labels, contributions.tolist(), strict=True)},
        patience=plan.patience,
        stage_ends=_stage_ends(plan, history, len(train)) if plan.patience else (),
        average=plan.average,
        precision=plan.precision,
        near_duplicates=near_duplicates,
    )


def _stage_ends(plan: Plan, history: Sequence[Mapping[str, float]], images: int) -> tuple[StageEnd, ...]:
    ends = []
    for number, stage in enumerate(plan.stages):
        rows = [row for row in history if row["stage"] == number and not np.isnan(row["validation_auc"])]
        if rows:
            # the first of equals, as in the training
            best = max(rows, key=lambda row: row["validation_auc"])
            steps = plan.steps(stage, images)
            ends.append(StageEnd(number, int(rows[-1]["step"]), steps, int(best["step"]), best["validation_auc"]))
    return tuple(ends)


def trained_card(
    recipe: Recipe, record: TrainingRecord, summary: DataSummary, parameters: int, files: Mapping[str, str]
) -> ModelCard:
    """Return the card without measurements: no metrics, operating points, calibration or map anchors.

    Args:
        recipe: of the training; the card has the labels of its images.
        record: of :func:`training_record`.
        summary: of all subsets and test sets.
        parameters: of the network.
        files: SHA-256 of the folder's files by name, ``model.keras`` first.
    """
    plan, labels = recipe.plan, recipe.images.labels
    spec = InputSpec(size=plan.stages[-1].size, fit=plan.fit, detail=plan.detail, exposure=plan.exposure)
    nih = set(recipe.images.references.tolist()) <= {MINED, EXPERTS}
    return ModelCard(
        id=recipe.id,
        version=recipe.version,
        title=f"DenseNet121 on {'ChestX-ray14' if nih else ', '.join(record.datasets)}",
        demonstration=True,
        labels=labels,
        input=spec,
        architecture=Architecture(
            name=f"DenseNet121, global average pooling, {len(labels)} logits",
            features_layer=FEATURES_LAYER,
            head=LOGITS_LAYER,
            parameters=parameters,
            initialisation=_initialisation_name(recipe.initialisation),
            transfer_learned=recipe.initialisation != "random",
        ),
        training=record,
        counts={name: subset.per_label for name, subset in summary.parts.items()},
        weights_sha256=next(iter(files.values())),
        operating_points={},
        map_anchors={},
        map_anchor_rule=ANCHOR_RULE,
        metrics=(),
        limits=_limits(recipe, record, spec),
        not_looked_for=not_looked_for(labels),
        caveats={label: CAVEATS[label] for label in labels if label in CAVEATS},
        licence="Weights: for research and education, as the labels that measured them. Code: Apache-2.0."
        if nih
        else "Weights: as the licence of the images and labels allows. Code: Apache-2.0.",
        citations=(*(_NIH if nih else ()), *_METHOD),
        files=dict(files),
    )


def _initialisation_name(initialisation: str) -> str:
    named = {"random": "random weights", "imagenet": "ImageNet weights of Keras"}
    return named.get(initialisation, f"local weights file {Path(initialisation).name}")


def _limits(recipe: Recipe, record: TrainingRecord, spec: InputSpec) -> tuple[str, ...]:
    detail = spec.detail or spec.size
    start = "" if recipe.initialisation != "random" else " from random weights, not transfer-learned"
    references = set(recipe.images.references.tolist())
    return (
        f"A demonstration: trained on {record.images:,} images of {record.patients:,} patients{start}. "
        "It shows that every part works on real X-rays; it is not a clinical model.",
        f"It sees {detail} x {detail} pixels of detail: small nodules and thin lines are not resolved.",
        "Its labels were mined from reports by NIH and are noisy."
        if references == {MINED}
        else "Its labels are those of the tables it was trained on, as they stand there.",
        "All images come from one hospital. Performance at other hospitals is unknown."
        if references <= {MINED, EXPERTS}
        else "Nothing is known of images from hospitals other than those of its training images.",
        "Frontal images of adults only; not intended for lateral images, images of children or other body parts.",
    )
