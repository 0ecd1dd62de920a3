import numpy as np
import pytest

from cxr_core.datasets.table import EXPERTS, MINED, ImageTable, read_reference, read_table
from cxr_core.errors import PathUnusable
from cxr_core.labels import LABELS
from tests.images import made_up_dataset


def test_nih_table(tmp_path):
    images, table = made_up_dataset(tmp_path, patients=4, images=2)
    rows = read_table(table, images)
    assert len(rows) == 8
    assert rows.positive.shape == (8, 14)
    assert set(rows.references) == {MINED}
    assert rows.ages[0] == 41
    reference = read_reference(table)
    for name, row in zip(rows.names, rows.positive, strict=True):
        assert reference[name] == dict(zip(LABELS, row.tolist(), strict=True))


def test_rows_without_an_image_are_left_out_and_none_at_all_is_refused(tmp_path):
    images, table = made_up_dataset(tmp_path, patients=2, images=2)
    (images / "00000001_000.png").unlink()
    assert len(read_table(table, images)) == 3
    for path in images.iterdir():
        path.unlink()
    with pytest.raises(PathUnusable, match="No image of table"):
        read_table(table, images)


def test_an_unknown_label_and_a_missing_column_are_named(tmp_path):
    images, table = made_up_dataset(tmp_path, patients=1, images=1)
    text = table.read_text()
    for old, new, words in (
        ("No Finding", "Cough", "'Cough'"),
        ("Effusion", "Cough", "Cough"),
        ("Patient ID", "P", "Patient ID"),
    ):
        if old in text:
            table.write_text(text.replace(old, new))
            with pytest.raises(PathUnusable, match=words):
                read_table(table, images)


def test_experts_majority(tmp_path):
    images, _ = made_up_dataset(tmp_path, patients=1, images=2)
    columns = [label.replace("_", " ") for label in LABELS]
    rows = [",".join(["Image ID", "Patient ID", "Abnormal", *columns])]
    rows.append(",".join(["00000001_000.png", "1", "YES", "YES", *["NO"] * 13]))
    (tmp_path / "experts.csv").write_text("\n".join(rows))
    rows = read_table(tmp_path / "experts.csv", images)
    assert rows.positive.sum() == 1
    assert rows.positive[0, 0]
    assert set(rows.references) == {EXPERTS}
    assert np.isnan(rows.ages).all()
    assert read_reference(tmp_path / "experts.csv") == {
        "00000001_000.png": {label: label == "Atelectasis" for label in LABELS}
    }


def test_experts_of_other_labels(tmp_path):
    text = "Image ID,Patient ID,Abnormal,Pleural Thickening,Lung Opacity,Other,Remark\n"
    text += "a.png,1,YES,NO,YES,YES,rotated\nb.png,2,NO,NO,NO,NO,\n"
    (tmp_path / "experts.csv").write_text(text)
    rows = read_table(tmp_path / "experts.csv", None)
    assert rows.labels == ("Pleural_Thickening", "Lung Opacity")
    assert rows.positive.tolist() == [[False, True], [False, False]]
    assert read_reference(tmp_path / "experts.csv")["a.png"] == {"Pleural_Thickening": False, "Lung Opacity": True}
    with pytest.raises(PathUnusable, match="no column for Mass"):
        read_table(tmp_path / "experts.csv", None, labels=("Lung Opacity", "Mass"))


def test_a_reference_in_nih_s_layout_with_other_labels_states_those_that_it_names(tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text("Image Index,Finding Labels\na.png,Fracture|Effusion\nb.png,No Finding\n")
    assert read_reference(table, any_labels=True) == {
        "a.png": {"Effusion": True, "Fracture": True},
        "b.png": {"Effusion": False, "Fracture": False},
    }
    with pytest.raises(PathUnusable, match="'Fracture' is not one of the labels"):
        read_reference(table)
    table.write_text("Image Index,Finding Labels\na.png,Effusion\n")
    assert read_reference(table, any_labels=True) == {"a.png": {label: label == "Effusion" for label in LABELS}}


def test_a_missing_table_and_one_that_is_not_csv_are_told_apart(tmp_path):
    with pytest.raises(PathUnusable, match=r"nope\.csv: no such file\.$"):
        read_table(tmp_path / "nope.csv", None)
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(PathUnusable, match=r"cannot be read as CSV.*, or any other with --columns\.$"):
        read_table(tmp_path / "empty.csv", None)
    # the reference of a sheet has no such option
    with pytest.raises(PathUnusable, match=r"cannot be read as CSV.*a majority table of expert labels\.$"):
        read_reference(tmp_path / "empty.csv")


def test_tables_join(tmp_path):
    one = read_table(*reversed(made_up_dataset(tmp_path / "a", patients=2)))
    two = read_table(*reversed(made_up_dataset(tmp_path / "b", patients=3)))
    both = ImageTable.join([one, two])
    assert len(both) == len(one) + len(two)
    assert set(both.sources) == {"a", "b"}
