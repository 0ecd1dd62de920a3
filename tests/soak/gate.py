"""What the gate does to pictures, by their pixels alone. Run by ``make soak``.

The eye that tells films from other pictures was trained on no patient that is measured here; bounds of exposure
were set on nih_128 without these patients; bounds of burned-in text were set on the films of nih_384 whose
patients are in the training part of the split, so text is planted into the others only.

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

from cxr_core.imaging import phantom, read_radiograph
from cxr_core.imaging.block_means import block_means
from cxr_core.imaging.burned_in import burned_in
from cxr_core.imaging.exposure import exposure_of
from cxr_core.imaging.gate import judge
from cxr_core.imaging.look import look_at
from cxr_core.metrics import share_flagged, wilson
from cxr_core.training.splits import read_split
from tests.planted import FONTS, STYLES, made_up_line, planted

PROJECT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SECOND_READ_SHARED", PROJECT.parent / "shared")) / "data"
ADULT_YEARS = 18
PLANTED = 250
"""Films, of as many patients, that text is planted into."""


def main() -> int:
    """Print one line a category: pictures, refused, warned, with 95 % intervals."""
    if not SHARED.is_dir():
        print("no real X-rays beside the project", file=sys.stderr)
        return 4
    groups = {name: real_films(name) for name in ("nih_384", "nih_expert")}
    films = [film for group, _ in groups.values() for film in group]
    patients = np.concatenate([patients for _, patients in groups.values()])
    print("| category | pictures | refused | warned | refused or warned |\n|---|---|---|---|---|")
    verdicts = [line(f"frontal films of adults, {name}", group, of) for name, (group, of) in groups.items()]
    print_line("all of these", np.concatenate(verdicts), patients)
    untouched = ~_tuned(patients)
    print_line("those of patients that no bound was set on", np.concatenate(verdicts)[untouched], patients[untouched])
    line("the same, inverted", (1 - film for film in films), patients)
    for name, cut in HALVES.items():
        line(f"their {name} half", (cut(film) for film in films), patients)
    for modality in ("CT", "MR", "US"):
        line(f"{modality} that pydicom ships", other_modality(modality))
    line("photographs that scikit-image ships", photographs())
    rng = np.random.default_rng(2026)
    line("pages of text", (page(rng) for _ in range(100)))
    line("noise", (rng.random((200, 200)).astype(np.float32) for _ in range(100)))
    blank = np.array([_is_refused(level) for level in np.linspace(0, 1, 11)])
    print(f"| blank | {len(blank)} | {_cell(blank, None)} | | |")
    for quarter in (1, 2, 3):
        kinds = [look_at(np.rot90(film, quarter)).kind for film in films]
        hits = np.array([kind == f"turned {90 * quarter}" for kind in kinds])
        print(f"turned by {90 * quarter} degrees: {len(hits)} films, recognised {_cell(hits, patients)}")
    small = [block_means(film) for film in films]
    hits = np.array([exposure_of(grey).verdict != "ok" for grey in small])
    print(f"exposure warned of in these films as they are: {len(hits)} films, {_cell(hits, patients)}")
    exposures(*groups["nih_expert"])
    texts(films, patients)
    return 0


def exposures(films: list[np.ndarray], patients: np.ndarray) -> None:
    """Print what comes of films that are made badly exposed, in the same eight bits."""
    print("\n| badly exposed, nih_expert | pictures | refused | warned | refused or warned |\n|---|---|---|---|---|")
    for name, change in BAD_EXPOSURES.items():
        line(name, (np.rint(change(film) * 255).astype(np.float32) / 255 for film in films), patients)


def _tuned(patients: np.ndarray) -> np.ndarray:
    """Return which films are of patients that the bounds of text were set on."""
    return read_split().part_of(patients) == "train"


def texts(films: list[np.ndarray], patients: np.ndarray) -> None:
    """Print the share of films warned of text as they are, and with text planted."""
    tuned = _tuned(patients)
    found = np.array([burned_in(block_means(film)).lines > 0 for film in films])
    for name, part in (("the bounds were set on", tuned), ("others", ~tuned)):
        print(f"text-like marks in films as they are, {name}: {part.sum()} films, {_cell(found[part], patients[part])}")
    # one film a patient, and none that has text of its own
    _, first = np.unique(np.where(tuned | found, -1, patients), return_index=True)
    rng = np.random.default_rng(2026)
    clean = [films[i] for i in rng.permutation(first) if not (tuned[i] or found[i])][:PLANTED]
    print(f"\nof {len(clean)} films of as many patients, and of the phantom, with a line of text planted:")
    shares = (0.01, 0.015, 0.02, 0.03, 0.04)
    print("| found | " + " | ".join(f"{100 * share:g} % high" for share in shares) + " |\n" + "|---" * 6 + "|")
    for style in STYLES:
        row(style, [share_found(clean, rng, share, style) for share in shares])
    for side in (1024, 2048):
        phantoms = [phantom(side, side * 7 // 8, seed=seed, words=False).astype(np.float32) / 4095 for seed in range(3)]
        row(f"phantom of {side} rows", [share_found(phantoms * 20, rng, share, STYLES[1]) for share in shares])
    for text in ("L", "R"):
        row(f"the side marker {text}", [share_found(clean, rng, share, STYLES[2], text) for share in shares])


def share_found(films: list[np.ndarray], rng: np.random.Generator, share: float, style: str, text: str = "") -> str:
    hits = []
    for number, film in enumerate(films):
        words = text or made_up_line(rng)
        with_text = planted(film, rng, words, share, FONTS[number % len(FONTS)], style)
        if with_text is not None:
            hits.append(burned_in(block_means(with_text)).lines > 0)
    estimate = wilson(sum(hits), len(hits))
    low, share_hit, high = (round(100 * share) for share in (estimate.low, np.mean(hits), estimate.high))
    return f"{sum(hits)} of {len(hits)} ({share_hit} %; {low} to {high})"


def row(name: str, cells: list[str]) -> None:
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def line(name: str, displays: Iterable[np.ndarray], patients: np.ndarray | None = None) -> np.ndarray:
    """Print and return what the gate says of pictures, of which nothing but the pixels is known."""
    verdicts = np.array([judge(display, {}, ADULT_YEARS).status for display in displays])
    print_line(name, verdicts, patients)
    return verdicts


def print_line(name: str, verdicts: np.ndarray, patients: np.ndarray | None) -> None:
    columns = (verdicts == "refused", verdicts == "warning", verdicts != "ok")
    row(f"{name} | {len(verdicts)}", [_cell(hits, patients) for hits in columns])


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


BAD_EXPOSURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "darkened, gamma 2": lambda film: film**2,
    "darkened, gamma 3": lambda film: film**3,
    "darkened, gamma 4": lambda film: film**4,
    "lightened, gamma 1/2": lambda film: film ** (1 / 2),
    "lightened, gamma 1/3": lambda film: film ** (1 / 3),
    "lightened, gamma 1/4": lambda film: film ** (1 / 4),
    "the lower 20 % of the range clipped to black": lambda film: np.clip((film - 0.2) / 0.8, 0, 1),
    "the lower 40 %": lambda film: np.clip((film - 0.4) / 0.6, 0, 1),
    "the lower 60 %": lambda film: np.clip((film - 0.6) / 0.4, 0, 1),
    "the upper 20 % of the range clipped to white": lambda film: np.clip(film / 0.8, 0, 1),
    "the upper 40 %": lambda film: np.clip(film / 0.6, 0, 1),
    "the upper 60 %": lambda film: np.clip(film / 0.4, 0, 1),
    "flattened to 40 % of the range": lambda film: 0.3 + 0.4 * film,
    "to 20 %": lambda film: 0.4 + 0.2 * film,
    "to 10 %": lambda film: 0.45 + 0.1 * film,
    "to 5 %": lambda film: 0.475 + 0.05 * film,
}

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
