"""Made-up films and tables for tests: small, drawn from a seed, never a patient's."""

from __future__ import annotations

import csv
import dataclasses
import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.special import expit

from cxr_core.imaging import phantom, phantom_dicom
from cxr_core.labels import LABELS, NO_FINDING
from cxr_core.model import write_card
from cxr_core.model.folder import CARD, open_model, write_sums
from cxr_core.training.calibrate import Scored, calibrated
from cxr_core.training.sample import Origin
from cxr_core.training.table import MINED, FilmTable

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
    folder: Path, patients: int = 12, films: int = 3, side: int = 64, seed: int = 0
) -> tuple[Path, Path]:
    """Write phantoms with a bright square for each label of Mass and Effusion; return (images, table)."""
    rng = np.random.default_rng(seed)
    images = folder / "images"
    images.mkdir(parents=True)
    base = (phantom(side, side) >> 4).astype(np.uint8)
    rows = []
    for patient in range(1, patients + 1):
        for number in range(films):
            labels = [label for label in ("Effusion", "Mass") if rng.random() < 0.4]
            # a structure of its own: two films are not the same picture
            grains = np.random.default_rng([seed, patient, number]).normal(0, 40, (12, 12)).astype(np.float32)
            own = np.asarray(Image.fromarray(grains).resize((side, side)))
            film = base + own + rng.integers(-10, 10, base.shape)
            film = np.clip(film, 0, 255).astype(np.uint8)
            for label in labels:
                corner = 8 if label == "Mass" else side - 24
                film[corner : corner + 12, 8:20] = 255
            name = f"{patient:08d}_{number:03d}.png"
            Image.fromarray(film).save(images / name)
            rows.append((name, "|".join(labels) or NO_FINDING, number, patient, 40 + patient, "MF"[patient % 2], "PA"))
    with (folder / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    assert {"Effusion", "Mass"} <= set(LABELS)
    return images, folder / "table.csv"


def mixed_films(folder: Path, count: int, side: int = 64) -> None:
    """Write an archive of PNG and DICOM files in three folders, and among every 16 of them three that are refused.

    Of 16 files one is text, one is cut short, one is a CT; one has two windows. None has the bytes of another.
    """
    for number in range(count):
        path = folder / f"year {number % 3}" / f"{number:05d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        film = phantom(side, side - 8, seed=number)
        kind = number % 16
        if kind == 5:
            path.with_suffix(".txt").write_text(f"no film {number}")
        elif kind == 7:
            path.with_suffix(".dcm").write_bytes(phantom_dicom(values=film)[: 3000 + number])
        elif kind == 9:
            path.with_suffix(".dcm").write_bytes(phantom_dicom(values=film, Modality="CT"))
        elif kind == 11:
            windows = {"WindowCenter": [2048, 1700], "WindowWidth": [4096, 2800]}
            path.with_suffix(".dcm").write_bytes(phantom_dicom(values=film, **windows))
        elif number % 2:
            path.with_suffix(".dcm").write_bytes(phantom_dicom(values=film))
        else:
            Image.fromarray((film >> 4).astype(np.uint8)).save(path.with_suffix(".png"))


SLOPE, INTERCEPT = 0.8, -1.0
"""The curve that made-up scores follow: log-odds of a label are 0.8 x logit - 1."""


def made_up_scores(
    patients: int = 300, films: int = 2, seed: int = 0, *, labels: tuple[str, ...] = LABELS, rare: tuple[str, ...] = ()
) -> Scored:
    """Return logits drawn from a seed, and labels that follow them by a known curve.

    Labels in ``rare`` are on the films of four patients at most.
    """
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(patients), films)
    logits = rng.normal(size=(patients, len(labels)))[who] + rng.normal(scale=0.6, size=(len(who), len(labels))) - 1
    positive = rng.random(logits.shape) < expit(SLOPE * logits + INTERCEPT)
    for c, label in enumerate(labels):
        if label in rare:
            positive[who >= 4, c] = False
    hot = np.zeros((len(who), len(LABELS)), dtype=bool)
    for c, label in enumerate(labels):
        if label in LABELS:
            hot[:, LABELS.index(label)] = positive[:, c]
    nothing = np.full(len(who), "")
    table = FilmTable(
        names=np.array([f"{row}.png" for row in range(len(who))]),
        paths=np.array([Path(f"{row}.png") for row in range(len(who))], dtype=object),
        labels=hot,
        patients=who,
        ages=np.full(len(who), np.nan),
        sexes=nothing,
        views=nothing,
        sources=np.full(len(who), "made-up"),
        references=np.full(len(who), MINED),
    )
    return Scored(table, logits, np.abs(logits).astype(np.float32) / 50)


def calibrated_copies(home: Path) -> None:
    """Copy the embedded model and calibrate it on made-up scores; Hernia and Pneumonia are too rare there.

    The copy ``consecutive`` says that its films were taken so; ``enriched`` is the same and says otherwise.
    """
    embedded = open_model("second-read-mini")
    scored = made_up_scores(rare=("Hernia", "Pneumonia"))
    card = calibrated(embedded.card, scored, Origin("made-up films", "consecutive"), resamples=100)
    for sampling in ("consecutive", "enriched"):
        folder = shutil.copytree(embedded.path, home / sampling)
        how = dataclasses.replace(card.calibration, sampling=sampling)
        write_card(dataclasses.replace(card, id=sampling, calibration=how), folder / CARD)
        write_sums(folder)
