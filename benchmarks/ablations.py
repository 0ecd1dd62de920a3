"""The ablations of docs/method.md: the same training with one thing changed, measured on validation patients.

    python -m benchmarks.ablations                         # everything; goes on where it was cut
    python -m benchmarks.ablations --epochs 1 --only base  # a part of it

Each run is kept in ``runs/ablations`` and is resumed step by step; results go to ``docs/ablations.json`` and
into the table of ``docs/method.md``. No test image is read.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cxr_core.datasets.splits import EMBEDDED_SPLIT, check_no_leak, read_split
from cxr_core.datasets.table import ImageTable, read_table
from cxr_core.formatting import duration
from cxr_core.labels import LABELS, NOTICE
from cxr_core.metrics import count_cases, roc_auc
from cxr_core.metrics.bootstrap import BootstrapOptions, multiplicities, percentile_interval
from cxr_core.metrics.cases import index_patients
from cxr_core.metrics.ranking_replicates import auc_replicates

PROJECT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("SECOND_READ_SHARED", PROJECT.parent / "shared"))
MIN_PATIENTS, RESAMPLES, LEVEL = 10, 2000, 0.95
START, END = "<!-- ablations: made by python -m benchmarks.ablations -->", "<!-- end of ablations -->"


@dataclass(frozen=True)
class Variant:
    """One thing changed against ``base``."""

    name: str
    words: str
    loss: str = "weighted"
    policy: str = "mild"
    size: int = 48


VARIANTS = (
    Variant("base", "weighted loss, no flip, 48 x 48"),
    Variant("plain", "plain loss", loss="plain"),
    Variant("flip", "with the paper's horizontal flip", policy="mild-flip"),
    Variant("size-32", "32 x 32 pixels", size=32),
    Variant("size-64", "64 x 64 pixels", size=64),
)


@dataclass(frozen=True)
class Figures:
    """What one variant and seed came to, on validation images.

    Attributes:
        auc, brier: (labels,) of the labels with enough patients.
        auc_replicates, brier_replicates: (labels, resamples), the same resamples of patients for all.
    """

    auc: np.ndarray
    brier: np.ndarray
    auc_replicates: np.ndarray
    brier_replicates: np.ndarray


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing, then write results and table."""
    options = _options(arguments)
    # nothing else reads images at this size as often: a training of its own for each
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    train, validation = _images(options.data)
    todo = [(v, seed) for v in VARIANTS if not options.only or v.name in options.only for seed in options.seeds]
    begun = time.monotonic()
    for number, (variant, seed) in enumerate(todo):
        _train(variant, seed, options, train, validation)
        left = (time.monotonic() - begun) * (len(todo) - number - 1) / (number + 1)
        print(f"{variant.name}, seed {seed}: done; {number + 1} of {len(todo)}, some {duration(left)} left")
    answer = summary(_done(options), validation, options)
    answer["training_images"] = min(len(train), options.images or len(train))
    answer["split_sha256"] = read_split(EMBEDDED_SPLIT).sha256
    options.out.write_text(json.dumps(answer, indent=1) + "\n")
    fill_table(options.document, table_of(answer))
    print(f"{options.out} and {options.document} are written")
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablations", description=__doc__)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "nih_128", help="folder of images and table")
    parser.add_argument("--epochs", type=float, default=8, help="of each run")
    parser.add_argument("--batch", type=int, default=32, help="images a step")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", nargs="+", choices=[v.name for v in VARIANTS], help="these variants alone")
    parser.add_argument("--images", type=int, help="so many training images alone: to try it out")
    parser.add_argument("--work", type=Path, default=PROJECT / "runs" / "ablations")
    parser.add_argument("--out", type=Path, default=PROJECT / "docs" / "ablations.json")
    parser.add_argument("--document", type=Path, default=PROJECT / "docs" / "method.md")
    return parser.parse_args(arguments)


def _images(folder: Path) -> tuple[ImageTable, ImageTable]:
    images = read_table(folder / "Data_Entry_2017_subset.csv", folder / "images")
    parts = read_split(EMBEDDED_SPLIT).subset_of(images.patients)
    check_no_leak(images.patients, parts)
    return images.select(parts == "train"), images.select(parts == "validation")


