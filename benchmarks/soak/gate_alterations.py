"""How often the gate notices altered images, and reports unaltered ones. Run by ``make soak``.

The networks were fitted, and their bounds set, on training patients of the embedded split
(``train-gate --part geometry`` and ``--part tone``); what is measured are validation patients of nih_128 and nih_384,
the experts' images, and another hospital's. NIH made its images square, whatever their shape: they are brought back to
it, but for the lines that say "as NIH has them". Unaltered images that the gate refuses are left out, since nothing
else is said of them; so are mirrored and stretched ones. One that is cropped or changed in its grey counts as noticed
where the gate refuses it, or warns that it may be a part or is badly exposed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cxr_core.datasets.splits import read_split
from cxr_core.imaging import read_radiograph
from cxr_core.imaging.gate.alterations import describe_alterations
from cxr_core.imaging.gate.decision import block_means
from cxr_core.imaging.gate.exposure import assess_exposure
from cxr_core.imaging.gate.geometry import assess_geometry
from cxr_core.imaging.gate.tone import assess_tone
from cxr_core.imaging.gate.view_classifier import classify
from cxr_core.metrics import patient_proportion
from cxr_core.training.gate_alterations import crop, original_ratios, stretch

PROJECT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SECOND_READ_SHARED", PROJECT.parent / "shared")) / "data"
ADULT_YEARS = 18
SAMPLED = 400
"""Images of one source and view, drawn at random, that are altered; unaltered ones are measured on all."""

KINDS = ("mirrored", "stretched", "cropped", "flat", "window", "bright", "dark")
VIEW, EXPOSURE, REFUSED = range(len(KINDS), len(KINDS) + 3)


@dataclass(frozen=True)
class Images:
    """Images of one source and view, at the shape of their originals, in grey from 0 to 1."""

    name: str
    displays: list[np.ndarray]
    ratios: np.ndarray
    patients: np.ndarray

    def sample(self, rng: np.random.Generator) -> Images:
        """Return at most SAMPLED of the images, drawn at random."""
        drawn = np.sort(rng.permutation(len(self.displays))[:SAMPLED])
        return Images(self.name, [self.displays[i] for i in drawn], self.ratios[drawn], self.patients[drawn])


def _window(image: np.ndarray, percent: float) -> np.ndarray:
    low, high = np.percentile(image, (percent, 100 - percent))
    return np.clip((image - low) / max(high - low, 1 / 255), 0, 1)


ALTERED: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "mirrored": ("mirrored", lambda image: image[:, ::-1]),
    **{
        f"width multiplied by {ratio:g}": ("stretched", lambda image, ratio=ratio: stretch(image, ratio))
        for ratio in (0.7, 0.77, 0.83, 0.9, 1.1, 1.2, 1.3, 1.43)
    },
    **{
        f"crop of {100 * part:g} % at each edge": ("cropped", lambda image, part=part: crop(image, (part,) * 4))
        for part in (0.04, 0.08, 0.12, 0.15)
    },
    "crop of 15 % at the bottom": ("cropped", lambda image: crop(image, (0, 0.15, 0, 0))),
    "crop of 15 % at the top": ("cropped", lambda image: crop(image, (0.15, 0, 0, 0))),
    **{
        f"flattened to {100 * span:g} % of the range": ("flat", lambda image, span=span: (1 - span) / 2 + span * image)
        for span in (0.6, 0.4, 0.2)
    },
    **{
        f"window from percentile {percent} to {100 - percent}": (
            "window",
            lambda image, percent=percent: _window(image, percent),
        )
        for percent in (2, 5, 10, 20)
    },
    **{
        f"gamma {gamma:g}": ("bright" if gamma < 1 else "dark", lambda image, gamma=gamma: image**gamma)
        for gamma in (0.4, 0.5, 0.7, 1.4, 2, 2.5)
    },
}
"""Each alteration with the kind that should be reported, and what makes it."""


def main() -> int:
    """Print Markdown tables: unaltered images by kind, then altered ones; counts with 95 % intervals by patients."""
    if not SHARED.is_dir():
        print("no real X-rays beside the project", file=sys.stderr)
        return 4
    groups = [group for name in ("nih_128", "nih_384", "nih_expert") for group in nih(name)] + [jsrt()]
    print("| unaltered images | n | " + " | ".join(KINDS) + " |\n" + "|---" * (2 + len(KINDS)) + "|")
    for group in groups:
        _unaltered(group.name, reported(group, lambda image: image), group.patients)
        if not np.allclose(group.ratios, 1):
            squeezed = [stretch(image, 1 / ratio) for image, ratio in zip(group.displays, group.ratios, strict=True)]
            answers = reported(Images(group.name, squeezed, group.ratios, group.patients), lambda image: image)
            _unaltered(f"{group.name}, as NIH has them", answers, group.patients)
            near = np.abs(np.log(group.ratios)) < 0.05
            if near.any():
                _unaltered("of these, originals within 5 % of square", answers[near], group.patients[near])
    rng = np.random.default_rng(2026)
    groups = [group.sample(rng) for group in groups]
    print("\n| altered | " + " | ".join(f"{g.name} ({len(g.displays)})" for g in groups) + " |")
    print("|---" * (1 + len(groups)) + "|")
    for name, (kind, change) in ALTERED.items():
        cells = []
        for group in groups:
            answers = reported(group, change)
            counted = ~answers[:, REFUSED] if kind in ("mirrored", "stretched") else np.ones(len(answers), bool)
            cells.append(_cell(noticed(answers, kind)[counted], group.patients[counted]))
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    return 0


def reported(group: Images, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return (n, kinds + 3) bool: each of KINDS, and a verdict on view, on exposure, and a refusal."""

    def one(display: np.ndarray) -> list[bool]:
        # in eight bits, as another export would have it
        image = (np.rint(np.clip(change(display), 0, 1) * 255) / 255).astype(np.float32)
        reduced = block_means(image)
        view, exposure, tone = classify(image), assess_exposure(reduced), assess_tone(reduced)
        texts = describe_alterations(assess_geometry(image), tone, view, exposure, None, False)
        verdicts = (view.verdict, exposure.verdict)
        return [*(kind in texts for kind in KINDS), *(verdict != "ok" for verdict in verdicts), "refused" in verdicts]

    with ThreadPoolExecutor(2) as pool:
        return np.array(list(pool.map(one, group.displays)))


