"""Import of the predictions of another program: accepted tables, and refusals in one line."""

import numpy as np
import pandas as pd
import pytest

from cxr_core.cli.main import main
from cxr_core.errors import PathUnusable
from cxr_core.evaluation import summarise
from cxr_core.evaluation.external_predictions import read_external_predictions
from cxr_core.metrics import roc_auc


@pytest.fixture
def frame():
    rng = np.random.default_rng(1)
    truth = (rng.random(80) < 0.4).astype(float)
    truth[:3] = np.nan
    return pd.DataFrame(
        {
            "image": [f"image {i}" for i in range(80)],
            "patient": [f"QZPATIENT{i // 2}" for i in range(80)],
            "score: Fracture": rng.random(80) * 0.5 + 0.4 * np.nan_to_num(truth),
            "truth: Fracture": truth,
            "age": rng.integers(20, 90, 80),
        }
    )


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_is_imported_as_a_run(frame, suffix, tmp_path):
    path = tmp_path / f"table.{suffix}"
    frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
    predictions, record = read_external_predictions(
        path, name="Elsewhere", model="theirs", part="test", folder=tmp_path
    )
    auc = summarise(record, predictions).auc["Fracture"]
    known = frame["truth: Fracture"].notna()
    expected = roc_auc(frame["truth: Fracture"][known] == 1, frame["score: Fracture"][known])
    assert auc.value == pytest.approx(expected.value, abs=1e-12)
    assert auc.positives + auc.negatives == 77
    assert not any("QZPATIENT" in patient for patient in predictions.patients)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.rename(columns=lambda c: c.replace("Fracture", "Any finding")), "Label 'Any finding'"),
        (lambda f: f.assign(**{"score: fracture": 0.5, "truth: fracture": 1}), "Label 'fracture'"),
        (lambda f: f.drop(columns="patient"), "columns patient are missing"),
        (lambda f: f.drop(columns="truth: Fracture"), "truth: Fracture"),
        (lambda f: f.assign(**{"score: Fracture": 1.5}), "not in 0 to 1"),
        (lambda f: f.assign(**{"score: Fracture": np.nan}), "score is missing"),
        (lambda f: f.assign(**{"truth: Fracture": 2}), "neither 0, 1"),
        (lambda f: f.assign(image="the same"), "twice"),
        (lambda f: f.assign(patient=np.nan), "no patient"),
        (lambda f: f.assign(**{"score: Fracture": "much"}), "number is expected"),
        (lambda f: f.iloc[:0], "no image"),
    ],
)
def test_invalid_tables_are_refused(frame, change, message, tmp_path):
    change(frame).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(PathUnusable, match=message) as error:
        read_external_predictions(tmp_path / "t.csv", name="x", model="y", part="test", folder=tmp_path)
    assert "QZPATIENT" not in str(error.value)


def test_a_missing_file_is_reported_in_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["runs", "import", str(tmp_path / "none.csv"), "--name", "x"]) == 4
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"image;patient;score: Effusion;truth: Effusion\na;1;0,5;1\n", "separated by semicolons"),
        (b"image\tpatient\tscore: Effusion\ttruth: Effusion\na\t1\t0.5\t1\n", "separated by tabs"),
        ("image,patient,score: Effusion,truth: Effusion\na,1,0.5,1\n".encode("utf-16"), "UTF-16"),
        ("image,patient\n".encode("utf-16-be").join([b"\xfe\xff", b""]), "UTF-16"),
    ],
)
def test_other_delimiters_and_encodings_are_refused_by_name(tmp_path, text, message):
    file = tmp_path / "scores.csv"
    file.write_bytes(text)
    with pytest.raises(PathUnusable, match=message):
        read_external_predictions(file, name="run", model="m", part="test", folder=tmp_path)
