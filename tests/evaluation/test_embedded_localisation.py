"""Every number on the embedded card of where the maps point, counted again from the rows of the runs in the project."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from cxr_core.datasets.splits import read_split
from cxr_core.evaluation.boxes import ALL_BOXES
from cxr_core.model.card import read_card
from cxr_core.model.folder import find_model
from cxr_core.model.localisation import AVERAGE, CENTRE, UNIFORM
from cxr_core.store import RunStore


@pytest.fixture(scope="module")
def card():
    return read_card(find_model("second-read-mini") / "card.json")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    store = RunStore(folder=tmp_path_factory.mktemp("runs"))
    yield {run.localisation().source: run for run in store.list() if run.record.selection}
    store.close()


def test_every_run_made_for_its_boxes_is_on_the_card(card, runs):
    assert {table.source for table in card.localisation} == set(runs)
    assert "ChestX-Det" in runs
    for table in card.localisation:
        record = runs[table.source].record
        assert table.weights_sha256 == record.model_sha256 == card.weights_sha256
        assert table.data == record.data


def test_no_patient_trained_the_model(card, runs):
    split = read_split()
    for source, run in runs.items():
        if run.record.data == ("external_jsrt",):
            continue
        subsets = split.subset_of(np.array([int(patient) for patient in run.localisation().patients.tolist()]))
        assert set(subsets.tolist()) <= {"validation", "test"}, source
        assert run.record.split_sha256 == split.sha256


def random_signs(differences, patients):
    """Return the two-sided p-value from the distribution of the sum, as a table of counts in whole numbers."""
    sums = defaultdict(int)
    for difference, patient in zip(differences.tolist(), patients.tolist(), strict=True):
        sums[patient] += int(difference)
    ways = Counter({0: 1})
    for step in sums.values():
        ways = _moved(ways, step)
    observed = abs(sum(sums.values()))
    return sum(count for at, count in ways.items() if abs(at) >= observed) / sum(ways.values())


def _moved(ways, step):
    moved = Counter()
    for at, count in ways.items():
        moved[at + step] += count
        moved[at - step] += count
    return moved


def test_counts_rates_and_differences_are_those_of_the_rows(card, runs):
    for table in card.localisation:
        rows = runs[table.source].localisation()
        p_values = {CENTRE: {}, AVERAGE: {}}
        for label, result in table.per_label.items():
            mask = np.ones(len(rows), dtype=bool) if label == ALL_BOXES else rows.labels == label
            patients = rows.patients[mask]
            assert (result.images, result.patients) == (mask.sum(), len(set(patients.tolist())))
            assert result.boxes == sum(len(rows.boxes[row]) for row in np.flatnonzero(mask))
            if result.patients < 10:
                assert result.hit_rate.value.value is None
                continue
            assert result.hit_rate.value.value == pytest.approx(rows.hits[mask].mean(), abs=1e-12)
            for baseline, hits in ((CENTRE, rows.centre_hits[mask]), (AVERAGE, rows.average_hits[mask])):
                known = np.isfinite(hits.astype(float))
                measured = result.hit_rate.baselines[baseline]
                assert measured.value.value == pytest.approx(hits[known].mean(), abs=1e-12)
                difference = rows.hits[mask][known] - hits[known].astype(float)
                assert measured.difference.value == pytest.approx(difference.mean(), abs=1e-12)
                p_values[baseline][label] = random_signs(difference, patients[known])
            inside = result.inside
            active = mask & np.isfinite(rows.strongest[:, 0])
            assert result.blank_maps == (mask & ~active).sum()
            assert inside.value.value == pytest.approx(rows.inside[active].mean(), abs=1e-12)
            assert inside.baselines[UNIFORM].value.value == pytest.approx(rows.area[active].mean(), abs=1e-12)
        for baseline, of_labels in p_values.items():
            overall = of_labels.pop(ALL_BOXES, None)
            if overall is not None:
                kept = table.per_label[ALL_BOXES].hit_rate.baselines[baseline].p_value
                assert kept == pytest.approx(overall, rel=1e-6, abs=1e-15)
            # Holm: the smallest times their number, and none smaller than the one before
            largest, ordered = 0.0, sorted(of_labels, key=of_labels.get)
            for rank, label in enumerate(ordered):
                largest = min(1.0, max(largest, of_labels[label] * (len(ordered) - rank)))
                kept = table.per_label[label].hit_rate.baselines[baseline].p_value
                assert kept == pytest.approx(largest, rel=1e-6, abs=1e-15), (table.source, label)
