"""Concordance of readers and model: by hand, by scikit-learn and by R, on simulated readers."""

import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, recall_score

from cxr_core.metrics import BootstrapOptions, Opinions, clustered_kappa, concordance, reading_time
from tests.conftest import missing

QUICK = BootstrapOptions(resamples=50)

BASE_R = """
counts <- scan(file("stdin"), quiet = TRUE)
for (i in seq(1, length(counts), 4)) {
  table <- matrix(counts[i:(i + 3)], 2, byrow = TRUE)
  n <- sum(table)
  chance <- sum(rowSums(table) * colSums(table)) / n^2
  kappa <- (sum(diag(table)) / n - chance) / (1 - chance)
  exact <- binom.test(table[1, 2], table[1, 2] + table[2, 1])$p.value
  cat(format(c(kappa, exact, mcnemar.test(table, correct = FALSE)$p.value), digits = 15), "\\n")
}
"""


def opinions(first, above, final=None, reference=None, patient=None, **other):
    n = len(first)
    columns = {"reader": ["A"] * n, "label": ["Mass"] * n, "month": ["2026-11"] * n} | other
    return Opinions(
        patient=np.arange(n).astype(str) if patient is None else np.asarray(patient).astype(str),
        first=np.asarray(first),
        final=np.asarray(first if final is None else final),
        above=np.asarray(above, dtype=bool),
        reference=np.asarray([""] * n if reference is None else reference),
        **{name: np.asarray(values) for name, values in columns.items()},
    )


def test_changes_go_by_what_was_shown_and_agreement_by_the_state_of_the_first_opinion():
    """Toward and away are relative to the state on the screen; without one a change has no direction."""
    n = 40
    first, final, above = ["absent"] * n, ["present"] * n, [False] * n
    shown = ["above"] * 20 + ["below"] * 10 + [""] * 10
    found = concordance(opinions(first, above, final, shown=shown))
    assert [one.value for one in (found.agreement, found.changed, found.toward, found.away)] == [1, 1, 0.5, 0.25]
    alike = concordance(opinions(first, above, final))
    assert (alike.toward.value, alike.away.value) == (0, 1)
    assert concordance(opinions(first, above, final, shown=[""] * n)).change_p == 1
    with pytest.raises(ValueError, match="shown has other values"):
        opinions(first, above, final, shown=["not_evaluated"] * n)


def words(called):
    return np.where(called, "present", "absent")


def draw(seed, patients, prevalence=0.2, reader=0.85, model=0.8, images=(1, 1, 1, 2, 3, 6)):
    """Return opinions, states and patients: of a patient's images half of the variance of the truth is common."""
    random = np.random.default_rng([patients, seed])
    patient = np.repeat(np.arange(patients), random.choice(images, patients))
    truth = random.random(len(patient)) < random.beta(prevalence, 1 - prevalence, patients)[patient]
    called, above = (np.where(random.random(len(patient)) < right, truth, ~truth) for right in (reader, model))
    return called, above, patient


def true_kappa(prevalence=0.2, reader=0.85, model=0.8):
    rates = [prevalence * right + (1 - prevalence) * (1 - right) for right in (reader, model)]
    by_chance = rates[0] * rates[1] + (1 - rates[0]) * (1 - rates[1])
    return (reader * model + (1 - reader) * (1 - model) - by_chance) / (1 - by_chance)


def test_by_hand():
    # 20 both, 6 by the reader alone, 10 by the model alone, 14 neither, of 50; agreed 0.68; by chance
    # 26/50 x 30/50 + 24/50 x 20/50 = 0.504
    called, above = np.repeat([1, 1, 0, 0], [20, 6, 10, 14]), np.repeat([1, 0, 1, 0], [20, 6, 10, 14])
    found = concordance(opinions(words(called), above))
    assert (found.opinions, found.patients, found.agreement.value) == (50, 50, 0.68)
    assert found.kappa.value == pytest.approx((0.68 - 0.504) / (1 - 0.504))
    assert (found.reader_only.positives, found.model_only.positives) == (6, 10)
    # McNemar's exact test: six or fewer, or ten or more, heads of 16
    heads = sum([1, 16, 120, 560, 1820, 4368, 8008])
    assert found.disagreement_p == pytest.approx(2 * heads / 2**16)
    assert (found.sensitivity, found.specificity, found.changed.value, found.change_p) == (None, None, 0.0, 1.0)