def noticed(answers: np.ndarray, kind: str) -> np.ndarray:
    """Return whether an alteration was reported: see above; one of the grey also where it is taken for another."""
    if kind in ("mirrored", "stretched"):
        return answers[:, KINDS.index(kind)]
    if kind == "cropped":
        return answers[:, [KINDS.index(kind), VIEW, REFUSED]].any(axis=1)
    return answers[:, [*range(3, len(KINDS)), EXPOSURE, REFUSED]].any(axis=1)


def _unaltered(name: str, answers: np.ndarray, patients: np.ndarray) -> None:
    known = ~answers[:, REFUSED]
    cells = [_cell(answers[known, k], patients[known]) for k in range(len(KINDS))]
    print(f"| {name} | {known.sum()} | " + " | ".join(cells) + " |", flush=True)


def _cell(hits: np.ndarray, patients: np.ndarray) -> str:
    estimate = patient_proportion(hits, patients)
    interval = "" if estimate.low is None else f"; {100 * estimate.low:.1f} to {100 * estimate.high:.1f}"
    return f"{int(hits.sum())} of {len(hits)} ({100 * hits.mean():.1f} %{interval})"


def nih(name: str) -> list[Images]:
    """Return the images of adults, not training patients, by view."""
    csv = SHARED / name / "Data_Entry_2017_subset.csv"
    table = pd.read_csv(csv)
    subset = "test" if name == "nih_expert" else "validation"
    table = table[(table["Patient Age"] >= ADULT_YEARS) & (read_split().subset_of(table["Patient ID"]) == subset)]
    groups = []
    for view, rows in table.groupby("View Position", sort=True):
        ratios = original_ratios([csv], rows["Image Index"].to_numpy())
        paths = [SHARED / name / "images" / image for image in rows["Image Index"]]
        displays = [stretch(_display(path), ratio) for path, ratio in zip(paths, ratios, strict=True)]
        groups.append(Images(f"{name} {view}", displays, ratios, rows["Patient ID"].to_numpy()))
    return groups


def jsrt() -> Images:
    """Return the images of the Japanese Society of Radiological Technology; each is another patient's."""
    displays = [_display(path) for path in sorted((SHARED / "external_jsrt" / "png").iterdir())]
    return Images("external_jsrt PA", displays, np.ones(len(displays)), np.arange(len(displays)))


def _display(path: Path) -> np.ndarray:
    return read_radiograph(path.read_bytes()).display


if __name__ == "__main__":
    sys.exit(main())
