"""Reads over time beside their reference: series, control limits, distributions and alarms."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cxr_core.metrics import ChangeOptions, ProportionReference, count_limits, mean_limits, proportion_limits
from cxr_core.model.card import Familiarity
from cxr_core.monitoring import (
    Alarm,
    Contribution,
    Watch,
    category_table,
    check_reads,
    distribution_table,
    mix_table,
    period_table,
    reads_of_run,
    reference_of,
    watch,
    with_familiarity,
)
from cxr_core.store import RunStore

LABELS = ("Mass", "Effusion")


def table(n, seed=0, start="2026-03-02", per_day=20, shift=0.0, **changes):
    """Return n reads of n patients, so many a day from a Monday on."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(n, 1)) + random.normal(size=(n, 2)) + shift
    scores = 1 / (1 + np.exp(-logits))
    refused = random.random(n) < 0.02
    quality = np.where(refused, "refused", np.where(random.random(n) < 0.1, "warning", "ok"))
    reads = pd.DataFrame(
        {
            "time": pd.Timestamp(start, tz="UTC") + pd.to_timedelta(np.arange(n) / per_day, unit="D"),
            "patient": [f"{seed}-{row}" for row in range(n)],
            "quality": quality,
            "view": random.choice(["PA", "AP"], n, p=[0.7, 0.3]),
            "sex": random.choice(["F", "M", ""], n, p=[0.5, 0.45, 0.05]),
            "age": random.uniform(20, 90, n),
            "distance": random.gamma(4, size=n),
            "seconds": random.gamma(2, size=n),
            "flagged": np.where(refused, np.nan, (scores > 0.9).any(axis=1)),
        }
        | {f"score: {label}": np.where(refused, np.nan, column) for label, column in zip(LABELS, scores.T, strict=True)}
    )
    return reads.assign(**changes)


@pytest.fixture(scope="module")
def reference():
    return reference_of(table(1500, seed=1), "made up")


def test_the_reference_has_all_series(reference):
    numbers = ("score: Mass", "score: Effusion", "age", "distance")
    assert reference.series == (*numbers, "flagged", "refused", "warning", "view: AP", "sex: M")
    assert reference.proportions["refused"].value == pytest.approx(0.02, abs=0.01)
    # of images that were read, of views and sexes that are known
    assert reference.proportions["warning"].patients == 1500 - round(1500 * reference.proportions["refused"].value)
    assert sum(reference.mixes["sex"].values()) == reference.proportions["sex: M"].patients < 1500


def test_a_series_that_is_not_known_is_not_watched():
    short = reference_of(table(1500, distance=np.nan, sex=""), "made up")
    assert {"distance", "sex: M"}.isdisjoint(short.series)
    assert watch(table(300, distance=99.0, sex="M"), short).alarms == ()


def test_unshifted_reads_raise_no_alarm_and_shifted_ones_do(reference):
    assert watch(table(3000, seed=2), reference).alarms == ()
    after = pd.concat([table(400, seed=3), table(400, seed=4, start="2026-04-01", shift=1.0)])
    found = watch(after, reference)
    first = found.alarms[0]
    assert 400 < first.row < 480
    assert first.reads == first.row + 1
    assert first.time == check_reads(after)["time"][first.row]
    assert {one.series for one in first.contributions} <= {"score: Mass", "score: Effusion", "flagged"}
    assert all(one.rises for one in first.contributions)
    assert sum(one.part for one in first.contributions) == pytest.approx(1, abs=0.3)
    # the change began with read 400
    assert 340 < int((check_reads(after)["time"] < first.since).sum()) < 420
    assert len(found.episodes()) < len(found.alarms)
    assert sum(episode.alarms for episode in found.episodes()) == len(found.alarms)
    # the charts start again and reach the limit again
    assert len(found.alarms) > 2
    assert found.alarms[1].reads == found.alarms[1].row - first.row
    fall = watch(table(400, seed=5, shift=-1.0), reference).alarms[0]
    assert not any(one.rises for one in fall.contributions)


