"""The arithmetic of the ablations, without a training."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from benchmarks import ablations
from cxr_core.datasets.table import MINED, ImageTable
from cxr_core.labels import LABELS

N = 240


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    labels = rng.random((N, 14)) < 0.3
    labels[:, 13] = False
    empty = np.full(N, "")
    paths = np.full(N, Path("x"), dtype=object)
    patients = np.repeat(np.arange(N // 2), 2)
    return ImageTable(LABELS, empty, paths, labels, patients, np.zeros(N), empty, empty, empty, np.full(N, MINED))


@pytest.fixture(scope="module")
def scores(images):
    rng = np.random.default_rng(1)
    good = np.clip(0.3 * images.positive + 0.7 * rng.random((N, 14)), 0, 1)
    return {("base", 1): good, ("base", 2): good**1.1, ("plain", 1): good**2, ("plain", 2): rng.random((N, 14))}


@pytest.fixture(scope="module")
def answer(images, scores):
    return ablations.summary(scores, images, SimpleNamespace(seeds=[1, 2], epochs=8))


def test_figures_are_those_of_another_library(images, scores):
    figures = ablations.figures(images.positive[:, :3], scores["base", 1][:, :3], images.patients)
    for c in range(3):
        assert figures.auc[c] == pytest.approx(roc_auc_score(images.positive[:, c], scores["base", 1][:, c]))
        assert figures.brier[c] == pytest.approx(brier_score_loss(images.positive[:, c], scores["base", 1][:, c]))
    # a resample of patients is a resample of their images: the same images, weighed
    drawn = np.concatenate(
        list(ablations.multiplicities(N // 2, ablations.BootstrapOptions(ablations.RESAMPLES))), axis=1
    )[:, 5]
    weights = drawn[images.patients]
    expected = brier_score_loss(images.positive[:, 1], scores["base", 1][:, 1], sample_weight=weights)
    assert figures.brier_replicates[1, 5] == pytest.approx(expected)
    expected = roc_auc_score(images.positive[:, 1], scores["base", 1][:, 1], sample_weight=weights)
    assert figures.auc_replicates[1, 5] == pytest.approx(expected)


def test_a_label_without_cases_is_left_out(answer):
    assert list(answer["labels"]) == list(LABELS[:13])
    assert set(answer["variants"]) == {"base", "plain"}


def test_differences_are_paired_and_seeds_averaged(answer, images, scores):
    mean = {
        key: np.mean([roc_auc_score(images.positive[:, c], values[:, c]) for c in range(13)])
        for key, values in scores.items()
    }
    plain = answer["variants"]["plain"]["auc"]
    assert plain["mean_by_seed"] == pytest.approx([mean["plain", 1], mean["plain", 2]])
    assert plain["mean"]["value"] == pytest.approx(np.mean([mean["plain", 1], mean["plain", 2]]))
    expected = np.mean([mean["plain", s] for s in (1, 2)]) - np.mean([mean["base", s] for s in (1, 2)])
    assert plain["less_base"]["value"] == pytest.approx(expected)
    assert plain["less_base"]["low"] < expected < plain["less_base"]["high"] < 0
    assert "less_base" not in answer["variants"]["base"]["auc"]


def test_the_same_scores_differ_by_nothing(images, scores):
    same = {(name, 1): scores["base", 1] for name in ("base", "flip")}
    flip = ablations.summary(same, images, SimpleNamespace(seeds=[1], epochs=8))["variants"]["flip"]
    assert flip["auc"]["less_base"]["value"] == 0
    # squared it ranks the same, and is further from the truth
    squared = {("base", 1): scores["base", 1], ("plain", 1): scores["base", 1] ** 2}
    plain = ablations.summary(squared, images, SimpleNamespace(seeds=[1], epochs=8))["variants"]["plain"]
    assert plain["auc"]["less_base"]["value"] == pytest.approx(0, abs=1e-12)
    assert plain["brier"]["less_base"]["value"] != 0


def test_the_table_is_put_between_its_marks(answer, tmp_path):
    document = tmp_path / "method.md"
    document.write_text(f"before\n{ablations.START}\nold\n{ablations.END}\nafter\n")
    for _ in range(2):
        ablations.fill_table(document, ablations.table_of(answer))
    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert text.count("| plain loss |") == 1
    (tmp_path / "other.md").write_text("no marks")
    with pytest.raises(SystemExit, match="marks"):
        ablations.fill_table(tmp_path / "other.md", "x")


def test_the_document_has_the_marks():
    text = (ablations.PROJECT / "docs" / "method.md").read_text()
    assert text.index(ablations.START) < text.index(ablations.END)
