import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr_core.errors import PathUnusable, TrainingRefused
from cxr_core.training.splits import EMBEDDED_SPLIT, check_no_leak, make_split, read_split


def test_the_embedded_split_is_read_and_has_every_part():
    split = read_split(EMBEDDED_SPLIT)
    parts = set(split.parts.values())
    assert parts == {"train", "validation", "test"}
    assert EMBEDDED_SPLIT.read_text() == split.text()


@pytest.mark.needs_shared
def test_the_patients_of_the_expert_labels_are_test(shared):
    import pandas as pd

    split = read_split(EMBEDDED_SPLIT)
    experts = pd.read_csv(shared / "nih_expert" / "expert_labels_majority.csv")["Patient ID"]
    assert set(split.part_of(experts.to_numpy())) == {"test"}
    for folder in ("nih_128", "nih_384"):
        table = pd.read_csv(shared / folder / "Data_Entry_2017_subset.csv")
        split.part_of(table["Patient ID"].to_numpy())


@given(st.integers(0, 2**32 - 1), st.integers(5, 60), st.floats(0.1, 0.5))
@settings(max_examples=25, deadline=None)
def test_no_patient_ever_crosses(seed, patients, share):
    rng = np.random.default_rng(seed)
    ids = rng.integers(1, patients + 1, 200)
    labels = rng.random((200, 14)) < 0.1
    split = make_split(ids, labels, np.unique(ids)[:2], validation_share=share, seed=seed)
    parts = split.part_of(ids)
    check_no_leak(ids, parts)
    assert set(parts[np.isin(ids, np.unique(ids)[:2])]) == {"test"}


def test_rare_labels_are_spread():
    rng = np.random.default_rng(0)
    ids = np.arange(1000)
    labels = np.zeros((1000, 14), bool)
    labels[rng.choice(1000, 20, replace=False), 3] = True
    split = make_split(ids, labels, np.array([]), validation_share=0.3)
    validation = split.part_of(ids) == "validation"
    assert labels[validation, 3].sum() == 6
    assert validation.mean() == pytest.approx(0.3, abs=0.01)


def test_a_leak_is_refused_with_its_number():
    with pytest.raises(TrainingRefused, match="1 stand in more than one part, patient 7"):
        check_no_leak(np.array([7, 7, 8]), np.array(["train", "test", "train"]))


def test_a_patient_that_is_not_listed_is_refused():
    with pytest.raises(TrainingRefused, match="1 patients of the table are not in it"):
        read_split(EMBEDDED_SPLIT).part_of(np.array([999_999_999]))


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("patient_id,part\n1,train\n1,test\n", TrainingRefused, "stands in train and in test"),
        ("patient_id,part\n1,dev\n", PathUnusable, "none of train"),
        ("a,b\n1,train\n", PathUnusable, "not a CSV"),
    ],
)
def test_a_broken_split_file_is_refused(tmp_path, text, kind, words):
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(kind, match=words):
        read_split(tmp_path / "split.csv")