def _train(variant: Variant, seed: int, options, train: ImageTable, validation: ImageTable) -> None:
    """Train one variant and keep its scores, unless they are there."""
    folder = _folder(variant, seed, options)
    if (folder / "scores.npz").is_file():
        return
    import keras

    from cxr_core.datasets.batches import decoders
    from cxr_core.model.network import build_network
    from cxr_core.training.fit import fit, predict_logits
    from cxr_core.training.plan import Plan, Stage
    from cxr_core.training.steps import compiled_forward

    if options.images:
        train = train.select(np.arange(min(options.images, len(train))))
    stage = Stage(variant.size, options.epochs)
    plan = Plan((stage,), batch_size=options.batch, policy=variant.policy, seed=seed, loss=variant.loss)
    keras.utils.set_random_seed(seed)
    network = build_network(len(LABELS))
    told = time.monotonic()

    def tell(progress) -> None:
        nonlocal told
        if time.monotonic() - told > 60:
            told = time.monotonic()
            print(f"{variant.name}, seed {seed}: step {progress.step:,} of {progress.steps:,}, ", end="")
            print(f"{duration(progress.seconds_left)} left", flush=True)

    with decoders() as pool:
        resume = (folder / "checkpoint.npz").is_file()
        fit(network, train, validation, plan, folder, resume=resume, report=tell, pool=pool)
        logits = predict_logits(compiled_forward(network), validation, plan.preparation(stage), pool=pool)
    part = folder / "scores.part"
    with part.open("wb") as file:
        scores = 1 / (1 + np.exp(-logits.astype(np.float64)))
        np.savez(file, scores=scores, names=validation.names, images=len(train))
    part.replace(folder / "scores.npz")
    (folder / "checkpoint.npz").unlink()


def _folder(variant: Variant, seed: int, options) -> Path:
    budget = f"{options.epochs:g}" + (f"-{options.images}" if options.images else "")
    return options.work / f"{variant.name}-{seed}-{budget}"


def _done(options) -> dict[tuple[str, int], np.ndarray]:
    """Return the scores of all runs of this budget that are there, by variant and seed."""
    figures_of = {}
    for variant in VARIANTS:
        for seed in options.seeds:
            path = _folder(variant, seed, options) / "scores.npz"
            if path.is_file():
                with np.load(path) as arrays:
                    figures_of[variant.name, seed] = arrays["scores"]
    return figures_of


def figures(labels: np.ndarray, scores: np.ndarray, patients: np.ndarray) -> Figures:
    """Return AUC and Brier score of each label with their resamples; labels are (n, k) bool."""
    columns = list(zip(labels.T, scores.T, strict=True))
    auc = [roc_auc(*column).value for column in columns]
    options = BootstrapOptions(RESAMPLES)
    errors = (scores - labels) ** 2
    count, which = index_patients(patients, len(labels))
    sums = np.stack([np.bincount(which, weights=e, minlength=count) for e in errors.T])
    images = np.bincount(which, minlength=count)
    drawn = np.concatenate(list(multiplicities(count, options)), axis=1)
    return Figures(
        np.array(auc, dtype=float),
        errors.mean(axis=0),
        auc_replicates(columns, patients, options),
        (sums @ drawn) / (images @ drawn),
    )


