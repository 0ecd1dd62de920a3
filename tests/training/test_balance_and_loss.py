import numpy as np
import pytest

from cxr_core.errors import TrainingRefused
from cxr_core.training.balance import ClassWeights, class_weights


def test_positives_and_negatives_weigh_the_same():
    rng = np.random.default_rng(1)
    labels = rng.random((500, 14)) < np.linspace(0.01, 0.6, 14)
    weights = class_weights(labels)
    frequency = labels.mean(axis=0)
    np.testing.assert_allclose(weights.positive, 1 - frequency)
    np.testing.assert_allclose(weights.negative, frequency)
    np.testing.assert_allclose((labels * weights.positive).sum(axis=0), (~labels * weights.negative).sum(axis=0))


def test_no_film_is_refused():
    with pytest.raises(TrainingRefused, match="no training film"):
        class_weights(np.zeros((0, 14), bool))


def test_the_loss_by_hand_and_at_huge_logits():
    from cxr_core.training.loss import weighted_cross_entropy

    weights = ClassWeights(np.array([0.9, 0.5]), np.array([0.1, 0.5]))
    labels, logits = np.array([[1, 0]], np.float32), np.array([[0.0, np.log(3)]], np.float32)
    # -(0.9 log 0.5 + 0.5 log(1 - 0.75)) / 2
    expected = -(0.9 * np.log(0.5) + 0.5 * np.log(0.25)) / 2
    assert float(weighted_cross_entropy(labels, logits, weights)) == pytest.approx(expected, rel=1e-6)
    huge = float(weighted_cross_entropy(labels, np.array([[-1e4, 1e4]], np.float32), weights))
    assert huge == pytest.approx((0.9 * 1e4 + 0.5 * 1e4) / 2)


def test_the_loss_equals_keras_own_where_weights_are_one():
    import keras

    from cxr_core.training.loss import weighted_cross_entropy

    rng = np.random.default_rng(2)
    labels, logits = (rng.random((8, 14)) < 0.3).astype(np.float32), rng.normal(0, 3, (8, 14)).astype(np.float32)
    ones = ClassWeights(np.ones(14), np.ones(14))
    theirs = float(keras.losses.BinaryCrossentropy(from_logits=True)(labels, logits))
    assert float(weighted_cross_entropy(labels, logits, ones)) == pytest.approx(theirs, rel=1e-5)