def test_changes_are_toward_the_model_or_away_from_it():
    first = ["absent"] * 8 + ["uncertain"] * 6 + ["present"] * 6
    final = ["present"] * 3 + ["uncertain"] * 1 + ["absent"] * 4  # of absent
    final += ["present"] * 2 + ["absent"] * 1 + ["uncertain"] * 3  # of uncertain
    final += ["absent"] * 2 + ["uncertain"] * 1 + ["present"] * 3  # of present
    found = concordance(opinions(first, [True] * 20, final))
    # toward "above": 3 + 1 of absent and 2 of uncertain; away: 1 of uncertain and 2 + 1 of present
    assert (found.changed.positives, found.toward.positives, found.away.positives) == (10, 6, 4)
    assert found.changed.counts.images == 20
    # as many heads of ten as 6 or more, or 4 or fewer
    assert found.change_p == pytest.approx(1 - 252 / 1024)
    below = concordance(opinions(first, [False] * 20, final))
    assert (below.toward.positives, below.away.positives) == (4, 6)


def test_uncertain_opinions_are_excluded_or_count_as_asked():
    first = ["uncertain"] * 10 + ["present"] * 10 + ["absent"] * 20
    table = opinions(first, [True] * 20 + [False] * 20)
    found = concordance(table)
    assert (found.uncertain.value, found.agreement.value, found.agreement.counts.images) == (0.25, 1.0, 30)
    assert concordance(table, uncertain="present").agreement.value == 1.0
    assert concordance(table, uncertain="absent").agreement.value == 0.75
    with pytest.raises(ValueError, match="excluded, present, absent"):
        concordance(table, uncertain="ignored")


def test_opinions_given_after_reveal_alone_count_nowhere_as_first():
    table = opinions([""] * 12 + ["present"] * 12, [True] * 24, ["present"] * 12 + [""] * 12)
    found = concordance(table)
    assert (found.opinions, found.agreement.counts.images) == (24, 12)
    assert (found.changed.value, found.changed.reason) == (None, "no opinion after reveal")
    assert concordance(table.rows(np.arange(12))).kappa.reason == "no first opinion"


def test_accuracy_before_and_after_is_paired():
    truth = np.arange(60) % 2 == 0
    before, after = truth ^ (np.arange(60) < 12), truth ^ (np.arange(60) < 4)
    found = concordance(opinions(words(before), truth, words(after), words(truth)))
    assert found.sensitivity.before.value == pytest.approx(recall_score(truth, before)) == 24 / 30
    assert found.sensitivity.after.value == pytest.approx(recall_score(truth, after)) == 28 / 30
    assert found.sensitivity.difference.value == pytest.approx(4 / 30)
    # four patients changed, all for the better
    assert found.sensitivity.p_value == pytest.approx(2 / 2**4)
    assert found.specificity.difference.value == pytest.approx(
        recall_score(~truth, ~after) - recall_score(~truth, ~before)
    )
    # an opinion that is uncertain after reveal is in neither, unless it counts
    unsure = opinions(words(before), truth, np.where(np.arange(60) < 6, "uncertain", words(after)), words(truth))
    assert concordance(unsure).sensitivity.before.value == 24 / 27
    assert concordance(unsure, uncertain="present").sensitivity.after.value == 1


def test_too_few_patients_give_no_number():
    table = opinions(["present", "absent"] * 20, [True] * 40, reference=["present"] * 40, patient=np.arange(40) % 9)
    found = concordance(table)
    for estimate in (found.agreement, found.kappa, found.changed, found.uncertain, found.reader_only):
        assert (estimate.value, estimate.low) == (None, None)
        assert estimate.reason.startswith("too few cases (9 patients")
    assert found.sensitivity.difference.reason == "too few cases (9 positive patients)"
    assert found.specificity.before.reason == "no negative"
    assert (found.disagreement_p, found.change_p, found.sensitivity.p_value) == (None, None, None)
    assert reading_time(np.ones(40), np.arange(40) % 9).quartiles is None


