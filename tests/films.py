"""Made-up films and tables for tests: small, drawn from a seed, never a patient's."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from cxr_core.imaging import phantom
from cxr_core.labels import LABELS, NO_FINDING

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