def test_alarms_of_one_change_are_one_and_a_further_change_is_another():
    def alarm(row, *series):
        return Alarm(row, None, 5, tuple(Contribution(name, True, 0.3) for name in series))

    alarms = alarm(1, "view: AP"), alarm(2, "view: AP", "age"), alarm(3, "age"), alarm(4, "flagged", "age")
    found = Watch(np.arange(5), np.zeros(5), alarms).episodes()
    assert [(one.first.row, one.last.row, one.alarms) for one in found] == [(1, 3, 3), (4, 4, 1)]
    fall = Alarm(5, None, 5, (Contribution("flagged", False, 0.9),))
    assert len(Watch(np.arange(6), np.zeros(6), (*alarms, fall)).episodes()) == 3


def test_a_patient_counts_once_in_thirty_days(reference):
    reads = table(2000, seed=6, shift=1.5).assign(patient="the same")
    # 100 days of one patient: the days 0, 30, 60 and 90
    found = watch(reads, reference)
    assert (len(found.rows), found.alarms) == (4, ())
    # whatever the unit of the times
    assert len(watch(reads.assign(time=reads["time"].dt.as_unit("s")), reference).rows) == 4
    assert len(watch(reads.assign(patient=""), reference).rows) == 2000


def test_a_change_of_proportions_is_named(reference):
    found = watch(table(400, seed=7, view="AP"), reference)
    assert found.alarms[0].contributions[0].series == "view: AP"
    refused = table(400, seed=8)
    refused.loc[::3, "quality"] = "refused"
    assert watch(refused, reference).alarms[0].contributions[0].series == "refused"


def test_the_order_of_the_table_does_not_matter(reference):
    reads = table(500, seed=9, shift=0.8)
    shuffled = watch(reads.sample(frac=1, random_state=0), reference)
    assert shuffled.level == pytest.approx(watch(reads, reference).level)


def test_periods_have_the_limits_of_their_reads(reference):
    reads = table(1400, seed=10, per_day=20)
    weeks = period_table(reads, reference)
    counts = weeks[weeks["series"] == "reads"]
    assert counts["value"].tolist() == [140.0] * 10
    assert (counts["low"].iloc[0], counts["high"].iloc[0]) == count_limits([140] * 9)
    assert np.isnan(counts["low"].iloc[-1])
    flagged = weeks[weeks["series"] == "flagged"].iloc[0]
    week = reads[:140]
    assert (flagged["reads"], flagged["value"]) == (
        week["flagged"].notna().sum(),
        pytest.approx(week["flagged"].mean()),
    )
    limits = proportion_limits(reference.proportions["flagged"], [flagged["reads"]])[0]
    assert [flagged["low"], flagged["high"]] == pytest.approx(limits)
    seconds = weeks[weeks["series"] == "seconds"].iloc[0]
    assert [seconds["low"], seconds["value"], seconds["high"]] == pytest.approx(
        week["seconds"].quantile([0.25, 0.5, 0.75])
    )
    assert weeks["outside"].mean() < 0.1
    warned = period_table(reads.assign(quality="warning"), reference)
    assert warned[warned["series"] == "warning"]["outside"].all()


def test_days_and_weekends_have_limits_of_their_own_and_days_without_reads_count(reference):
    reads = table(2000, seed=11, per_day=20)
    reads = reads[reads["time"].dt.day_of_week != 6]
    days = period_table(reads, reference, by="day")
    counts = days[days["series"] == "reads"].set_index("period")
    assert counts.loc["2026-03-08", "value"] == 0
    assert counts.loc["2026-03-09", "low"] > 5
    assert counts.loc["2026-03-07", "low"] == 0
    assert period_table(reads[:0], reference).empty


def test_distributions_stand_beside_the_reference(reference):
    found = distribution_table(table(300, seed=12, shift=1.0), reference).set_index("series")
    assert found.loc["score: Mass", "stability_index"] > found.loc["score: Mass", "limit"]
    assert found.loc["age", "stability_index"] < 2 * found.loc["age", "limit"]
    assert found.loc["score: Mass", "median"] > found.loc["score: Mass", "median_of_reference"]
    assert found.loc["age", "median_of_reference"] == pytest.approx(55, abs=3)
    few = distribution_table(table(30, seed=13), reference)
    assert few["stability_index"].isna().all()
    assert few["median"].isna().all()


def test_mixes_stand_beside_the_reference(reference):
    found = mix_table(table(300, seed=14, view="AP"), reference).set_index(["characteristic", "category"])
    assert found.loc[("view", "AP"), "patients"] == 300
    assert found.loc[("view", "PA"), "patients_of_reference"] == reference.mixes["view"]["PA"]
    assert found.loc[("view", "AP"), "p_value"] < 1e-6 < found.loc[("sex", "F"), "p_value"]


