"""Agreement of readers and model beyond chance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from cxr_core.metrics import BootstrapOptions, cohen_kappa, fleiss_kappa, reader_agreement
from cxr_core.metrics.bootstrap import multiplicities
from cxr_core.metrics.cases import index_patients

steady = settings(deadline=None, derandomize=True)


def simulate(seed=0, images=120, readers=5, patients=50):
    random = np.random.default_rng(seed)
    truth = random.random(images) < 0.4
    answers = np.where(random.random((images, readers)) < 0.85, truth[:, None], ~truth[:, None])
    model = np.where(random.random(images) < 0.7, truth, ~truth)
    return answers, model, random.integers(0, patients, images)


def test_cohen_by_hand():
    # 20 both yes, 5 and 10 apart, 15 both no, of 50: agreed 0.7; by chance 25/50 x 30/50 + 25/50 x 20/50 = 0.5
    one, other = np.repeat([1, 1, 0, 0], [20, 5, 10, 15]), np.repeat([1, 0, 1, 0], [20, 5, 10, 15])
    found = cohen_kappa(one, other, np.arange(50))
    assert found.value == pytest.approx((0.7 - 0.5) / 0.5)
    assert (found.positives, found.negatives, found.positive_patients) == (35, 15, 35)
    assert found.low < found.value < found.high


@steady
@given(st.integers(0, 10**6), st.integers(2, 4))
def test_cohen_equals_the_peer(seed, categories):
    random = np.random.default_rng(seed)
    one, other = random.integers(0, categories, (2, 40))
    other = np.where(random.random(40) < 0.4, one, other)
    found = cohen_kappa(one, other, np.arange(40), options=BootstrapOptions(resamples=5))
    assert found.value == pytest.approx(cohen_kappa_score(one, other), abs=1e-12)


def test_fleiss_is_that_of_the_published_table():
    # Fleiss (1971), in the form often reprinted: 10 subjects, 14 raters, 5 categories, kappa 0.210
    table = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    answers = np.array([np.repeat(np.arange(5), row) for row in table])
    found = fleiss_kappa(answers, np.arange(10))
    assert found.value == pytest.approx(0.210, abs=5e-4)
    # and exactly: mean agreement of pairs within subjects, and squared shares of categories
    counts = np.array(table)
    agreed = np.mean((counts * (counts - 1)).sum(axis=1) / (14 * 13))
    by_chance = ((counts.sum(axis=0) / 140) ** 2).sum()
    assert found.value == pytest.approx((agreed - by_chance) / (1 - by_chance), abs=1e-12)


def test_intervals_equal_a_plain_loop_over_the_same_draws():
    answers, model, patients = simulate()
    found = reader_agreement(answers, patients, model, options=BootstrapOptions(resamples=60, seed=9))
    number, which = index_patients(patients, len(answers))
    times = np.concatenate(list(multiplicities(number, BootstrapOptions(60, 9))), axis=1).astype(int)
    everyone = np.column_stack([answers, model])
    pair, mean, gain = [], [], []
    for r in range(60):
        images = np.repeat(np.arange(len(answers)), times[which, r])
        drawn = everyone[images]
        kappa = {(i, j): cohen_kappa_score(drawn[:, i], drawn[:, j]) for i in range(6) for j in range(i + 1, 6)}
        pair.append(kappa[1, 3])
        mean.append(np.mean([kappa[i, 5] for i in range(5)]))
        gain.append(mean[-1] - np.mean([kappa[i, j] for i in range(5) for j in range(i + 1, 5)]))
    for estimate, loop in ((found.pairs[1, 3], pair), (found.with_others[5], mean), (found.gain, gain)):
        assert [estimate.low, estimate.high] == pytest.approx(np.quantile(loop, [0.025, 0.975]), abs=1e-12)


def test_the_model_is_one_more_reader():
    answers, model, patients = simulate(images=400, patients=200)
    found = reader_agreement(answers, patients, model, options=BootstrapOptions(resamples=100))
    humans = reader_agreement(answers, patients, options=BootstrapOptions(resamples=100))
    assert set(found.pairs) == {(i, j) for i in range(6) for j in range(i + 1, 6)}
    assert found.fleiss == humans.fleiss
    assert found.fleiss_with_model == fleiss_kappa(
        np.column_stack([answers, model]), patients, options=BootstrapOptions(resamples=100)
    )
    assert (humans.fleiss_with_model, humans.gain) == (None, None)
    # a reader's mean is with the other four; the model is not among them
    expected = np.mean([cohen_kappa_score(answers[:, 0], answers[:, j]) for j in range(1, 5)])
    assert found.with_others[0].value == pytest.approx(expected, abs=1e-12)
    assert len(humans.with_others) == 5
    # this one is right less often than they are
    assert found.gain.high < 0
    assert found.with_others[5].value < min(one.value for one in found.with_others[:5])


def test_nothing_beyond_chance_is_a_reason():
    same = cohen_kappa(np.ones(20, bool), np.ones(20, bool), np.arange(20))
    assert (same.value, same.reason) == (None, "all always give the same answer")
    # one reader who always says yes agrees by chance alone
    assert cohen_kappa(np.ones(20, bool), np.arange(20) % 2 == 0, np.arange(20)).value == pytest.approx(0, abs=1e-12)
    # readers who always agree on both kinds of image: no resample differs
    full = cohen_kappa(np.arange(40) % 2, np.arange(40) % 2, np.arange(40), options=BootstrapOptions(resamples=50))
    assert (full.value, full.low) == (1, None)
    assert "same value" in full.reason


def test_too_few_patients():
    answers, model, _ = simulate(images=12)
    found = reader_agreement(answers, np.arange(12) % 9, model)
    for estimate in (*found.pairs.values(), *found.with_others, found.fleiss, found.fleiss_with_model, found.gain):
        assert (estimate.value, estimate.reason) == (None, "too few cases (9 patients)")
    assert reader_agreement(np.zeros((0, 3), bool), []).fleiss.reason == "no image"


def test_other_input_is_refused():
    answers, model, patients = simulate()
    for wrong in (answers[:, :1], answers.astype(float), answers[:, 0]):
        with pytest.raises(ValueError, match="2 readers or more"):
            reader_agreement(wrong, patients)
    with pytest.raises(ValueError, match="model"):
        reader_agreement(answers, patients, model[:5])
    with pytest.raises(ValueError, match="model"):
        reader_agreement(answers, patients, model.astype(float))


def test_agreement_without_each_reader_is_that_of_the_others():
    answers, model, patients = simulate()
    # the third reader answers at random
    answers[:, 2] = np.random.default_rng(1).random(len(answers)) < 0.5
    options = BootstrapOptions(resamples=80, seed=4)
    found = reader_agreement(answers, patients, model, options)
    number, which = index_patients(patients, len(answers))
    times = np.concatenate(list(multiplicities(number, options)), axis=1).astype(int)
    for reader in range(5):
        others = np.delete(answers, reader, axis=1)
        assert found.fleiss_without[reader] == fleiss_kappa(others, patients, options)
        change = found.fleiss_change[reader]
        assert change.value == pytest.approx(found.fleiss.value - found.fleiss_without[reader].value, abs=1e-12)
        drawn = [np.repeat(np.arange(len(answers)), times[which, r]) for r in range(80)]
        loop = [_fleiss(answers[rows]) - _fleiss(others[rows]) for rows in drawn]
        assert [change.low, change.high] == pytest.approx(np.quantile(loop, [0.025, 0.975]), abs=1e-12)
    assert found.fleiss_change[2].high < 0
    assert all(found.fleiss_change[reader].value > 0 for reader in (0, 1, 3, 4))


def _fleiss(answers):
    counts = np.stack([answers.sum(axis=1), (~answers).sum(axis=1)], axis=1)
    readers = answers.shape[1]
    agreed = np.mean((counts * (counts - 1)).sum(axis=1) / (readers * (readers - 1)))
    by_chance = ((counts.sum(axis=0) / counts.sum()) ** 2).sum()
    return (agreed - by_chance) / (1 - by_chance)


def test_two_readers_cannot_be_left_out():
    answers, _, patients = simulate(readers=2)
    found = reader_agreement(answers, patients)
    assert found.fleiss_without == found.fleiss_change == ()
