"""What the gate does to pictures it was not built on, by their pixels alone. Run by ``make soak``.

Real films come from the folder of real X-rays (``SECOND_READ_SHARED`` or ``shared/`` beside the project);
CT, MR and ultrasound from pydicom's own test files, photographs from scikit-image; the rest is drawn.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import skimage.data
from PIL import Image, ImageDraw

from cxr_core.imaging import read_radiograph
from cxr_core.imaging.look import Look, look_at
from cxr_core.metrics import share_flagged, wilson

PROJECT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SECOND_READ_SHARED", PROJECT.parent / "shared")) / "data"
ADULT_YEARS = 18


def main() -> int:
    """Print one line a category: pictures, refused, warned, with 95 % intervals."""
    if not SHARED.is_dir():
        print("no real X-rays beside the project", file=sys.stderr)
        return 4
    groups = {name: real_films(name) for name in ("nih_384", "nih_expert")}
    films = [film for group, _ in groups.values() for film in group]
    patients = np.concatenate([patients for _, patients in groups.values()])
    print("| category | pictures | refused | warned | refused or warned |\n|---|---|---|---|---|")
    for name, (group, of) in groups.items():
        line(f"frontal films of adults, {name}", map(look_at, group), of)
    line("all of these", map(look_at, films), patients)
    line("the same, inverted", (look_at(1 - film) for film in films), patients)
    for name, cut in HALVES.items():
        line(f"their {name} half", (look_at(cut(film)) for film in films), patients)
    for modality in ("CT", "MR", "US"):
        line(f"{modality} that pydicom ships", map(look_at, other_modality(modality)))
    line("photographs that scikit-image ships", map(look_at, photographs()))
    rng = np.random.default_rng(2026)
    line("pages of text", (look_at(page(rng)) for _ in range(100)))
    line("noise", (look_at(rng.random((200, 200)).astype(np.float32)) for _ in range(100)))
    blank = np.array([_is_refused(level) for level in np.linspace(0, 1, 11)])
    print(f"| blank | {len(blank)} | {_cell(blank, None)} | | |")
    for quarter in (1, 2, 3):
        kinds = [look_at(np.rot90(film, quarter)).kind for film in films]
        hits = np.array([kind == f"turned {90 * quarter}" for kind in kinds])
        print(f"turned by {90 * quarter} degrees: {len(hits)} films, recognised {_cell(hits, patients)}")
    return 0


def line(name: str, looks: Iterable[Look], patients: np.ndarray | None = None) -> None:
    verdicts = np.array([look.verdict for look in looks])
    columns = (verdicts == "refused", verdicts == "warning", verdicts != "ok")
    print(f"| {name} | {len(verdicts)} | " + " | ".join(_cell(hits, patients) for hits in columns) + " |")


def _cell(hits: np.ndarray, patients: np.ndarray | None) -> str:
    """Count, share and interval: by patients where a patient may have several films, else Wilson's."""
    estimate = share_flagged(hits, patients) if patients is not None else wilson(int(hits.sum()), len(hits))
    interval = "" if estimate.low is None else f"; {100 * estimate.low:.1f} to {100 * estimate.high:.1f}"
    return f"{int(hits.sum())} ({100 * hits.mean():.1f} %{interval})"


def real_films(name: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the films of adults as displayed, and the patient of each."""
    table = pd.read_csv(SHARED / name / "Data_Entry_2017_subset.csv")
    table = table[table["Patient Age"] >= ADULT_YEARS]
    paths = [SHARED / name / "images" / image for image in table["Image Index"]]
    return [read_radiograph(path.read_bytes()).display for path in paths], table["Patient ID"].to_numpy()


HALVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "left": lambda film: film[:, : film.shape[1] // 2],
    "right": lambda film: film[:, film.shape[1] // 2 :],
    "upper": lambda film: film[: film.shape[0] // 2],
    "lower": lambda film: film[film.shape[0] // 2 :],
}


def other_modality(modality: str) -> Iterable[np.ndarray]:
    # the files in the package itself: its own search would try to download others
    for path in sorted(Path(pydicom.__file__).parent.glob("data/test_files/*.dcm")):
        with contextlib.suppress(Exception):
            if pydicom.dcmread(path, stop_before_pixels=True).Modality == modality:
                yield read_radiograph(Path(path).read_bytes()).display


def photographs() -> Iterable[np.ndarray]:
    for path in sorted(Path(skimage.data.__file__).parent.iterdir()):
        if path.suffix in (".png", ".jpg"):
            yield read_radiograph(path.read_bytes()).display


def page(rng: np.random.Generator) -> np.ndarray:
    image = Image.new("L", (600, 800), 255)
    pen = ImageDraw.Draw(image)
    for y in range(30, 770, int(rng.integers(12, 30))):
        words = " ".join("".join(chr(97 + c) for c in rng.integers(0, 26, rng.integers(2, 10))) for _ in range(14))
        pen.text((30, y), words[: rng.integers(20, 95)], fill=0)
    return np.asarray(image, dtype=np.float32) / 255


def _is_refused(level: float) -> bool:
    picture = Image.fromarray(np.full((256, 256), round(255 * level), np.uint8))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return read_radiograph(file.getvalue()).quality.status == "refused"


if __name__ == "__main__":
    sys.exit(main())