def test_a_table_without_a_column_is_refused(reference):
    with pytest.raises(ValueError, match="without sex, age"):
        watch(table(50).drop(columns=["sex", "age"]), reference)


def test_a_run_makes_a_reference():
    stored = RunStore().get("validation-patients-of-nih-128")
    predictions, thresholds = stored.predictions(), stored.record.thresholds
    reads = reads_of_run(predictions, thresholds)
    refused = predictions.quality == "refused"
    assert reads["flagged"].isna().to_numpy().tolist() == refused.tolist()
    column = predictions.labels.tolist().index("Effusion")
    assert reads["score: Effusion"][~refused].to_numpy() == pytest.approx(predictions.scores[~refused, column])
    reference = reference_of(reads, stored.record.name)
    assert reference.patients == 747
    assert "distance" not in reference.series
    assert len([name for name in reference.series if name.startswith("score: ")]) == len(thresholds) == 10
    # one image of each patient, in any order, is no change
    one = reads.sample(frac=1, random_state=1).drop_duplicates("patient")
    times = pd.Timestamp("2026-01-05", tz="UTC") + pd.to_timedelta(np.arange(len(one)), unit="h")
    assert watch(one.assign(time=times), reference, ChangeOptions()).alarms == ()


def test_means_of_scores_have_limits_and_see_a_shift(reference):
    weeks = period_table(table(1400, seed=14, per_day=20), reference)
    means = weeks[weeks["series"] == "mean score: Mass"]
    known = reference.numbers["score: Mass"]
    first = table(1400, seed=14, per_day=20)["score: Mass"][:140]
    assert means["value"].iloc[0] == pytest.approx(np.nanmean(known.standardise(first)))
    assert means["high"].iloc[0] == pytest.approx(mean_limits(known, [means["reads"].iloc[0]])[0, 1])
    assert means["outside"].sum() <= 1
    shifted = period_table(table(1400, seed=15, per_day=20, shift=1.0), reference)
    assert shifted[shifted["series"] == "mean score: Mass"]["outside"].all()
    assert not shifted[shifted["series"] == "mean age"]["outside"].all()


def test_reasons_and_devices_have_limits_from_the_other_periods(reference):
    reads = table(1400, seed=16, per_day=20)
    reads["reasons"] = [
        ("dark",) if quality == "warning" else ("blank",) * (quality == "refused") for quality in reads["quality"]
    ]
    reads["device"] = np.where(np.arange(1400) < 1260, "ACME XR 9", "Other")
    weeks = period_table(reads, reference)
    dark = weeks[weeks["series"] == "warning: dark"]
    assert dark["value"].to_list() == pytest.approx(weeks[weeks["series"] == "warning"]["value"].to_list())
    assert dark["outside"].sum() <= 1
    device = weeks[weeks["series"] == "device: Other"]
    assert (device["value"].iloc[-1], device["high"].iloc[-1] < 0.1, bool(device["outside"].iloc[-1])) == (
        1,
        True,
        True,
    )
    counted = category_table(reads).set_index(["kind", "category"])
    assert counted.loc[("device", "ACME XR 9"), "reads"] == 1260
    assert counted.loc[("refused", "blank"), "reads"] == (reads["quality"] == "refused").sum()
    assert counted.loc[("device", "Other"), "first"] == "2026-05-04"
    assert category_table(reads[:0]).empty


def test_images_unlike_the_training_images_are_compared_with_the_card(reference):
    card = Familiarity(1.5, "99th percentile of the distances of images of validation patients", 2000, 2000, 786)
    known = with_familiarity(reference, card)
    assert known.proportions["unfamiliar"] == ProportionReference(pytest.approx(0.01), 786)
    assert with_familiarity(reference, None) is reference
    assert with_familiarity(reference, replace(card, rule="largest distance")) is reference
    far = watch(table(400, seed=17).assign(unfamiliar=1.0), known)
    assert far.alarms[0].contributions[0].series == "unfamiliar"
    weeks = period_table(table(400, seed=18).assign(unfamiliar=0.0), known)
    assert not weeks[weeks["series"] == "unfamiliar"]["outside"].any()