def summary(scores: dict[tuple[str, int], np.ndarray], images: ImageTable, options) -> dict:
    """Return what is kept in docs/ablations.json."""
    enough = [
        c
        for c in range(len(LABELS))
        if count_cases(images.positive[:, c], images.patients).rarer_patients >= MIN_PATIENTS
    ]
    names = [LABELS[c] for c in enough]
    all_figures = {
        key: figures(images.positive[:, enough], values[:, enough], images.patients) for key, values in scores.items()
    }
    seeds = {v.name: [seed for seed in options.seeds if (v.name, seed) in all_figures] for v in VARIANTS}
    variants = {}
    for variant in VARIANTS:
        if not seeds[variant.name]:
            continue
        of_variant = [all_figures[variant.name, seed] for seed in seeds[variant.name]]
        entry = {"settings": asdict(variant), "seeds": seeds[variant.name]}
        both = [s for s in seeds[variant.name] if s in seeds["base"]]
        for measure in ("auc", "brier"):
            values = np.stack([getattr(f, measure) for f in of_variant])
            replicates = np.mean([getattr(f, f"{measure}_replicates") for f in of_variant], axis=0)
            entry[measure] = {
                "mean": _between(values.mean(), replicates.mean(axis=0)),
                "mean_by_seed": values.mean(axis=1).tolist(),
                "by_label": {n: _between(values[:, i].mean(), replicates[i]) for i, n in enumerate(names)},
            }
            if variant.name != "base" and both:
                ours, theirs = ([all_figures[name, seed] for seed in both] for name in (variant.name, "base"))
                value = np.mean([getattr(f, measure).mean() for f in ours]) - np.mean(
                    [getattr(f, measure).mean() for f in theirs]
                )
                each = [
                    np.mean([getattr(f, f"{measure}_replicates").mean(axis=0) for f in group], axis=0)
                    for group in (ours, theirs)
                ]
                entry[measure]["less_base"] = _between(value, each[0] - each[1])
        variants[variant.name] = entry
    return {
        "notice": NOTICE,
        "images": "validation images of the embedded split",
        "number_of_images": len(images),
        "number_of_patients": len(np.unique(images.patients)),
        "labels": {
            name: [counts.positive_patients, counts.negative_patients]
            for name, counts in (
                (n, count_cases(images.positive[:, c], images.patients)) for n, c in zip(names, enough, strict=True)
            )
        },
        "reference": ", ".join(sorted(set(images.references.tolist()))),
        "network": "DenseNet121 from random weights",
        "epochs": options.epochs,
        "interval": f"95 %, percentiles of {RESAMPLES} bootstrap resamples of patients, seeds averaged",
        "variants": variants,
    }


def _between(value: float, replicates: np.ndarray) -> dict[str, float | None]:
    low, high, _ = percentile_interval(replicates, BootstrapOptions(level=LEVEL))
    return {"value": float(value), "low": low, "high": high}


def table_of(answer: dict) -> str:
    """Return the Markdown of docs/method.md."""
    lines = [
        f"{answer['network']}, {answer['epochs']:g} epochs, measured on {answer['number_of_images']:,} images of "
        f"{answer['number_of_patients']:,} validation patients against {answer['reference']}; means over the "
        f"{len(answer['labels'])} labels with {MIN_PATIENTS} positive patients or more. "
        f"Intervals: {answer['interval']}; differences are paired. "
        "Each label's figures: [ablations.json](ablations.json).",
        "",
        "| | seeds | mean AUC | less base | mean Brier score | less base |",
        "|---|---|---|---|---|---|",
    ]
    for entry in answer["variants"].values():
        cells = [entry["settings"]["words"], ", ".join(map(str, entry["seeds"]))]
        for measure, digits in (("auc", 3), ("brier", 4)):
            by_seed = " and ".join(f"{value:.{digits}f}" for value in entry[measure]["mean_by_seed"])
            cells.append(f"{_words(entry[measure]['mean'], digits)}; by seed {by_seed}")
            less = entry[measure].get("less_base")
            cells.append("" if less is None else _words(less, digits, "+"))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _words(figure: dict, digits: int, sign: str = "") -> str:
    shown = f"{{:{sign}.{digits}f}}"
    if figure["low"] is None:
        return shown.format(figure["value"])
    return f"{shown} ({shown} to {shown})".format(figure["value"], figure["low"], figure["high"])


def fill_table(document: Path, table: str, start: str = START, end: str = END) -> None:
    """Put the table between its marks."""
    text = document.read_text()
    before, _, rest = text.partition(start)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{document}: the marks of the table are missing")
    document.write_text(f"{before}{start}\n\n{table}\n\n{end}{after}")


if __name__ == "__main__":
    sys.exit(main())
