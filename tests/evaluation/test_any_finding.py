"""Any finding: from the column "Abnormal" of a reference standard if there is one, else from its labels."""

import numpy as np
import pandas as pd
import pytest

from cxr_core.cli.main import main
from cxr_core.errors import PathUnusable
from cxr_core.evaluation import ANY_FINDING, gather_images, outcomes, reader_outcomes, summarise
from cxr_core.labels import LABELS
from cxr_core.metrics import BootstrapOptions, reader_points, roc_auc
from cxr_core.settings import settings
from cxr_core.store import RunStore
from tests.runs import made_up, record_of

COLUMNS = [label.replace("_", " ") for label in LABELS]
IMAGES = [f"{i // 2:08d}_{i % 2:03d}.png" for i in range(20)]


@pytest.fixture
def experts(tmp_path):
    """Tables in the layout of the experts' labels; every third image is abnormal without a label."""
    rows, readers = [], []
    for i, image in enumerate(IMAGES):
        labels = {column: "YES" if (i, c) in ((0, 2), (1, 4)) else "NO" for c, column in enumerate(COLUMNS)}
        abnormal = i < 2 or i % 3 == 0
        rows.append(
            {"Image ID": image, "Patient ID": i // 2, "Abnormal": "YES" if abnormal else "NO"}
            | labels
            | {"Other": "YES" if abnormal and i > 1 else "NO"}
        )
        for reader in range(3):
            answer = abnormal if reader else i < 2
            readers.append(
                {"Image ID": image, "Patient ID": i // 2, "Reader ID": 70 + reader, "Abnormal": int(answer)} | labels
            )
    pd.DataFrame(rows).to_csv(tmp_path / "majority.csv", index=False)
    pd.DataFrame(readers).to_csv(tmp_path / "readers.csv", index=False)
    return tmp_path


ABNORMAL = np.array([i < 2 or i % 3 == 0 for i in range(20)])


def test_any_finding_is_read_from_the_column_abnormal(experts, made_up_set):
    images = gather_images([made_up_set / "images"], [experts / "majority.csv"], readers=experts / "readers.csv")
    (name,) = images.references
    np.testing.assert_array_equal(images.any_finding[name], ABNORMAL)
    assert (images.references[name].any(axis=1)).sum() == 2
    assert images.readers.any_finding.sum(axis=0).tolist() == [2, ABNORMAL.sum(), ABNORMAL.sum()]
    half = images.select(np.arange(20) < 10)
    np.testing.assert_array_equal(half.any_finding[name], ABNORMAL[:10])
    assert half.readers.any_finding.shape == (10, 3)


def test_any_finding_is_stored_and_used_by_default(experts, made_up_set, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    settings.cache_clear()
    tables = ["--table", str(experts / "majority.csv"), "--readers", str(experts / "readers.csv")]
    more = ["--reference", f"mined={made_up_set / 'table.csv'}", "--name", "experts", "--keep-image-names"]
    assert main(["evaluate", "--images", str(made_up_set / "images"), *tables, *more]) == 0
    store = RunStore()
    predictions = store.get("experts").predictions()
    store.close()
    settings.cache_clear()
    abnormal = ABNORMAL[[IMAGES.index(image) for image in predictions.images]]
    labels, truth, _, patients = outcomes(predictions)
    assert labels[-1] == ANY_FINDING
    np.testing.assert_array_equal(truth[:, -1], abnormal)
    # without the column it is that of any label
    _, mined, _, _ = outcomes(predictions, "mined")
    np.testing.assert_array_equal(mined[:, -1], (mined[:, :-1] == 1).any(axis=1))
    answers = reader_outcomes(predictions)
    assert answers.shape == (20, 3, 15)
    points = reader_points(answers[:, :, -1], patients)
    # the second and the third reader agree; each reader is excluded from the majority of the others
    assert points[0].sensitivity.positives == abnormal.sum()


def test_without_the_column_any_finding_is_not_stored(made_up_set):
    images = gather_images([made_up_set / "images"], [made_up_set / "table.csv"], readers=made_up_set / "readers.csv")
    assert images.any_finding == {}
    assert images.readers.any_finding is None


def test_the_summary_uses_the_column_where_it_is_known_and_else_the_labels():
    predictions = made_up(200, per_patient=1)
    stated = predictions.any_finding["experts"]
    label = (predictions.references["experts"] == 1).any(axis=1)
    expected = np.where(stated >= 0, stated == 1, label)
    auc = summarise(record_of(predictions), predictions, "experts", options=BootstrapOptions(20)).auc[ANY_FINDING]
    scores = outcomes(predictions)[2][:, -1]
    assert auc.value == pytest.approx(roc_auc(expected, scores).value, abs=1e-12)
    assert auc.value != pytest.approx(roc_auc(label, scores).value, abs=1e-6)


def test_an_answer_that_is_neither_yes_nor_no_is_refused(experts, made_up_set):
    table = (experts / "majority.csv").read_text().replace(",YES,", ",MAYBE,", 1)
    (experts / "majority.csv").write_text(table)
    with pytest.raises(PathUnusable, match=r"column Abnormal is neither YES, NO, 1 nor 0"):
        gather_images([made_up_set / "images"], [experts / "majority.csv"])


def test_external_predictions_may_contain_any_finding(tmp_path):
    from cxr_core.evaluation.external_predictions import read_external_predictions

    frame = pd.DataFrame(
        {
            "image": [f"{i}" for i in range(40)],
            "patient": [f"{i}" for i in range(40)],
            "score: Fracture": np.linspace(0.1, 0.9, 40),
            "truth: Fracture": 0,
            "truth: Any finding": [i % 2 for i in range(40)],
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    predictions, _ = read_external_predictions(tmp_path / "t.csv", name="x", model="y", part="test", folder=tmp_path)
    assert predictions.labels.tolist() == ["Fracture"]
    np.testing.assert_array_equal(outcomes(predictions)[1][:, -1], np.arange(40) % 2)
