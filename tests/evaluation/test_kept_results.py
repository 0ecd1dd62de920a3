"""Results that are kept: computed once by whoever asks first, found by the others."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from cxr_core.cli.main import main
from cxr_core.evaluation import kept_results, summary_of
from cxr_core.evaluation.comparison import comparison_of, kept_comparison
from cxr_core.evaluation.kept_results import FOLDER, LOCKS, KeptResult
from cxr_core.evaluation.summary import kept_summary
from cxr_core.settings import settings
from cxr_core.store import RunStore
from tests.runs import made_up, record_of

LIMIT = 60


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    settings.cache_clear()
    yield tmp_path / "runs"
    settings.cache_clear()


@pytest.fixture
def runs(folder):
    """Two runs of the same images, whose scores differ a little."""
    first = made_up(60)
    store = RunStore()
    stored = [
        store.add(record_of(predictions, name), predictions)
        for name, predictions in (("one", first), ("two", replace(first, scores=first.scores**1.5)))
    ]
    store.close()
    return stored


def result(key="00112233"):
    return KeptResult(key, TypeAdapter(list[int]))


def test_a_second_program_waits_for_the_first_and_sees_its_progress(folder, monkeypatch):
    monkeypatch.setattr(kept_results, "_POLL_SECONDS", 0.01)
    computing, seen, computed = threading.Event(), threading.Event(), []

    def compute(report):
        computed.append(1)
        report(1, 4)
        computing.set()
        assert seen.wait(LIMIT)
        return [1, 2]

    def second():
        assert computing.wait(LIMIT)
        return result().read_or_compute(compute, lambda done, steps: (done, steps) == (1, 4) and seen.set())

    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(result().read_or_compute, compute), threads.submit(second)]
        assert [future.result(LIMIT) for future in both] == [[1, 2], [1, 2]]
    assert computed == [1]
    # what showed the progress is gone
    assert [path.suffix for path in (folder / LOCKS).iterdir()] == [".lock"]


def test_after_a_failure_the_next_one_computes(folder):
    def fail(report):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        result().read_or_compute(fail)
    assert result().read_or_compute(lambda report: [3]) == [3]


@pytest.mark.parametrize("content", [b"", b"{", b'["word"]', b"\xff\xfe"])
def test_a_damaged_result_is_computed_again(folder, content):
    assert result().read_or_compute(lambda report: [1]) == [1]
    (path,) = (folder / FOLDER).iterdir()
    path.write_bytes(content)
    assert result().read_or_compute(lambda report: [2]) == [2]
    assert result().read() == [2]


@pytest.mark.parametrize("blocked", [FOLDER, LOCKS.parts[0]])
def test_without_a_folder_to_write_to_it_is_computed_each_time(folder, blocked):
    folder.mkdir()
    # a file in place of the folder, because the mode of a folder does not restrict root
    (folder / blocked).write_text("")
    assert result().read_or_compute(lambda report: [1]) == [1]
    assert result().read_or_compute(lambda report: [2]) == ([2] if blocked == FOLDER else [1])


def test_a_comparison_is_kept_exactly_for_these_runs_and_this_question(runs, monkeypatch):
    one, two = runs
    reports = []
    first = comparison_of(one, two, report=lambda done, steps: reports.append((done, steps)))
    done = [part for part, _ in reports]
    # the AUCs and the test of each label, and the mean
    assert len(done) == 2 * len(first.differences) + 2
    assert done == sorted(set(done))
    assert {whole for _, whole in reports} == {done[-1]}
    assert done[0] == 0
    of_pa = comparison_of(one, two, "experts", "PA")
    monkeypatch.setattr("cxr_core.evaluation.comparison.compare_runs", None)
    assert comparison_of(one, two) == kept_comparison(one, two, "mined") == first
    assert comparison_of(one, two, "experts", "PA") == of_pa != first
    for question in ((two, one), (one, two, "mined", "AP"), (one, two, "experts"), (one, one)):
        assert kept_comparison(*question) is None
        with pytest.raises(TypeError):
            comparison_of(*question)
    monkeypatch.setattr(kept_results, "source_version", lambda: ["another version"])
    assert kept_comparison(one, two) is None


def test_runs_prepare_leaves_nothing_to_compute(runs, capsys, monkeypatch):
    one, two = runs
    assert main(["runs", "prepare", "one", "--compare", "two"]) == 0
    assert capsys.readouterr().out.startswith("one: ready, 0:")
    monkeypatch.setattr("cxr_core.evaluation.summary.summarise", None)
    monkeypatch.setattr("cxr_core.evaluation.comparison.compare_runs", None)
    for reference in one.record.references:
        assert summary_of(one, reference).reference == reference
        assert comparison_of(one, two, reference).reference == reference
    assert kept_summary(two) is None


def test_runs_prepare_all_names_a_run_that_cannot_be_read(runs, capsys, monkeypatch):
    one, two = runs
    monkeypatch.setattr("cxr_core.store.RunStore._of_project", lambda store: ())
    (two.folder / "predictions.parquet").write_bytes(b"other")
    assert main(["runs", "prepare", "--all"]) == 3
    printed = capsys.readouterr()
    assert "one: ready" in printed.out
    assert "two" not in printed.out
    assert "Error: Run two: predictions.parquet is missing or was changed" in printed.err
    assert kept_summary(one) is not None


@pytest.mark.parametrize("arguments", [[], ["one", "--all"], ["--all", "--compare", "two"]])
def test_runs_prepare_says_what_it_takes(runs, capsys, arguments):
    assert main(["runs", "prepare", *arguments]) == 2
    assert capsys.readouterr().err.startswith("Error: ")
