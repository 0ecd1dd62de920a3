"""What the gate does to pictures, by their pixels alone. Run by ``make soak``.

The eye that tells images from other pictures was trained on no patient that is measured here; bounds of exposure
were set on nih_128 without these patients; bounds of burned-in text were set on the images of nih_384 whose
patients are in the training part of the split, so text is planted into the others only.

Real images come from the folder of real X-rays (``SECOND_READ_SHARED`` or ``shared/`` beside the project);
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

from cxr_core.datasets.splits import read_split
from cxr_core.imaging import phantom, read_radiograph
from cxr_core.imaging.gate.burned_in_text import detect_text
from cxr_core.imaging.gate.decision import assess, block_means
from cxr_core.imaging.gate.exposure import assess_exposure
from cxr_core.imaging.gate.view_classifier import classify
from cxr_core.metrics import patient_proportion, wilson
from tests.planted import FONTS, STYLES, made_up_line, planted

PROJECT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SECOND_READ_SHARED", PROJECT.parent / "shared")) / "data"
ADULT_YEARS = 18
PLANTED = 250
"""Images, of as many patients, to which text is added."""


def main() -> int:
    """Print one line per category: images, refused, with a warning, with 95 % intervals."""
    if not SHARED.is_dir():
        print("no real X-rays beside the project", file=sys.stderr)
        return 4
    groups = {name: real_images(name) for name in ("nih_384", "nih_expert")}
    images = [image for group, _ in groups.values() for image in group]
    patients = np.concatenate([patients for _, patients in groups.values()])
    print("| category | images | refused | warning | refused or warning |\n|---|---|---|---|---|")
    verdicts = [line(f"frontal images of adults, {name}", group, of) for name, (group, of) in groups.items()]
    print_line("all of these", np.concatenate(verdicts), patients)
    untouched = ~_tuned(patients)
    print_line("those of patients on whom no bound was set", np.concatenate(verdicts)[untouched], patients[untouched])
    line("the same, inverted", (1 - image for image in images), patients)
    for name, cut in HALVES.items():
        line(f"their {name} half", (cut(image) for image in images), patients)
    for modality in ("CT", "MR", "US"):
        line(f"{modality} that pydicom ships", other_modality(modality))
    line("photographs that scikit-image ships", photographs())
    rng = np.random.default_rng(2026)
    line("pages of text", (page(rng) for _ in range(100)))
    line("noise", (rng.random((200, 200)).astype(np.float32) for _ in range(100)))
    blank = np.array([_is_refused(level) for level in np.linspace(0, 1, 11)])
    print(f"| blank | {len(blank)} | {_cell(blank, None)} | | |")
    for quarter in (1, 2, 3):
        kinds = [classify(np.rot90(image, quarter)).name for image in images]
        hits = np.array([kind == f"turned {90 * quarter}" for kind in kinds])
        print(f"turned by {90 * quarter} degrees: {len(hits)} images, recognised {_cell(hits, patients)}")
    small = [block_means(image) for image in images]
    hits = np.array([assess_exposure(grey).verdict != "ok" for grey in small])
    print(f"exposure warnings and notes on these images unchanged: {len(hits)} images, {_cell(hits, patients)}")
    exposures(*groups["nih_expert"])
    texts(images, patients)
    return 0


def exposures(images: list[np.ndarray], patients: np.ndarray) -> None:
    """Print the verdicts on images that are made badly exposed, in the same eight bits."""
    print("\n| badly exposed, nih_expert | images | refused | warning | refused or warning |\n|---|---|---|---|---|")
    for name, change in BAD_EXPOSURES.items():
        line(name, (np.rint(change(image) * 255).astype(np.float32) / 255 for image in images), patients)


def _tuned(patients: np.ndarray) -> np.ndarray:
    """Return which images are of patients on whom the bounds of text were set."""
    return read_split().subset_of(patients) == "train"


def texts(images: list[np.ndarray], patients: np.ndarray) -> None:
    """Print how often text is reported in images unchanged, and with text added."""
    tuned = _tuned(patients)
    detected = np.array([detect_text(block_means(image)).lines > 0 for image in images])
    for name, subset in (("images unchanged, on which the bounds were set", tuned), ("other images unchanged", ~tuned)):
        print(f"text-like marks in {name}: {subset.sum()} images, {_cell(detected[subset], patients[subset])}")
    # one image a patient, and none that has text of its own
    _, first = np.unique(np.where(tuned | detected, -1, patients), return_index=True)
    rng = np.random.default_rng(2026)
    clean = [images[i] for i in rng.permutation(first) if not (tuned[i] or detected[i])][:PLANTED]
    print(f"\nof {len(clean)} images of as many patients, and of the phantom, with a line of text added:")
    shares = (0.01, 0.015, 0.02, 0.03, 0.04)
    print("| detected | " + " | ".join(f"{100 * share:g} % high" for share in shares) + " |\n" + "|---" * 6 + "|")
    for style in STYLES:
        row(style, [share_found(clean, rng, share, style) for share in shares])
    for side in (1024, 2048):
        phantoms = [phantom(side, side * 7 // 8, seed=seed, text=False).astype(np.float32) / 4095 for seed in range(3)]
        row(f"phantom of {side} rows", [share_found(phantoms * 20, rng, share, STYLES[1]) for share in shares])
    for text in ("L", "R"):
        row(f"the side marker {text}", [share_found(clean, rng, share, STYLES[2], text) for share in shares])


def share_found(images: list[np.ndarray], rng: np.random.Generator, share: float, style: str, text: str = "") -> str:
    hits = []
    for number, image in enumerate(images):
        words = text or made_up_line(rng)
        with_text = planted(image, rng, words, share, FONTS[number % len(FONTS)], style)
        if with_text is not None:
            hits.append(detect_text(block_means(with_text)).lines > 0)
    estimate = wilson(sum(hits), len(hits))
    low, share_hit, high = (round(100 * share) for share in (estimate.low, np.mean(hits), estimate.high))
    return f"{sum(hits)} of {len(hits)} ({share_hit} %; {low} to {high})"


def row(name: str, cells: list[str]) -> None:
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def line(name: str, displays: Iterable[np.ndarray], patients: np.ndarray | None = None) -> np.ndarray:
    """Print and return the verdicts on images by their pixels alone."""
    verdicts = np.array([assess(display, {}, ADULT_YEARS).status for display in displays])
    print_line(name, verdicts, patients)
    return verdicts


def print_line(name: str, verdicts: np.ndarray, patients: np.ndarray | None) -> None:
    columns = (verdicts == "refused", verdicts == "warning", verdicts != "ok")
    row(f"{name} | {len(verdicts)}", [_cell(hits, patients) for hits in columns])


def _cell(hits: np.ndarray, patients: np.ndarray | None) -> str:
    """Count, percentage and interval: by patients where a patient may have several images, else Wilson's."""
    estimate = patient_proportion(hits, patients) if patients is not None else wilson(int(hits.sum()), len(hits))
    interval = "" if estimate.low is None else f"; {100 * estimate.low:.1f} to {100 * estimate.high:.1f}"
    return f"{int(hits.sum())} ({100 * hits.mean():.1f} %{interval})"


