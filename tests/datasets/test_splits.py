import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr_core.datasets.splits import (
    EMBEDDED_SPLIT,
    check_no_leak,
    extend_split,
    make_folds,
    make_split,
    official_split,
    read_names,
    read_split,
)
from cxr_core.errors import PathUnusable, TrainingRefused


def test_the_embedded_split_is_read_and_has_every_part():
    split = read_split(EMBEDDED_SPLIT)
    parts = set(split.subsets.values())
    assert parts == {"train", "validation", "test"}
    assert EMBEDDED_SPLIT.read_text() == split.text()


@pytest.mark.needs_shared
def test_the_patients_of_the_expert_labels_are_test(shared):
    import pandas as pd

    split = read_split(EMBEDDED_SPLIT)
    experts = pd.read_csv(shared / "nih_expert" / "expert_labels_majority.csv")["Patient ID"]
    assert set(split.subset_of(experts.to_numpy())) == {"test"}
    for folder in ("nih_128", "nih_384", "nih_320", "nih_64"):
        table = pd.read_csv(shared / folder / "Data_Entry_2017_subset.csv")
        split.subset_of(table["Patient ID"].to_numpy())


@given(st.integers(0, 2**32 - 1), st.integers(5, 60), st.floats(0.1, 0.5))
@settings(max_examples=25, deadline=None)
def test_no_patient_ever_crosses(seed, patients, share):
    rng = np.random.default_rng(seed)
    ids = rng.integers(1, patients + 1, 200)
    labels = rng.random((200, 14)) < 0.1
    split = make_split(ids, labels, np.unique(ids)[:2], validation_fraction=share, seed=seed)
    parts = split.subset_of(ids)
    check_no_leak(ids, parts)
    assert set(parts[np.isin(ids, np.unique(ids)[:2])]) == {"test"}


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.5))
@settings(max_examples=25, deadline=None)
def test_an_extended_split_moves_nobody_and_lists_everybody(seed, share):
    rng = np.random.default_rng(seed)
    ids, labels = rng.integers(1, 80, 200), rng.random((200, 14)) < 0.1
    old = make_split(ids[:100], labels[:100], np.unique(ids[:100])[:3], seed=seed)
    new = extend_split(old, ids, labels, validation_fraction=share, seed=seed)
    assert {patient: new.subsets[patient] for patient in old.subsets} == dict(old.subsets)
    assert set(new.subsets) == set(old.subsets) | set(ids.tolist())
    added = [part for patient, part in new.subsets.items() if patient not in old.subsets]
    assert abs(added.count("validation") - share * len(added)) <= 14
    assert "test" not in added


def test_of_new_patients_none_validates_where_the_share_is_nought():
    rng = np.random.default_rng(1)
    labels = rng.random((300, 14)) < 0.1
    old = make_split(np.arange(100), labels[:100], np.array([]))
    new = extend_split(old, np.arange(300), labels, validation_fraction=0)
    assert {new.subsets[patient] for patient in range(100, 300)} == {"train"}


def test_rare_labels_are_spread():
    rng = np.random.default_rng(0)
    ids = np.arange(1000)
    labels = np.zeros((1000, 14), bool)
    labels[rng.choice(1000, 20, replace=False), 3] = True
    split = make_split(ids, labels, np.array([]), validation_fraction=0.3)
    validation = split.subset_of(ids) == "validation"
    assert labels[validation, 3].sum() == 6
    assert validation.mean() == pytest.approx(0.3, abs=0.01)


def test_a_leak_is_refused_with_its_number():
    with pytest.raises(TrainingRefused, match="1 are in more than one subset, such as 7"):
        check_no_leak(np.array([7, 7, 8]), np.array(["train", "test", "train"]))


def test_a_patient_that_is_not_listed_is_refused():
    with pytest.raises(TrainingRefused, match="1 patients of the table are not in it"):
        read_split(EMBEDDED_SPLIT).subset_of(np.array([999_999_999]))


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("patient_id,part\n1,train\n1,test\n", TrainingRefused, "is in train and in test"),
        ("patient_id,part\n1,dev\n", PathUnusable, "not one of train"),
        ("a,b\n1,train\n", PathUnusable, "not a CSV"),
    ],
)
def test_a_broken_split_file_is_refused(tmp_path, text, kind, words):
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(kind, match=words):
        read_split(tmp_path / "split.csv")


