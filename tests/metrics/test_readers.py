"""Readers in the ROC plane, and whose majority a reference standard is."""

import numpy as np
import pytest
from sklearn.metrics import recall_score

from cxr_core.metrics import BootstrapOptions, majority_members, majority_of_others, reader_points

ANSWERS = np.array(
    [
        # five readers; by hand for reader 0: yes of the other four, majority, tie
        [1, 1, 1, 1, 0],  # 3 of 4: yes
        [0, 1, 1, 1, 1],  # 4 of 4: yes
        [1, 1, 1, 0, 0],  # 2 of 4: tie
        [1, 0, 0, 1, 0],  # 1 of 4: no
        [0, 0, 0, 0, 0],  # 0 of 4: no
        [0, 1, 0, 0, 0],  # 1 of 4: no
    ],
    dtype=bool,
)


def test_the_majority_is_that_of_the_others_alone():
    majority, tied = majority_of_others(ANSWERS, 0)
    assert majority.tolist() == [True, True, False, False, False, False]
    assert tied.tolist() == [False, False, True, False, False, False]
    # with four readers, three judge and none is tied
    assert not majority_of_others(ANSWERS[:, :4], 1)[1].any()


def test_sensitivity_and_specificity_by_hand():
    many = np.repeat(ANSWERS, 20, axis=0)
    point = reader_points(many, np.arange(len(many)), options=BootstrapOptions(resamples=50))[0]
    assert point.sensitivity.value == pytest.approx(1 / 2)
    assert point.specificity.value == pytest.approx(2 / 3)
    assert point.ties == 20
    assert point.sensitivity.low < 1 / 2 < point.sensitivity.high


def test_scikit_learn_agrees_on_random_readers():
    rng = np.random.default_rng(1)
    truth = rng.random(300) < 0.4
    answers = np.where(rng.random((300, 5)) < 0.8, truth[:, None], ~truth[:, None])
    for reader, point in enumerate(reader_points(answers, np.arange(300), options=BootstrapOptions(resamples=20))):
        others = np.delete(answers, reader, axis=1).sum(axis=1)
        kept = others != 2
        reference, said = others[kept] > 2, answers[kept, reader]
        assert point.sensitivity.value == pytest.approx(recall_score(reference, said), abs=1e-12)
        assert point.specificity.value == pytest.approx(recall_score(~reference, ~said), abs=1e-12)


@pytest.mark.parametrize("answers", [ANSWERS[:, :2], ANSWERS.astype(int), ANSWERS[:, 0]])
def test_other_shapes_are_refused(answers):
    with pytest.raises(ValueError, match="3 readers or more"):
        majority_of_others(answers, 0)


def test_a_reference_that_is_a_majority_of_readers_is_recognised():
    random = np.random.default_rng(0)
    answers = random.random((60, 5, 3)) < 0.4
    reference = (answers[:, [1, 2, 4]].sum(axis=1) >= 2).astype(np.int8)
    assert majority_members(answers, reference) == (1, 2, 4)
    unstated = reference.copy()
    unstated[::3, 1] = -1
    assert majority_members(answers, unstated) == (1, 2, 4)
    reference[5, 2] = 1 - reference[5, 2]
    assert majority_members(answers, reference) == ()
    assert majority_members(answers, np.full((60, 3), -1)) == ()
