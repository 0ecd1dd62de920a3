"""Made-up images and tables for tests: small, drawn from a seed, never a patient's."""

from __future__ import annotations

import csv
import dataclasses
import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.special import expit

from cxr_core.calibration.card_calibration import calibrate_card
from cxr_core.calibration.sample import CalibrationSource, ScoredImages
from cxr_core.datasets.table import MINED, ImageTable
from cxr_core.imaging import phantom, phantom_dicom
from cxr_core.labels import LABELS, NO_FINDING
from cxr_core.metrics import BootstrapOptions
from cxr_core.model import Predictor, write_card
from cxr_core.model.card import OperatingPoint, Threshold
from cxr_core.model.folder import CARD, open_model, write_sums
from cxr_core.model.predictor import open_engine
from cxr_core.reading import read_image

COLUMNS = (
    "Image Index",
    "Finding Labels",
    "Follow-up #",
    "Patient ID",
    "Patient Age",
    "Patient Gender",
    "View Position",
)


def made_up_dataset(
    folder: Path, patients: int = 12, images: int = 3, side: int = 64, seed: int = 0
) -> tuple[Path, Path]:
    """Write phantoms with a bright square for each label of Mass and Effusion; return (images, table)."""
    rng = np.random.default_rng(seed)
    directory = folder / "images"
    directory.mkdir(parents=True)
    base = (phantom(side, side) >> 4).astype(np.uint8)
    rows = []
    for patient in range(1, patients + 1):
        for number in range(images):
            labels = [label for label in ("Effusion", "Mass") if rng.random() < 0.4]
            # a structure of its own: two images are not the same picture
            grains = np.random.default_rng([seed, patient, number]).normal(0, 40, (12, 12)).astype(np.float32)
            structure = np.asarray(Image.fromarray(grains).resize((side, side)))
            image = base + structure + rng.integers(-10, 10, base.shape)
            image = np.clip(image, 0, 255).astype(np.uint8)
            for label in labels:
                corner = 8 if label == "Mass" else side - 24
                image[corner : corner + 12, 8:20] = 255
            name = f"{patient:08d}_{number:03d}.png"
            Image.fromarray(image).save(directory / name)
            rows.append((name, "|".join(labels) or NO_FINDING, number, patient, 40 + patient, "MF"[patient % 2], "PA"))
    with (folder / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    assert {"Effusion", "Mass"} <= set(LABELS)
    return directory, folder / "table.csv"


def mixed_images(folder: Path, count: int, side: int = 64) -> None:
    """Write an archive of PNG and DICOM files in three folders, and among every 16 of them three that are refused.

    Of 16 files one is text, one is truncated, one is a CT; one has two windows. None has the bytes of another.
    """
    for number in range(count):
        path = folder / f"year {number % 3}" / f"{number:05d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = phantom(side, side - 8, seed=number)
        kind = number % 16
        if kind == 5:
            path.with_suffix(".txt").write_text(f"no image {number}")
        elif kind == 7:
            path.with_suffix(".dcm").write_bytes(phantom_dicom(values=image)[: 3000 + number])
        elif kind == 9:
            path.with_suffix(".dcm").write_bytes(phantom_dicom(values=image, Modality="CT"))
        elif kind == 11:
            windows = {"WindowCenter": [2048, 1700], "WindowWidth": [4096, 2800]}
            path.with_suffix(".dcm").write_bytes(phantom_dicom(values=image, **windows))
        elif number % 2:
            path.with_suffix(".dcm").write_bytes(phantom_dicom(values=image))
        else:
            Image.fromarray((image >> 4).astype(np.uint8)).save(path.with_suffix(".png"))


SLOPE, INTERCEPT = 0.8, -1.0
"""The curve that made-up scores follow: log-odds of a label are 0.8 x logit - 1."""


def made_up_scores(
    patients: int = 300, images: int = 2, seed: int = 0, *, labels: tuple[str, ...] = LABELS, rare: tuple[str, ...] = ()
) -> ScoredImages:
    """Return logits drawn from a seed, and labels that follow them by a known curve.

    Labels in ``rare`` are on the images of four patients at most.
    """
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(patients), images)
    logits = rng.normal(size=(patients, len(labels)))[who] + rng.normal(scale=0.6, size=(len(who), len(labels))) - 1
    positive = rng.random(logits.shape) < expit(SLOPE * logits + INTERCEPT)
    for c, label in enumerate(labels):
        if label in rare:
            positive[who >= 4, c] = False
    nothing = np.full(len(who), "")
    table = ImageTable(
        labels=labels,
        names=np.array([f"{row}.png" for row in range(len(who))]),
        paths=np.array([Path(f"{row}.png") for row in range(len(who))], dtype=object),
        positive=positive,
        patients=who,
        ages=np.full(len(who), np.nan),
        sexes=nothing,
        views=nothing,
        sources=np.full(len(who), "made-up"),
        references=np.full(len(who), MINED),
    )
    return ScoredImages(labels, table, logits, np.abs(logits).astype(np.float32) / 50)


def calibrated_copies(home: Path) -> None:
    """Copy the embedded model and calibrate it on made-up scores; Hernia and Pneumonia are too rare there.

    The copy ``consecutive`` says that its images were taken so; ``enriched`` is the same and says otherwise.
    """
    embedded = open_model("second-read-mini")
    scored = made_up_scores(rare=("Hernia", "Pneumonia"))
    card = calibrate_card(
        embedded.card, scored, CalibrationSource("made-up images", "consecutive"), options=BootstrapOptions(100)
    )
    for sampling in ("consecutive", "enriched"):
        folder = shutil.copytree(embedded.path, home / sampling)
        how = dataclasses.replace(card.calibration, sampling=sampling)
        write_card(dataclasses.replace(card, id=sampling, calibration=how), folder / CARD)
        write_sums(folder)


def edge_copy(folder: Path, data: bytes, label: str = "Effusion", change: str = "crop-4") -> None:
    """Copy the embedded model with thresholds for one image: a small change moves one label across its threshold.

    The threshold of ``label`` lies between its scores of the image as it is and after ``change``; all others are far
    from theirs. They are published thresholds, which need no counts, and the copy is not calibrated.
    """
    embedded = open_model("second-read-mini")
    _, reading = read_image(data, Predictor(embedded, open_engine(embedded, "openvino")), stability=True)
    changed = next(changed for changed in reading.under_changes if changed.change == change)
    values = {finding.label: float(expit(finding.logit + 5)) for finding in reading.findings}
    logits = [f.logit for f in (*reading.findings, *changed.findings) if f.label == label]
    assert abs(logits[1] - logits[0]) > 0.02
    values[label] = float(expit(np.mean(logits)))
    thresholds = {name: Threshold(value, source="a test") for name, value in values.items()}
    point = OperatingPoint("default", "set by a test", "one image", thresholds)
    shutil.copytree(embedded.path, folder)
    card = dataclasses.replace(
        embedded.card, id=folder.name, calibration=None, stability=None, operating_points={"default": point}
    )
    write_card(card, folder / CARD)
    write_sums(folder)
