"""Evaluation of a model on a folder of images: scores, resumption, references, patients, and exports."""

import csv
import json

import numpy as np
import pytest

from cxr_core.cli.main import main
from cxr_core.errors import WrongArguments
from cxr_core.evaluation import evaluate, gather_images, scoring
from cxr_core.evaluation.catalogue import CATALOGUE
from cxr_core.store import RunStore


def images_of(folder, table="table.csv"):
    return gather_images(
        [folder / "images"],
        [folder / table],
        more_references=[("second", folder / "second.csv")],
        readers=folder / "readers.csv" if table == "table.csv" else None,
    )


def test_the_scores_of_a_run_equal_those_of_predict(made_up_set, runs, capsys):
    arguments = ["--images", str(made_up_set / "images"), "--table", str(made_up_set / "table.csv")]
    assert main(["evaluate", *arguments, "--name", "On Phantoms", "--keep-patients", "--keep-image-names"]) == 0
    assert "on-phantoms" in capsys.readouterr().out
    store = RunStore()
    predictions = store.get("on-ph").predictions()
    store.close()
    # an evaluation also scores images that the gate refuses
    main(["predict", str(made_up_set / "images"), "--json", "--read-anyway", "a test"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    by_name = {line["file"].rsplit("/", 1)[1]: line for line in lines if line["findings"]}
    for row, image in enumerate(predictions.images):
        scores = [finding["score"] for finding in by_name[image]["findings"]]
        np.testing.assert_allclose(predictions.scores[row], scores, atol=1e-6)
        assert predictions.sha256[row] == by_name[image]["sha256"]
        assert predictions.quality[row] == by_name[image]["quality"]["status"]
    assert list(predictions.patients[:3]) == ["0", "0", "1"]


def test_a_resumed_run_equals_an_uninterrupted_one(made_up_set, predictor, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "CHUNK", 6)
    images = images_of(made_up_set)
    expected, *_ = evaluate(predictor, images, tmp_path / "uninterrupted")

    class Stop(Exception):
        pass

    def stop(done, count):
        if done >= 12:
            raise Stop

    with pytest.raises(Stop):
        evaluate(predictor, images, tmp_path / "interrupted", report=stop)
    # an incomplete file is ignored
    (tmp_path / "interrupted" / "chunk-0000012.part").write_bytes(b"half")
    scored = []
    infer = predictor.infer
    monkeypatch.setattr(predictor, "infer", lambda image: scored.append(image) or infer(image))
    continued, *_ = evaluate(predictor, images, tmp_path / "interrupted", resume=True)
    assert len(scored) == 20 - 12
    np.testing.assert_array_equal(continued.scores, expected.scores)
    np.testing.assert_array_equal(continued.images, expected.images)
    np.testing.assert_array_equal(continued.readers.answers, expected.readers.answers)
    for name in expected.references:
        np.testing.assert_array_equal(continued.references[name], expected.references[name])


def test_resuming_another_evaluation_is_refused(made_up_set, predictor, tmp_path):
    images = images_of(made_up_set)
    evaluate(predictor, images.select(np.arange(20) < 2), tmp_path / "work")
    with pytest.raises(WrongArguments, match="is a different one: images differ"):
        evaluate(predictor, images, tmp_path / "work", resume=True)


def test_unreadable_files_are_excluded_and_counted(made_up_set, predictor, tmp_path):
    predictions, unreadable, _ = evaluate(predictor, images_of(made_up_set, "with_broken.csv"), tmp_path / "work")
    assert (len(predictions), unreadable) == (20, 1)
    assert "00000099_000.png" not in predictions.images


def test_references_and_readers_are_matched_to_their_images(made_up_set):
    images = images_of(made_up_set)
    mined, second = images.references.values()
    assert (second[:15, images.labels.index("Effusion")] == 1).all()
    assert (second[15:] == -1).all()
    assert set(np.unique(mined)) == {0, 1}
    assert images.readers.answers.shape == (20, 3, 14)
    assert images.readers.readers.tolist() == ["reader 1", "reader 2", "reader 3"]


def test_patients_are_stored_as_keyed_digests(made_up_set, runs, capsys):
    arguments = ["--images", str(made_up_set / "images"), "--table", str(made_up_set / "table.csv")]
    assert main(["evaluate", *arguments, "--name", "private"]) == 0
    store = RunStore()
    patients = store.get("private").predictions().patients
    store.close()
    assert len(np.unique(patients)) == 10
    assert all(len(patient) == 32 for patient in patients)
    assert ((runs / "patients.key").stat().st_mode & 0o777) == 0o600


COLUMNS = {metric: column for entry in CATALOGUE for metric, column in entry.columns.items()}


def printed(row):
    """Return a number of the export as the command prints it."""
    if not row["value"]:
        return row["reason"].partition(":")[0]
    column = COLUMNS[row["metric"]]
    digits = column.decimals if column.decimals is not None else 1 if column.percent else 3
    spec = f"{'+' if column.signed else ''},.{digits}{'%' if column.percent else 'f'}"
    value = f"{float(row['value']):{spec}}"
    if row["low"]:
        return f"{value} ({float(row['low']):{spec}} to {float(row['high']):{spec}}"
    return f"{value} (no interval" if row["reason"] else value


def test_the_command_and_the_export_have_the_same_numbers(made_up_set, runs, figures_as_text, tmp_path, capsys):
    arguments = ["--images", str(made_up_set / "images"), "--table", str(made_up_set / "table.csv")]
    assert main(["evaluate", *arguments, "--name", "once", "--keep-patients"]) == 0
    assert main(["evaluate", *arguments, "--name", "twice", "--keep-patients"]) == 0
    capsys.readouterr()
    assert main(["runs", "show", "twice"]) == 0
    shown = capsys.readouterr().out
    assert "note: Images evaluated 1 time before" in shown
    assert main(["runs", "export", "twice", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    with (tmp_path / "out" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["metric"] for row in rows} >= {"auc", "average_precision", "prevalence", "macro_auc"}
    for row in rows:
        assert printed(row) in shown, row
        assert "evaluated 1 time before" in row["notes"]
    # the JSON has full precision
    (numbers,) = json.loads((tmp_path / "out" / "metrics.json").read_text())
    for row in (row for row in rows if row["metric"] == "prevalence" and row["value"]):
        assert numbers["labels"][row["label"]]["prevalence"]["value"] == float(row["value"])
    with (tmp_path / "out" / "predictions.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 20 * 14
    assert main(["runs", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("t")
    assert main(["runs", "compare", "once", "twice"]) == 0
    printed_comparison = capsys.readouterr().out
    assert "Effusion" in printed_comparison
    assert "(second-read-mini version 2) minus twice (second-read-mini version 2)" in printed_comparison
    assert main(["runs", "compare", "once", "twice", "--view", "LL"]) == 2
    assert "no common image of the runs has this view" in capsys.readouterr().err
    assert main(["runs", "show", "never"]) == 2
