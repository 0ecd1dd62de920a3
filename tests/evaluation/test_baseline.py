"""The baseline of age, sex and view: equal to scikit-learn's logistic regression, and finite for odd tables."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from cxr_core.datasets.table import MINED, ImageTable
from cxr_core.evaluation.card_metrics import RIDGE, fit_baseline
from cxr_core.labels import LABELS


def images(count: int, seed: int, **changed) -> ImageTable:
    rng = np.random.default_rng(seed)
    columns = {
        "names": np.array([f"{i}.png" for i in range(count)]),
        "paths": np.array([Path(f"{i}.png") for i in range(count)], dtype=object),
        "labels": LABELS,
        "positive": np.zeros((count, 14), dtype=bool),
        "patients": np.arange(count),
        "ages": rng.uniform(1, 95, count),
        "sexes": rng.choice(["M", "F"], count),
        "views": rng.choice(["PA", "AP"], count),
        "sources": np.full(count, "made up"),
        "references": np.full(count, MINED),
    }
    return ImageTable(**(columns | changed))


def test_coefficients_equal_those_of_scikit_learn():
    table = images(800, 1)
    rng = np.random.default_rng(2)
    truth = -2 + 0.03 * (table.ages - 50) + 1.2 * (table.views == "AP")
    labels = (rng.random((800, 2)) < 1 / (1 + np.exp(-np.stack([truth, -truth], axis=1)))).astype(bool)
    ours = fit_baseline(table, labels)
    age = (table.ages - 50) / 20
    ap = table.views == "AP"
    features = np.stack([age, age**2, table.sexes == "M", ap, age * ap], axis=1).astype(float)
    for c in range(2):
        theirs = LogisticRegression(C=1 / RIDGE, tol=1e-10, max_iter=2000).fit(features, labels[:, c])
        np.testing.assert_allclose(ours.coefficients[1:, c], theirs.coef_[0], atol=1e-4)
        np.testing.assert_allclose(ours.coefficients[0, c], theirs.intercept_[0], atol=1e-4)
        np.testing.assert_allclose(ours.log_odds(table)[:, c], theirs.decision_function(features), atol=1e-3)


def test_the_baseline_does_not_depend_on_the_image():
    table = images(300, 3)
    labels = np.random.default_rng(4).random((300, 1)) < 0.3
    fitted = fit_baseline(table, labels)
    other = images(300, 3, names=table.names[::-1], positive=~table.positive)
    np.testing.assert_array_equal(fitted.log_odds(table), fitted.log_odds(other))


def test_log_odds_are_finite_for_unknown_and_impossible_ages_and_absent_labels():
    table = images(200, 5, ages=np.where(np.arange(200) % 3 == 0, np.nan, np.where(np.arange(200) % 7 == 0, 414.0, 50)))
    labels = np.stack([np.zeros(200, bool), np.ones(200, bool), table.sexes == "M"], axis=1)
    odds = fit_baseline(table, labels).log_odds(table)
    assert np.isfinite(odds).all()
    assert (odds[:, 0] < -4).all()
    assert (odds[:, 1] > 4).all()
    assert (odds[table.sexes == "M", 2] > 0).all()


@pytest.mark.needs_shared
def test_the_auc_on_nih_is_above_chance(shared):
    from cxr_core.datasets.splits import read_split
    from cxr_core.datasets.table import read_table
    from cxr_core.metrics import roc_auc

    table = read_table(shared / "nih_128" / "Data_Entry_2017_subset.csv", shared / "nih_128" / "images")
    parts = read_split().subset_of(table.patients)
    train, validation = table.select(parts == "train"), table.select(parts == "validation")
    fitted = fit_baseline(train, train.positive.any(axis=1, keepdims=True))
    auc = roc_auc(validation.positive.any(axis=1), fitted.log_odds(validation)[:, 0]).value
    assert 0.55 < auc < 0.75
