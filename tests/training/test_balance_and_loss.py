import math

import numpy as np
import pytest

from cxr_core.errors import TrainingRefused
from cxr_core.training.class_weights import ClassWeights, class_weights, loss_contributions


def made_up_labels(images=500):
    return np.random.default_rng(1).random((images, 14)) < np.linspace(0.01, 0.6, 14)


def test_positives_and_negatives_weigh_the_same():
    """To 1e-9, for every class, summed image by image in exact arithmetic over a set as large as NIH's."""
    labels = made_up_labels(86_524)
    weights = class_weights(labels)
    frequency = labels.mean(axis=0)
    np.testing.assert_array_equal(weights.positive, 1 - frequency)
    np.testing.assert_array_equal(weights.negative, frequency)
    for c in range(14):
        positive = math.fsum(weights.positive[c] for _ in range(int(labels[:, c].sum())))
        negative = math.fsum(weights.negative[c] for _ in range(int((~labels[:, c]).sum())))
        assert positive == pytest.approx(negative, rel=1e-9)


@pytest.mark.needs_shared
def test_they_weigh_the_same_on_the_official_training_images(shared):
    from cxr_core.datasets.splits import official_split, read_names
    from cxr_core.datasets.table import read_table

    folder = shared / "nih_labels"
    images = read_table(folder / "Data_Entry_2017_v2020.csv.gz", None)
    lists = [read_names(folder / f"{name}.txt.gz") for name in ("train_val_list", "test_list")]
    parts = official_split(images.names, images.patients, images.positive, *lists).subset_of(images.patients)
    labels = images.positive[parts == "train"]
    weights = class_weights(labels)
    sums = (labels * weights.positive).sum(axis=0), (~labels * weights.negative).sum(axis=0)
    np.testing.assert_allclose(*sums, rtol=1e-9)


def test_the_plain_loss_weighs_all_images_as_one():
    weights = class_weights(made_up_labels(), "plain")
    np.testing.assert_array_equal(weights.positive, 1)
    np.testing.assert_array_equal(weights.negative, 1)


def test_shares_of_the_loss_before_and_after():
    """Three of four images positive: 0.75 and 0.25 before, 0.75 x 0.25 each after."""
    labels = np.array([[1], [1], [1], [0]], bool)
    weighted = loss_contributions(labels.mean(axis=0), class_weights(labels))
    np.testing.assert_allclose(weighted, [[0.75, 0.25, 0.1875, 0.1875]], rtol=1e-12)
    np.testing.assert_allclose(
        loss_contributions(labels.mean(axis=0), class_weights(labels, "plain")), [[0.75, 0.25, 0.75, 0.25]]
    )
    shares = loss_contributions(made_up_labels().mean(axis=0), class_weights(made_up_labels()))
    np.testing.assert_allclose(shares[:, 2], shares[:, 3], rtol=1e-9)


def test_no_image_is_refused():
    with pytest.raises(TrainingRefused, match="no training image"):
        class_weights(np.zeros((0, 14), bool))


def test_the_loss_by_hand_and_at_huge_logits():
    from cxr_core.training.steps import weighted_cross_entropy

    weights = ClassWeights(np.array([0.9, 0.5]), np.array([0.1, 0.5]))
    labels, logits = np.array([[1, 0]], np.float32), np.array([[0.0, np.log(3)]], np.float32)
    # -(0.9 log 0.5 + 0.5 log(1 - 0.75)) / 2
    expected = -(0.9 * np.log(0.5) + 0.5 * np.log(0.25)) / 2
    assert float(weighted_cross_entropy(labels, logits, weights)) == pytest.approx(expected, rel=1e-6)
    huge = float(weighted_cross_entropy(labels, np.array([[-1e4, 1e4]], np.float32), weights))
    assert huge == pytest.approx((0.9 * 1e4 + 0.5 * 1e4) / 2)


def test_the_loss_equals_keras_own_where_weights_are_one():
    import keras

    from cxr_core.training.steps import weighted_cross_entropy

    rng = np.random.default_rng(2)
    labels, logits = (rng.random((8, 14)) < 0.3).astype(np.float32), rng.normal(0, 3, (8, 14)).astype(np.float32)
    ones = ClassWeights(np.ones(14), np.ones(14))
    theirs = float(keras.losses.BinaryCrossentropy(from_logits=True)(labels, logits))
    assert float(weighted_cross_entropy(labels, logits, ones)) == pytest.approx(theirs, rel=1e-5)


def test_the_loss_is_the_papers_formula_in_float64():
    """The formula written out with sigmoids and logarithms, in float64, to 1e-6; logits within plus and minus 15."""
    from cxr_core.training.steps import weighted_cross_entropy

    rng = np.random.default_rng(3)
    labels = made_up_labels(64)
    logits = rng.uniform(-15, 15, (64, 14)).astype(np.float32)
    weights = class_weights(labels)
    y, p = labels.astype(np.float64), 1 / (1 + np.exp(-logits.astype(np.float64)))
    formula = -(weights.positive * y * np.log(p) + weights.negative * (1 - y) * np.log(1 - p))
    ours = float(weighted_cross_entropy(labels.astype(np.float32), logits, weights))
    assert ours == pytest.approx(formula.mean(), rel=1e-6)
    # in float64 the two forms are the same to rounding
    double = float(weighted_cross_entropy(y, logits.astype(np.float64), weights))
    assert double == pytest.approx(formula.mean(), rel=1e-12)


@pytest.mark.parametrize("logit", [-100.0, 100.0])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_the_loss_and_its_gradient_are_finite_at_a_hundred(logit, label):
    """Where a sigmoid of float32 is exactly 0 or 1, and its logarithm is not a number that can be used."""
    import tensorflow as tf

    from cxr_core.training.steps import weighted_cross_entropy

    weights = ClassWeights(np.array([0.9]), np.array([0.1]))
    z = tf.Variable([[logit]])
    with tf.GradientTape() as tape:
        loss = weighted_cross_entropy(np.array([[label]], np.float32), z, weights)
    wrong = (logit > 0) != (label > 0)
    weight = 0.9 if label else 0.1
    assert float(loss) == pytest.approx(100 * weight if wrong else 0, abs=1e-6)
    (gradient,) = tape.gradient(loss, z).numpy()
    assert gradient == pytest.approx((-weight if label else weight) if wrong else 0, abs=1e-6)


def test_the_losses_of_two_shares_add_up():
    from cxr_core.training.steps import weighted_cross_entropy

    rng = np.random.default_rng(4)
    labels, logits = (rng.random((7, 14)) < 0.3).astype(np.float32), rng.normal(0, 3, (7, 14)).astype(np.float32)
    weights = ClassWeights(rng.random(14), rng.random(14))
    whole = float(weighted_cross_entropy(labels, logits, weights))
    shares = [weighted_cross_entropy(labels[s], logits[s], weights, images=7) for s in (slice(0, 3), slice(3, 7))]
    assert sum(float(share) for share in shares) == pytest.approx(whole, rel=1e-6)
