"""What must hold before the first step."""

import csv
import dataclasses
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from cxr_core.datasets.leakage import check_duplicates, check_patients
from cxr_core.datasets.splits import EMBEDDED_SPLIT, Split, make_split, read_split
from cxr_core.datasets.table import ImageTable, read_table
from cxr_core.errors import TrainingRefused
from tests.images import made_up_dataset

SUBSETS = {1: "train", 2: "train", 3: "validation", 4: "test", 5: "train"}
SPLIT = Split("s", "0", SUBSETS)


@pytest.fixture
def images(tmp_path):
    images, table = made_up_dataset(tmp_path / "data", patients=5, images=2)
    return read_table(table, images)


def checked(images, folder, tests=None, **options):
    tests = tests or {}
    with ThreadPoolExecutor(2) as pool:
        return check_duplicates(images, check_patients(images, SPLIT, tests), tests, folder, pool, **options)


def copy(images, source, target):
    """Put an image in the place of another: resized, and saved as JPEG."""
    with Image.open(images.paths[source]) as image:
        image.resize((50, 80)).save(images.paths[target], "JPEG", quality=60)


def test_images_that_differ_are_checked(images, tmp_path):
    reported = []
    check = checked(images, tmp_path, report=lambda done, count: reported.append((done, count)))
    assert check.subsets.tolist() == [part for part in SUBSETS.values() for _ in range(2)]
    assert check.description == "none between subsets, among 10 images"
    assert reported[-1] == (10, 10)


def test_a_patient_that_was_moved_is_refused(images):
    moved = np.array([1, 1, 2, 2, 3, 3, 4, 4, 5, 3])
    # a split by patient cannot express it; a table that says another patient for one image can
    with pytest.raises(TrainingRefused, match="1 patients of the table are not in it"):
        check_patients(dataclasses.replace(images, patients=np.where(moved == 4, 9, moved)), SPLIT, {})


def test_a_copy_in_a_later_part_is_refused_with_its_number(images, tmp_path):
    copy(images, 0, 4)  # train to validation
    copy(images, 1, 6)  # train to test
    copy(images, 5, 7)  # validation to test
    with pytest.raises(TrainingRefused, match=r"3 \(2 in train, 1 in validation\)") as refused:
        checked(images, tmp_path / "work")
    assert "duplicates.csv" in str(refused.value)
    with (tmp_path / "work" / "duplicates.csv").open() as file:
        rows = list(csv.DictReader(file))
    listed = {(row["image"], row["subset"], row["duplicate"], row["duplicate_subset"]) for row in rows}
    names = images.names
    assert listed == {
        (names[0], "train", names[4], "validation"),
        (names[1], "train", names[6], "test"),
        (names[5], "validation", names[7], "test"),
    }
    check = checked(images, tmp_path / "work", drop_duplicates=True)
    assert np.flatnonzero(check.subsets == "left out").tolist() == [0, 1, 5]
    assert check.description == "3 of 10 images left out as copies of others"


def test_copies_within_a_part_are_no_leak(images, tmp_path):
    copy(images, 0, 2)
    assert "none" in checked(images, tmp_path).description


def test_copies_in_images_that_are_only_measured_on_are_found(images, tmp_path):
    folder, table = made_up_dataset(tmp_path / "tests", patients=4, images=1, seed=9)
    tests = read_table(table, folder).select(np.array([3]))
    shutil.copy(images.paths[2], tests.paths[0])
    with pytest.raises(TrainingRefused, match=r"split: 1 \("):
        checked(images, tmp_path / "work", {"tests": tests})


def test_images_that_cannot_be_read_are_counted(images, tmp_path):
    for row in (1, 8):
        images.paths[row].write_bytes(b"cut")
    with pytest.raises(TrainingRefused, match="2 of 10 images cannot be read"):
        checked(images, tmp_path / "work")
    assert (tmp_path / "work" / "unreadable.txt").read_text().split() == images.names[[1, 8]].tolist()


def test_test_images_of_patients_that_train_are_counted(images):
    with pytest.raises(TrainingRefused, match="3 of their patients are not test patients of split s, and 6 images"):
        check_patients(images, SPLIT, {"experts": images.select(np.isin(images.patients, [1, 2, 3, 4]))})


@pytest.mark.needs_shared
def test_the_experts_patients_left_in_are_caught(shared):
    """266 patients of nih_expert have 29 images in nih_384 and 222 in nih_128."""
    folders = ("nih_128", "nih_384")
    images = ImageTable.join(
        [read_table(shared / f / "Data_Entry_2017_subset.csv", shared / f / "images") for f in folders]
    )
    experts = read_table(shared / "nih_expert/expert_labels_majority.csv", shared / "nih_expert/images")
    assert [int(np.isin(images.patients[images.sources == f], experts.patients).sum()) for f in folders] == [222, 29]

    # excluded, as the embedded split does, nothing is said
    embedded = read_split(EMBEDDED_SPLIT)
    parts = check_patients(images, embedded, {"experts": experts})
    assert (parts == "test").sum() == 251

    # left in: dealt to train and validation as any others
    everyone = ImageTable.join([images, experts])
    left_in = make_split(everyone.patients, everyone.positive, np.array([]))
    with pytest.raises(
        TrainingRefused, match=r"266 of their patients are not test .* 251 images of the tables are theirs"
    ):
        check_patients(images, left_in, {"experts": experts})

    # one alone, moved
    one = int(experts.patients[np.isin(experts.patients, images.patients)][0])
    moved = Split("moved", "", dict(embedded.subsets) | {one: "train"})
    with pytest.raises(TrainingRefused, match="1 of their patients are not test"):
        check_patients(images, moved, {"experts": experts})