def test_time_is_that_of_reads_with_a_known_one():
    time = reading_time([np.nan, *range(1, 12)], np.arange(12))
    assert (time.reads, time.quartiles) == (11, (3.5, 6.0, 8.5))


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.integers(0, 10**6), st.integers(10, 60))
def test_kappa_equals_the_peer_with_few_and_with_many_patients(seed, patients):
    called, above, patient = draw(seed, patients)
    if len(set(called) | set(above)) == 1:
        return
    for few in (0, 200):
        options = replace(QUICK, bootstrap_min_patients=few)
        found = concordance(opinions(words(called), above, patient=patient), options).kappa
        assert found.value is None or found.value == pytest.approx(cohen_kappa_score(called, above), abs=1e-12)


def test_kappa_and_mcnemar_equal_those_of_r():
    program = shutil.which("Rscript")
    if program is None:
        missing("proc", "R is not installed")
    tables = [(20, 6, 10, 14), (3, 9, 1, 30), (40, 12, 15, 200), (5, 30, 8, 5)]
    numbers = subprocess.run(
        [program, "-e", BASE_R],
        input=" ".join(str(c) for t in tables for c in t),
        capture_output=True,
        text=True,
        check=True,
    )
    for counts, line in zip(tables, numbers.stdout.splitlines(), strict=True):
        kappa, exact, by_chi_square = (float(number) for number in line.split())
        called, above = np.repeat([1, 1, 0, 0], counts), np.repeat([1, 0, 1, 0], counts)
        found = concordance(opinions(words(called), above))
        assert found.kappa.value == pytest.approx(kappa, abs=1e-12)
        assert found.disagreement_p == pytest.approx(exact, abs=1e-12)
        # chi-square is the approximation of the same test, on the same side of the usual level
        assert (by_chi_square < 0.05) == (exact < 0.05)


def test_reads_of_the_same_patients_are_no_further_evidence():
    called, above, _ = draw(3, 80, images=(1,))
    once = concordance(opinions(words(called), above, patient=np.arange(80)))
    thrice = concordance(opinions(words(np.tile(called, 3)), np.tile(above, 3), patient=np.tile(np.arange(80), 3)))
    assert thrice.disagreement_p == pytest.approx(once.disagreement_p)
    assert [thrice.kappa.low, thrice.kappa.high] == pytest.approx([once.kappa.low, once.kappa.high])
    assert thrice.agreement.high - thrice.agreement.low == pytest.approx(
        once.agreement.high - once.agreement.low, rel=0.05
    )


def test_kappa_without_spread_has_no_interval():
    yes = np.arange(20) % 2 == 0
    assert clustered_kappa(yes, yes, np.arange(20)).value == 1
    assert clustered_kappa(yes, ~yes, np.arange(20)).value == -1
    # one always gives the same answer: kappa is 0 whoever is drawn, which is no sign of certainty
    for one, other in ((yes, yes & False), (yes & False, yes), (yes, yes | True)):
        kappa = clustered_kappa(one, other, np.arange(20))
        assert (kappa.value, kappa.low, kappa.reason) == (0, None, "no interval: no spread between patients")
    assert clustered_kappa(yes, yes, np.arange(20)).reason == "no interval: no spread between patients"
    assert clustered_kappa(yes | True, yes | True, np.arange(20)).reason == "all always give the same answer"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first": np.array(["yes"] * 3)}, "first has other values"),
        ({"reference": np.array(["uncertain"] * 3)}, "reference has other values"),
        ({"above": np.array([True, False])}, "above of shape"),
    ],
)
def test_other_input_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(opinions(["present"] * 3, [True] * 3), **change)


@pytest.mark.slow
@pytest.mark.parametrize(("patients", "least"), [(10, 0.88), (20, 0.91), (50, 0.92), (200, 0.92)])
def test_intervals_of_kappa_hold_the_truth(patients, least):
    """Two or three standard errors below what docs/concordance.md states."""
    options = BootstrapOptions(resamples=300)
    # percentiles of resamples take longer
    simulations = 1000 if patients < options.bootstrap_min_patients else 300
    intervals = [clustered_kappa(*draw(seed, patients), replace(options, seed=seed)) for seed in range(simulations)]
    intervals = [kappa for kappa in intervals if kappa.low is not None]
    assert len(intervals) > 0.95 * simulations
    coverage = np.mean([kappa.low <= true_kappa() <= kappa.high for kappa in intervals])
    print(f"{patients} patients: {coverage:.3f} of {len(intervals)}")
    assert least < coverage < 0.98
