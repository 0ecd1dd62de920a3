import csv
import json

import numpy as np
import pytest

from cxr_core.cli.main import main
from cxr_core.errors import WrongArguments
from cxr_core.evaluation import evaluate, gather_films, scoring
from cxr_core.settings import settings
from cxr_core.store import RunStore


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    settings.cache_clear()
    yield tmp_path / "runs"
    settings.cache_clear()


def films_of(folder, table="table.csv"):
    return gather_films(
        [folder / "images"],
        [folder / table],
        more_references=[("second", folder / "second.csv")],
        readers=folder / "readers.csv" if table == "table.csv" else None,
    )


def test_the_scores_of_a_run_are_those_of_predict(made_up_set, runs, capsys):
    arguments = ["--images", str(made_up_set / "images"), "--table", str(made_up_set / "table.csv")]
    assert main(["evaluate", *arguments, "--name", "On Phantoms", "--keep-patients", "--keep-image-names"]) == 0
    assert "on-phantoms" in capsys.readouterr().out
    store = RunStore()
    predictions = store.get("on-ph").predictions()
    store.close()
    # the gate is asked but not obeyed: predict is told to read all the same
    main(["predict", str(made_up_set / "images"), "--json", "--read-anyway", "a test"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    by_name = {line["file"].rsplit("/", 1)[1]: line for line in lines if line["findings"]}
    for row, image in enumerate(predictions.images):
        theirs = [finding["score"] for finding in by_name[image]["findings"]]
        np.testing.assert_allclose(predictions.scores[row], theirs, atol=1e-6)
        assert predictions.sha256[row] == by_name[image]["sha256"]
        assert predictions.quality[row] == by_name[image]["quality"]["status"]
    assert list(predictions.patients[:3]) == ["0", "0", "1"]


def test_an_interrupted_run_goes_on_and_is_equal(made_up_set, predictor, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "CHUNK", 6)
    films = films_of(made_up_set)
    whole, *_ = evaluate(predictor, films, tmp_path / "whole")

    class Stop(Exception):
        pass

    def stop(done, count):
        if done >= 12:
            raise Stop

    with pytest.raises(Stop):
        evaluate(predictor, films, tmp_path / "cut", report=stop)
    # a file that was being written when it stopped is no chunk
    (tmp_path / "cut" / "chunk-0000012.part").write_bytes(b"half")
    scored = []
    real = predictor.infer
    monkeypatch.setattr(predictor, "infer", lambda film: scored.append(film) or real(film))
    continued, *_ = evaluate(predictor, films, tmp_path / "cut", resume=True)
    assert len(scored) == 20 - 12
    np.testing.assert_array_equal(continued.scores, whole.scores)
    np.testing.assert_array_equal(continued.images, whole.images)
    np.testing.assert_array_equal(continued.readers.answers, whole.readers.answers)
    for name in whole.references:
        np.testing.assert_array_equal(continued.references[name], whole.references[name])


def test_going_on_with_another_evaluation_is_refused(made_up_set, predictor, tmp_path):
    films = films_of(made_up_set)
    evaluate(predictor, films.select(np.arange(20) < 2), tmp_path / "work")
    with pytest.raises(WrongArguments, match="is another one: films differ"):
        evaluate(predictor, films, tmp_path / "work", resume=True)


def test_a_file_that_cannot_be_read_is_left_out_and_counted(made_up_set, predictor, tmp_path):
    predictions, unreadable, _ = evaluate(predictor, films_of(made_up_set, "with_broken.csv"), tmp_path / "work")
    assert (len(predictions), unreadable) == (20, 1)
    assert "00000099_000.png" not in predictions.images


def test_references_and_readers_keep_to_their_films(made_up_set):
    films = films_of(made_up_set)
    mined, second = films.references.values()
    assert (second[:15, films.labels.index("Effusion")] == 1).all()
    assert (second[15:] == -1).all()
    assert set(np.unique(mined)) == {0, 1}
    assert films.readers.answers.shape == (20, 3, 14)
    assert films.readers.readers.tolist() == ["reader 1", "reader 2", "reader 3"]


def test_patients_are_keyed_digests_unless_they_are_public(made_up_set, runs, capsys):
    arguments = ["--images", str(made_up_set / "images"), "--table", str(made_up_set / "table.csv")]
    assert main(["evaluate", *arguments, "--name", "private"]) == 0
    store = RunStore()
    patients = store.get("private").predictions().patients
    store.close()
    assert len(np.unique(patients)) == 10
    assert all(len(patient) == 32 for patient in patients)
    assert ((runs / "patients.key").stat().st_mode & 0o777) == 0o600


def printed(row):
    """A number of the export as the command prints it."""
    if not row["value"]:
        return row["reason"].partition(":")[0]
    limits = f"{float(row['low']):.3f} to {float(row['high']):.3f}" if row["low"] else "no interval"
    return f"{float(row['value']):.3f} ({limits}"


def test_a_command_and_an_export_print_the_same_numbers(made_up_set, runs, tmp_path, capsys):
    arguments = ["--images", str(made_up_set / "images"), "--table", str(made_up_set / "table.csv")]
    assert main(["evaluate", *arguments, "--name", "once", "--keep-patients"]) == 0
    assert main(["evaluate", *arguments, "--name", "twice", "--keep-patients"]) == 0
    capsys.readouterr()
    assert main(["runs", "show", "twice"]) == 0
    shown = capsys.readouterr().out
    assert "note: these films were evaluated once before" in shown
    assert main(["runs", "export", "twice", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    with (tmp_path / "out" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["metric"] for row in rows} >= {"auc", "average_precision", "prevalence", "macro_auc"}
    for row in rows:
        assert printed(row) in shown, row
        assert "evaluated once before" in row["notes"]
    # the JSON holds them as they are, not as they are printed
    (numbers,) = json.loads((tmp_path / "out" / "metrics.json").read_text())
    for row in (row for row in rows if row["metric"] == "prevalence" and row["value"]):
        assert numbers["labels"][row["label"]]["prevalence"]["value"] == float(row["value"])
    with (tmp_path / "out" / "predictions.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 20 * 14
    assert main(["runs", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("t")
    assert main(["runs", "compare", "once", "twice"]) == 0
    assert "Effusion" in capsys.readouterr().out
    assert main(["runs", "show", "never"]) == 2