def real_images(name: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the images of adults as displayed, and the patient of each."""
    table = pd.read_csv(SHARED / name / "Data_Entry_2017_subset.csv")
    table = table[table["Patient Age"] >= ADULT_YEARS]
    paths = [SHARED / name / "images" / image for image in table["Image Index"]]
    return [read_radiograph(path.read_bytes()).display for path in paths], table["Patient ID"].to_numpy()


BAD_EXPOSURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "darkened, gamma 2": lambda image: image**2,
    "darkened, gamma 3": lambda image: image**3,
    "darkened, gamma 4": lambda image: image**4,
    "lightened, gamma 1/2": lambda image: image ** (1 / 2),
    "lightened, gamma 1/3": lambda image: image ** (1 / 3),
    "lightened, gamma 1/4": lambda image: image ** (1 / 4),
    "the lower 20 % of the range clipped to black": lambda image: np.clip((image - 0.2) / 0.8, 0, 1),
    "the lower 40 %": lambda image: np.clip((image - 0.4) / 0.6, 0, 1),
    "the lower 60 %": lambda image: np.clip((image - 0.6) / 0.4, 0, 1),
    "the upper 20 % of the range clipped to white": lambda image: np.clip(image / 0.8, 0, 1),
    "the upper 40 %": lambda image: np.clip(image / 0.6, 0, 1),
    "the upper 60 %": lambda image: np.clip(image / 0.4, 0, 1),
    "flattened to 40 % of the range": lambda image: 0.3 + 0.4 * image,
    "to 20 %": lambda image: 0.4 + 0.2 * image,
    "to 10 %": lambda image: 0.45 + 0.1 * image,
    "to 5 %": lambda image: 0.475 + 0.05 * image,
}

HALVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "left": lambda image: image[:, : image.shape[1] // 2],
    "right": lambda image: image[:, image.shape[1] // 2 :],
    "upper": lambda image: image[: image.shape[0] // 2],
    "lower": lambda image: image[image.shape[0] // 2 :],
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
