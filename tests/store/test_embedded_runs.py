"""The runs that come with the project: two versions of its model on the same images."""

import pytest

from cxr_core.evaluation import compare_runs
from cxr_core.store import RunStore
from cxr_core.store.runs import EMBEDDED

MEGABYTE = 1_000_000
VERSIONS = ("2", "1")


@pytest.fixture
def runs(tmp_path):
    store = RunStore(folder=tmp_path)
    yield {run.record.id: run for run in store.list()}
    store.close()


def test_the_present_model_on_validation_patients_comes_first(runs):
    assert next(iter(runs)) == "validation-patients-of-nih-128"
    versions = [run.record.model_version for run in runs.values()]
    assert versions == sorted(versions, reverse=True)
    assert set(versions) == set(VERSIONS)


def test_every_run_is_complete_and_small(runs):
    assert set(runs) == {path.name for path in EMBEDDED.iterdir() if path.is_dir()}
    for run in runs.values():
        run.check()
        assert run.record.image_names_kept
        assert sum(path.stat().st_size for path in run.folder.iterdir()) < MEGABYTE
    assert sum(path.stat().st_size for path in EMBEDDED.rglob("*.parquet")) < 5 * MEGABYTE


def test_a_version_is_named_and_compared_with_the_other_on_the_same_images(runs):
    previous = [run for name, run in runs.items() if name.endswith("-version-1")]
    assert len(previous) >= 5
    for one in previous:
        two = runs[one.record.id.removesuffix("-version-1")]
        assert one.record.data_sha256 == two.record.data_sha256
        assert one.record.model_sha256 != two.record.model_sha256
        assert (one.record.model, two.record.model) == ("second-read-mini version 1", "second-read-mini version 2")


@pytest.mark.parametrize(
    ("run", "label", "reached"),
    [("external-jsrt", "Cardiomegaly", 0.85), ("experts-on-nih-expert", "Cardiomegaly", 0.9)],
)
def test_the_present_version_is_better_at_the_heart(runs, run, label, reached):
    compared = compare_runs(runs[run], runs[f"{run}-version-1"])
    one, two = compared.aucs[label]
    assert one.value > reached > two.value
    assert compared.differences[label].difference.low > 0


def test_readers_are_found_without_reading_the_predictions(runs):
    assert {name for name, run in runs.items() if run.has_readers()} == {
        "experts-on-nih-expert",
        "experts-on-nih-expert-version-1",
    }
