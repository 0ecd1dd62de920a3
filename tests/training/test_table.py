import numpy as np
import pytest

from cxr_core.errors import PathUnusable
from cxr_core.labels import LABELS
from cxr_core.training.table import EXPERTS, MINED, FilmTable, read_reference, read_table
from tests.films import made_up_dataset


def test_nih_table(tmp_path):
    images, table = made_up_dataset(tmp_path, patients=4, films=2)
    films = read_table(table, images)
    assert len(films) == 8
    assert films.labels.shape == (8, 14)
    assert set(films.references) == {MINED}
    assert films.ages[0] == 41
    reference = read_reference(table)
    for name, row in zip(films.names, films.labels, strict=True):
        assert reference[name] == tuple(label for label, yes in zip(LABELS, row, strict=True) if yes)


def test_rows_without_an_image_are_left_out_and_none_at_all_is_refused(tmp_path):
    images, table = made_up_dataset(tmp_path, patients=2, films=2)
    (images / "00000001_000.png").unlink()
    assert len(read_table(table, images)) == 3
    for path in images.iterdir():
        path.unlink()
    with pytest.raises(PathUnusable, match="No image of table"):
        read_table(table, images)


def test_an_unknown_label_and_a_missing_column_are_named(tmp_path):
    images, table = made_up_dataset(tmp_path, patients=1, films=1)
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
    images, _ = made_up_dataset(tmp_path, patients=1, films=2)
    columns = [label.replace("_", " ") for label in LABELS]
    rows = [",".join(["Image ID", "Patient ID", "Abnormal", *columns])]
    rows.append(",".join(["00000001_000.png", "1", "YES", "YES", *["NO"] * 13]))
    (tmp_path / "experts.csv").write_text("\n".join(rows))
    films = read_table(tmp_path / "experts.csv", images)
    assert films.labels.sum() == 1
    assert films.labels[0, 0]
    assert set(films.references) == {EXPERTS}
    assert np.isnan(films.ages).all()
    assert read_reference(tmp_path / "experts.csv") == {"00000001_000.png": ("Atelectasis",)}


def test_tables_join(tmp_path):
    one = read_table(*reversed(made_up_dataset(tmp_path / "a", patients=2)))
    two = read_table(*reversed(made_up_dataset(tmp_path / "b", patients=3)))
    both = FilmTable.join([one, two])
    assert len(both) == len(one) + len(two)
    assert set(both.sources) == {"a", "b"}
