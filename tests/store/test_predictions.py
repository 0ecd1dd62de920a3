import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest

from cxr_core.errors import PathUnusable
from cxr_core.labels import NOTICE
from cxr_core.store import read_predictions, write_predictions
from cxr_core.store.predictions import fingerprint
from tests.runs import made_up


def same(one, two) -> None:
    for field in dataclasses.fields(one):
        ours, theirs = getattr(one, field.name), getattr(two, field.name)
        if field.name in ("references", "any_finding"):
            assert list(ours) == list(theirs)
            for name in ours:
                np.testing.assert_array_equal(ours[name], theirs[name])
        elif field.name == "readers":
            assert (ours is None) == (theirs is None)
            if ours is not None:
                np.testing.assert_array_equal(ours.readers, theirs.readers)
                np.testing.assert_array_equal(ours.answers, theirs.answers)
                np.testing.assert_array_equal(ours.any_finding, theirs.any_finding)
        else:
            np.testing.assert_array_equal(ours, theirs, err_msg=field.name)


@pytest.mark.parametrize("readers", [0, 5])
@pytest.mark.parametrize("images", [1, 57])
def test_what_is_written_is_read(images, readers, tmp_path):
    before = made_up(images, readers=readers)
    write_predictions(before, tmp_path / "p.parquet")
    same(before, read_predictions(tmp_path / "p.parquet"))


def test_a_file_of_before_any_finding_had_its_column_is_read(tmp_path):
    path, before = tmp_path / "p.parquet", made_up(30, readers=3)
    write_predictions(before, path)
    table = pq.read_table(path)
    pq.write_table(table.drop_columns([name for name in table.column_names if name.startswith("any finding")]), path)
    read = read_predictions(path)
    assert (read.any_finding, read.readers.any_finding) == ({}, None)
    np.testing.assert_array_equal(read.readers.answers, before.readers.answers)
    np.testing.assert_array_equal(read.references["experts"], before.references["experts"])


def test_any_program_can_read_it(tmp_path):
    predictions = made_up(20)
    write_predictions(predictions, tmp_path / "p.parquet")
    table = pq.read_table(tmp_path / "p.parquet")
    assert table.num_rows == 20 * 14
    assert {"image", "patient", "label", "score", "probability", "age", "sex", "view"} <= set(table.column_names)
    assert table.schema.metadata[b"notice"].decode() == NOTICE
    row = table.to_pylist()[3 * 14 + 2]
    assert (row["image"], row["label"], row["score"]) == (predictions.images[3], "Effusion", predictions.scores[3, 2])
    assert table["reference: experts"].null_count == 1


def test_the_fingerprint_is_of_images_and_labels_whatever_their_order():
    predictions = made_up(30)
    turned = np.arange(30)[::-1]
    other = dataclasses.replace(
        predictions,
        images=predictions.images[turned],
        sha256=predictions.sha256[turned],
        patients=predictions.patients[turned],
        scores=predictions.scores[turned] / 2,
        references={name: values[turned] for name, values in predictions.references.items()},
    )
    assert fingerprint(other) == fingerprint(predictions)
    relabelled = {name: values.copy() for name, values in predictions.references.items()}
    relabelled["mined"][4, 4] ^= 1
    assert fingerprint(dataclasses.replace(predictions, references=relabelled)) != fingerprint(predictions)


def test_another_file_is_refused_in_one_line(tmp_path):
    path = tmp_path / "run" / "predictions.parquet"
    with pytest.raises(PathUnusable, match=r"Run run: predictions\.parquet is missing"):
        read_predictions(path)
    path.parent.mkdir()
    path.write_bytes(b"PAR1 not at all")
    with pytest.raises(PathUnusable, match="broken"):
        read_predictions(path)
