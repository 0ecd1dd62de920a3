"""What a training costs besides its steps: the table, the splits, the search for copies, the input pipeline.

Run by ``make bench``. The table is NIH's own where ``SECOND_READ_SHARED`` or ``shared/`` beside the project has
it, else one made up of as many rows and patients.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cxr_core.datasets.batches import POLICIES, batches, decoders
from cxr_core.datasets.duplicates import FINGERPRINT_LENGTH, find_matches, fingerprints
from cxr_core.datasets.splits import check_no_leak, make_folds, make_split, official_split, read_names
from cxr_core.datasets.table import ImageTable, read_table
from cxr_core.imaging import Preparation, phantom
from cxr_core.labels import LABELS, NO_FINDING

ROWS, PATIENTS, TEST_ROWS = 112_120, 30_805, 25_596
SHARED = Path(os.environ.get("SECOND_READ_SHARED", Path(__file__).resolve().parents[3] / "shared"))


def main() -> int:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _tables(folder)
        for size, side, batch, steps in ((320, 1024, 8, 4), (128, 128, 16, 8)):
            _pipeline(folder, size, side, batch, steps)
    return 0


def _timed(what: str, part: Callable[[], object]) -> object:
    start = time.perf_counter()
    answer = part()
    print(f"{what}: {time.perf_counter() - start:.1f} s")
    return answer


def _tables(folder: Path) -> None:
    table = SHARED / "data" / "nih_labels" / "Data_Entry_2017_v2020.csv.gz"
    if table.is_file():
        lists = [table.parent / f"{name}.txt.gz" for name in ("train_val_list", "test_list")]
    else:
        print("NIH's table is not there: one of as many rows is made up")
        table, lists = _made_up(folder)
    images = _timed(f"a table of {ROWS:,} rows is read", lambda: read_table(table, None))
    labels, patients = images.positive, images.patients
    print(f"  {len(images):,} images of {len(np.unique(patients)):,} patients")
    official = _timed(
        "official split, by its lists, a tenth of the patients that train dealt to validation",
        lambda: official_split(images.names, patients, labels, *(read_names(path) for path in lists)),
    )
    none = np.array([], dtype=np.int64)
    _timed("split by patient, rare labels evenly", lambda: make_split(patients, labels, none))
    _timed("five folds by patient", lambda: make_folds(patients, labels, none, 5))
    parts = official.subset_of(patients)
    _timed("no patient in two parts", lambda: check_no_leak(patients, parts))
    sizes = {part: int((parts == part).sum()) for part in ("train", "validation", "test")}
    prints = {part: _random_prints(size, seed) for seed, (part, size) in enumerate(sizes.items())}
    pairs = 0

    def compare() -> None:
        nonlocal pairs
        for one, other in (("train", "test"), ("validation", "test"), ("train", "validation")):
            find_matches(prints[one], prints[other])
            pairs += sizes[one] * sizes[other]

    _timed("no picture in two parts, once each image has its fingerprint", compare)
    print(f"  {pairs:,} pairs of images, of random fingerprints of the real length")


def _made_up(folder: Path) -> tuple[Path, list[Path]]:
    rng = np.random.default_rng(0)
    patients = np.concatenate([np.arange(PATIENTS), rng.integers(0, PATIENTS, ROWS - PATIENTS)]) + 1
    patients.sort()
    findings = [NO_FINDING, *LABELS, *("|".join(rng.choice(LABELS, 2, replace=False)) for _ in range(200))]
    names = [f"{patient:08d}_{row:06d}.png" for row, patient in enumerate(patients)]
    columns = {
        "Image Index": names,
        "Finding Labels": rng.choice(findings, ROWS),
        "Patient ID": patients,
        "Patient Age": 50,
        "Patient Gender": "F",
        "View Position": "PA",
    }
    pd.DataFrame(columns).to_csv(folder / "table.csv.gz", index=False)
    test = patients > patients[ROWS - TEST_ROWS]
    for name, chosen in (("train", ~test), ("test", test)):
        (folder / f"{name}.txt").write_text("\n".join(np.array(names)[chosen]))
    return folder / "table.csv.gz", [folder / "train.txt", folder / "test.txt"]


def _random_prints(count: int, seed: int) -> np.ndarray:
    prints = np.random.default_rng(seed).standard_normal((count, FINGERPRINT_LENGTH), dtype=np.float32)
    return (prints / np.linalg.norm(prints, axis=1, keepdims=True)).astype(np.float16)


def _pipeline(folder: Path, size: int, side: int, batch: int, steps: int) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    from cxr_core.model.network import build_network
    from cxr_core.training.class_weights import ClassWeights
    from cxr_core.training.steps import compiled_step, new_optimiser

    images = _images(folder, side, 24)
    order = np.arange(batch * steps) % len(images)
    options = {"order": order, "policy": POLICIES["mild"], "seed": (0,)}
    workers = os.cpu_count() or 1

    def rate(pool) -> float:
        start = time.perf_counter()
        for _ in batches(images, Preparation(size), batch, pool=pool, **options):
            pass
        return len(order) / (time.perf_counter() - start)

    print(f"images of {side} x {side} pixels as PNG, brought to {size}, augmented; {workers} processors, batch {batch}")
    with decoders(1) as one, decoders(workers) as threads, decoders(workers, processes=True) as processes:
        rate(processes)
        alone, threaded, parallel = rate(one), rate(threads), rate(processes)
        print(f"  decoded: {alone:.0f} images/s by one thread, {threaded:.0f} by {workers} threads, ", end="")
        print(f"{parallel:.0f} by {workers} processes")
        start = time.perf_counter()
        fingerprints(images.paths, each=threads.map)
        seconds = (time.perf_counter() - start) / len(images)
        print(f"  fingerprint of an image: {1000 * seconds:.1f} ms; of {ROWS:,}: {ROWS * seconds / 60:.0f} min")
        network = build_network(len(LABELS))
        weights = ClassWeights(np.full(14, 0.9), np.full(14, 0.1))
        optimiser = new_optimiser(network, False, 1e-4, 1e-4)
        step = compiled_step(network, optimiser, weights, tf.distribute.get_strategy())
        x, y = next(iter(batches(images, Preparation(size), batch, pool=threads, **options)))
        float(step(x, y))
        start = time.perf_counter()
        for _ in range(steps):
            float(step(x, y))
        trained = steps * batch / (time.perf_counter() - start)
        print(f"  trained on: {trained:.1f} images/s; the pipeline is {threaded / trained:.1f} times as fast")
        waited, begun = 0.0, time.perf_counter()
        asked = begun
        for number, (x, y) in enumerate(batches(images, Preparation(size), batch, pool=threads, **options)):
            # the first batch has nothing to hide behind
            waited += time.perf_counter() - asked if number else 0.0
            float(step(x, y))
            asked = time.perf_counter()
        print(
            f"  together: {100 * waited / (time.perf_counter() - begun):.1f} % of the time is spent waiting for images"
        )


def _images(folder: Path, side: int, count: int) -> ImageTable:
    images = folder / str(side)
    images.mkdir()
    rows = []
    for number in range(count):
        image = (phantom(side, side, seed=number) >> 4).astype(np.int16)
        image += np.random.default_rng(number).integers(-4, 5, image.shape, dtype=np.int16)
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(images / f"{number}.png")
        rows.append(f"{number}.png,{NO_FINDING},{number},50,F,PA")
    header = "Image Index,Finding Labels,Patient ID,Patient Age,Patient Gender,View Position"
    (folder / f"{side}.csv").write_text("\n".join([header, *rows]))
    return read_table(folder / f"{side}.csv", images)


if __name__ == "__main__":
    sys.exit(main())
