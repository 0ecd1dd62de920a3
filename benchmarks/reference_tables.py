"""Tables of the images that the runs of the project were made with, as ``evaluate`` reads them.

``python -m benchmarks.reference_tables DATA OUT`` writes to OUT from the folders ``external_jsrt`` and
``radiologist_labels`` of DATA:

- ``jsrt.csv``: a nodule by the name of the file (JPCLN), and whether the heart is wider than half of the chest, by
  the masks of heart and lungs: the widest extent of each, side to side.
- ``chestx_det.csv``: the findings of ChestX-Det's radiologists (Lian et al., 2021) that are labels here. A diffuse
  nodule counts as Nodule; fractures and calcifications make an image abnormal and have no column.
- ``rsna.csv``: whether the radiologists of the RSNA challenge 2018 called the image normal, and lung opacity.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

FINDINGS = (
    "Atelectasis", "Cardiomegaly", "Effusion", "Mass", "Nodule", "Pneumothorax", "Consolidation", "Emphysema",
    "Fibrosis", "Pleural Thickening",
)  # fmt: skip
RATIO = 0.5


def main() -> int:
    """Write the three tables."""
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    data, out = map(Path, sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    jsrt(data / "external_jsrt").to_csv(out / "jsrt.csv", index=False)
    chestx_det(data / "radiologist_labels" / "chestx_det.csv").to_csv(out / "chestx_det.csv", index=False)
    rsna(data / "radiologist_labels" / "rsna.csv").to_csv(out / "rsna.csv", index=False)
    return 0


def jsrt(folder: Path) -> pd.DataFrame:
    """Return one row per image; each is of a patient of its own."""
    rows = []
    for path in sorted((folder / "png").iterdir()):
        heart, left, right = (_mask(folder, part, path.stem) for part in ("heart", "left_lung", "right_lung"))
        enlarged = _width(heart) / _width(left | right) > RATIO
        rows.append((path.name, path.stem, int(path.stem.startswith("JPCLN")), int(enlarged)))
    return pd.DataFrame(rows, columns=["image", "patient", "nodule", "cardiomegaly"])


def _mask(folder: Path, part: str, stem: str) -> np.ndarray:
    with Image.open(folder / "mask" / part / f"{stem}.png") as image:
        return np.asarray(image.convert("L")) > 127


def _width(mask: np.ndarray) -> int:
    columns = np.flatnonzero(mask.any(axis=0))
    return int(columns[-1] - columns[0] + 1)


def chestx_det(csv: Path) -> pd.DataFrame:
    """Return one row per image, in the experts' layout; the source has a row without a finding for a clear image."""
    boxes = pd.read_csv(csv, keep_default_na=False).replace({"finding": {"Diffuse Nodule": "Nodule"}})
    found = boxes.groupby("image")["finding"].agg(lambda names: set(names) - {""})
    table = _expert_layout(found.index.to_series(), np.array([bool(names) for names in found]))
    return table.assign(**{name: _answers([name in names for names in found]) for name in FINDINGS})


def rsna(csv: Path) -> pd.DataFrame:
    """Return one row per image, in the experts' layout."""
    table = pd.read_csv(csv)
    layout = _expert_layout(table["image"], (table["rsna_class"] != "Normal").to_numpy())
    return layout.assign(**{"Lung Opacity": _answers(table["target"] == 1)})


def _expert_layout(images: pd.Series, abnormal: np.ndarray) -> pd.DataFrame:
    # NIH's names begin with eight digits of the patient
    patients = [int(name[:8]) for name in images]
    return pd.DataFrame(
        {"Image ID": images.to_numpy(), "Patient ID": patients, "Abnormal": _answers(abnormal)}
    ).reset_index(drop=True)


def _answers(values: object) -> np.ndarray:
    return np.where(np.asarray(values, dtype=bool), "YES", "NO")


if __name__ == "__main__":
    sys.exit(main())