def test_words_and_numbers_are_kept_apart_in_a_file(tmp_path):
    split = make_split(np.array(["007", "7", "a,b"]), np.ones((3, 2), bool), np.array(["7"]), validation_fraction=0.5)
    (tmp_path / "s.csv").write_text(split.text())
    again = read_split(tmp_path / "s.csv")
    assert again.subsets == split.subsets
    assert again.subsets.keys() == {7, "007", "a,b"}
    assert again.sha256 == split.sha256
    assert again.subset_of(np.array([7])).tolist() == ["test"]


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
@settings(max_examples=20, deadline=None)
def test_each_patient_validates_in_one_fold(seed, folds):
    rng = np.random.default_rng(seed)
    ids = rng.integers(1, 40, 150)
    labels = rng.random((150, 14)) < 0.1
    held = np.unique(ids)[:3]
    splits = make_folds(ids, labels, held, folds, seed=seed)
    assert len(splits) == folds
    parts = np.stack([split.subset_of(ids) for split in splits])
    for row in parts:
        check_no_leak(ids, row)
    assert (parts[:, np.isin(ids, held)] == "test").all()
    assert ((parts == "validation").sum(axis=0)[~np.isin(ids, held)] == 1).all()
    assert len({split.name for split in splits}) == folds


def test_rare_labels_are_spread_over_folds():
    ids = np.arange(1000)
    labels = np.zeros((1000, 14), bool)
    labels[np.random.default_rng(0).choice(1000, 25, replace=False), 3] = True
    for split in make_folds(ids, labels, np.array([]), 5):
        validation = split.subset_of(ids) == "validation"
        assert labels[validation, 3].sum() == 5
        assert validation.sum() == 200


def test_more_folds_than_patients_are_refused():
    with pytest.raises(TrainingRefused, match="5 folds of 3 patients"):
        make_folds(np.arange(3), np.zeros((3, 14), bool), np.array([]), 5)


NAMES = np.array(["a", "b", "c", "d", "e"])
OF = np.array([1, 1, 2, 3, 4])


def official(patients, learns, tests, **options):
    return official_split(NAMES, patients, np.zeros((5, 14), bool), learns, tests, **options)


def test_the_official_split_takes_validation_from_its_train_list():
    split = official(OF, ["a", "b", "d", "e"], ["c", "unused"], validation_fraction=0.34)
    assert split.subsets[2] == "test"
    assert sorted(split.subsets.values()) == ["test", "train", "train", "validation"]


@pytest.mark.parametrize(
    ("patients", "learns", "tests", "words"),
    [
        (OF, ["a", "b", "d"], ["c"], "1 images of the table are in neither list, 0 in both"),
        (OF, ["a", "b", "d", "e"], ["c", "e"], "0 images of the table are in neither list, 1 in both"),
        # one patient was moved
        (np.array([1, 1, 2, 3, 2]), ["a", "b", "d", "e"], ["c"], "1 are in more than one subset, such as 2"),
    ],
)
def test_lists_that_do_not_fit_are_refused(patients, learns, tests, words):
    with pytest.raises(TrainingRefused, match=words):
        official(patients, learns, tests)


def test_lists_are_read_plain_and_packed(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"x.png\r\ny.png\n\n")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"x.png\ny.png\n"))
    assert read_names(tmp_path / "a.txt") == read_names(tmp_path / "a.txt.gz") == ["x.png", "y.png"]
    with pytest.raises(PathUnusable, match="cannot be read"):
        read_names(tmp_path / "nothing.txt")


@pytest.mark.needs_shared
def test_the_official_split_of_nih(shared):
    from cxr_core.datasets.table import read_table

    folder = shared / "nih_labels"
    images = read_table(folder / "Data_Entry_2017_v2020.csv.gz", None)
    lists = [read_names(folder / f"{name}.txt.gz") for name in ("train_val_list", "test_list")]
    assert [len(names) for names in lists] == [86_524, 25_596]
    parts = official_split(images.names, images.patients, images.positive, *lists).subset_of(images.patients)
    check_no_leak(images.patients, parts)
    assert (parts == "test").sum() == 25_596
    assert len(np.unique(images.patients[parts == "test"])) == 2_797
    # a tenth of the other 28,008 patients, rare labels evenly
    assert len(np.unique(images.patients[parts == "validation"])) == 2_801
    hernia = images.positive[:, 13]
    assert 10 <= (hernia & (parts == "validation")).sum() <= 22
    # one patient moved
    moved = np.flatnonzero(parts == "train")[0]
    parts[moved] = "test"
    with pytest.raises(TrainingRefused, match="more than one subset"):
        check_no_leak(images.patients, parts)


@pytest.mark.needs_shared
def test_the_embedded_split_is_made_again(shared):
    """By the rule of docs/command-line.md: three parts of NIH's data, then two more; the experts' patients test."""
    from cxr_core.datasets.table import ImageTable, read_table

    tables = [
        read_table(shared / folder / "Data_Entry_2017_subset.csv", None)
        for folder in ("nih_128", "nih_384", "nih_expert")
    ]
    images = ImageTable.join(tables)
    split = make_split(images.patients, images.positive, np.unique(tables[2].patients))
    for folder, share in (("nih_320", 0.2), ("nih_64", 0.0)):
        more = read_table(shared / folder / "Data_Entry_2017_subset.csv", shared / folder / "images")
        split = extend_split(split, more.patients, more.positive, validation_fraction=share, seed=2026)
    assert split.text() == EMBEDDED_SPLIT.read_text()
