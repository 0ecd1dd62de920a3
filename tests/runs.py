"""Made-up runs for tests."""

import numpy as np

from cxr_core.labels import LABELS
from cxr_core.store import Localisation, Predictions, ReaderAnswers, RunRecord
from cxr_core.store.predictions import fingerprint


def made_up(images: int = 60, seed: int = 0, *, labels=LABELS, per_patient: int = 2, readers: int = 0) -> Predictions:
    """Return predictions that know something of labels that are there for about a fifth of the images."""
    rng = np.random.default_rng(seed)
    truth = rng.random((images, len(labels))) < 0.2
    logits = rng.normal(-1.5, 1, truth.shape) + 1.2 * truth
    truth_values = truth.astype(np.int8)
    other = np.where(rng.random(truth.shape) < 0.9, truth_values, 1 - truth_values).astype(np.int8)
    other[0, 0] = -1
    answers = None
    if readers:
        wrong = rng.random((images, readers, len(labels))) < 0.15
        said_by = truth[:, None, :] ^ wrong
        # abnormal for another reason, now and then
        abnormal = said_by.any(axis=2) | (rng.random((images, readers)) < 0.1)
        answers = ReaderAnswers(np.array([f"reader {r + 1}" for r in range(readers)]), said_by, abnormal)
    return Predictions(
        images=np.array([f"{seed}-{i:05d}.png" for i in range(images)]),
        sha256=np.array([f"{seed:08x}{i:056x}" for i in range(images)]),
        patients=np.array([f"{i // per_patient}" for i in range(images)]),
        labels=np.array(labels),
        scores=1 / (1 + np.exp(-logits)),
        probabilities=np.where(rng.random(truth.shape) < 0.5, rng.random(truth.shape), np.nan),
        references={"mined": truth_values, "experts": other},
        ages=np.where(np.arange(images) % 7 == 0, np.nan, rng.uniform(18, 90, images)),
        sexes=rng.choice(["M", "F", ""], images),
        views=rng.choice(["PA", "AP"], images),
        sources=np.full(images, "made up"),
        quality=rng.choice(["ok", "warning"], images),
        readers=answers,
        any_finding={"experts": np.where(np.arange(images) % 9 == 0, -1, rng.random(images) < 0.8).astype(np.int8)},
    )


def made_up_boxes(predictions: Predictions, boxed: int = 40, seed: int = 0) -> Localisation:
    """Return maps beside boxes on images of the run: as many of each of three labels, and too few of a fourth."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(["Effusion", "Cardiomegaly", "Mass", "Nodule"], [boxed, boxed, boxed, 3])
    pairs, steps = len(labels), np.arange(1, 10) / 10
    images = rng.choice(len(predictions), pairs)
    height = 0.2 + 0.4 * np.exp(-((steps - 0.4) ** 2) / 0.1)
    return Localisation(
        images=predictions.images[images],
        patients=predictions.patients[images],
        labels=labels,
        boxes=tuple(np.array([[0.0, 0.0, 10.0, 10.0]]) for _ in range(pairs)),
        strongest=rng.uniform(0, 90, (pairs, 2)),
        hits=rng.random(pairs) < 0.5,
        centre_hits=rng.random(pairs) < 0.25,
        thresholds=steps,
        overlap=np.clip(height + rng.normal(0, 0.1, (pairs, 9)), 0, 1),
        centre_overlap=np.clip(height / 2 + rng.normal(0, 0.1, (pairs, 9)), 0, 1),
        marked=np.tile(1 - steps, (pairs, 1)),
        source="ChestX-Det",
        average_hits=(rng.random(pairs) < 0.35).astype(float),
        average_overlap=np.clip(height / 1.5 + rng.normal(0, 0.1, (pairs, 9)), 0, 1),
        inside=rng.uniform(0.1, 0.5, pairs),
        average_inside=rng.uniform(0.1, 0.4, pairs),
        area=rng.uniform(0, 0.2, pairs),
    )


def record_of(predictions: Predictions, run: str = "a-run", **changed) -> RunRecord:
    """Return a record that fits the predictions."""
    fields = {
        "id": run,
        "name": run.replace("-", " "),
        "created": "2026-11-24T08:00:00+00:00",
        "model_id": "second-read-mini",
        "model_sha256": "0" * 64,
        "engine": "openvino",
        "data": ("made up",),
        "data_sha256": fingerprint(predictions),
        "split": "none",
        "split_sha256": "",
        "part": "test",
        "images": len(predictions),
        "patients": len(np.unique(predictions.patients)),
        "labels": tuple(predictions.labels.tolist()),
        "references": tuple(predictions.references),
        "versions": {"second-read": "0.1.0"},
    }
    return RunRecord(**(fields | changed))
