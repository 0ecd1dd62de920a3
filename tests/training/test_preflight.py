"""What must hold before the first step."""

import csv
import dataclasses
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from cxr_core.errors import TrainingRefused
from cxr_core.training.preflight import check_patients, clear
from cxr_core.training.splits import EMBEDDED_SPLIT, Split, make_split, read_split
from cxr_core.training.table import FilmTable, read_table
from tests.films import made_up_dataset

PARTS = {1: "train", 2: "train", 3: "validation", 4: "test", 5: "train"}
SPLIT = Split("s", "0", PARTS)


@pytest.fixture
def films(tmp_path):
    images, table = made_up_dataset(tmp_path / "data", patients=5, films=2)
    return read_table(table, images)


def cleared(films, folder, tests=None, **options):
    tests = tests or {}
    with ThreadPoolExecutor(2) as pool:
        return clear(films, check_patients(films, SPLIT, tests), tests, folder, pool, **options)


def copy(films, source, target):
    """Put a film in the place of another: resized, and saved as JPEG."""
    with Image.open(films.paths[source]) as image:
        image.resize((50, 80)).save(films.paths[target], "JPEG", quality=60)


def test_films_that_differ_are_cleared(films, tmp_path):
    told = []
    clearance = cleared(films, tmp_path, report=lambda done, count: told.append((done, count)))
    assert clearance.parts.tolist() == [part for part in PARTS.values() for _ in range(2)]
    assert clearance.words == "none between parts, among 10 films"
    assert told[-1] == (10, 10)


def test_a_patient_that_was_moved_is_refused(films):
    moved = np.array([1, 1, 2, 2, 3, 3, 4, 4, 5, 3])
    # a split by patient cannot express it; a table that says another patient for one film can
    with pytest.raises(TrainingRefused, match="1 patients of the table are not in it"):
        check_patients(dataclasses.replace(films, patients=np.where(moved == 4, 9, moved)), SPLIT, {})


def test_a_copy_in_a_later_part_is_refused_with_its_number(films, tmp_path):
    copy(films, 0, 4)  # train to validation
    copy(films, 1, 6)  # train to test
    copy(films, 5, 7)  # validation to test
    with pytest.raises(TrainingRefused, match=r"3 films \(2 in train, 1 in validation\)") as refused:
        cleared(films, tmp_path / "work")
    assert "duplicates.csv" in str(refused.value)
    with (tmp_path / "work" / "duplicates.csv").open() as file:
        rows = list(csv.DictReader(file))
    listed = {(row["film"], row["part"], row["is_like"], row["part_of_that"]) for row in rows}
    names = films.names
    assert listed == {
        (names[0], "train", names[4], "validation"),
        (names[1], "train", names[6], "test"),
        (names[5], "validation", names[7], "test"),
    }
    clearance = cleared(films, tmp_path / "work", drop_duplicates=True)
    assert np.flatnonzero(clearance.parts == "left out").tolist() == [0, 1, 5]
    assert clearance.words == "3 of 10 films left out as copies of others"


def test_copies_within_a_part_are_no_leak(films, tmp_path):
    copy(films, 0, 2)
    assert "none" in cleared(films, tmp_path).words


def test_copies_in_films_that_are_only_measured_on_are_found(films, tmp_path):
    images, table = made_up_dataset(tmp_path / "tests", patients=4, films=1, seed=9)
    tests = read_table(table, images).select(np.array([3]))
    shutil.copy(films.paths[2], tests.paths[0])
    with pytest.raises(TrainingRefused, match="1 films"):
        cleared(films, tmp_path / "work", {"tests": tests})


def test_films_that_cannot_be_read_are_counted(films, tmp_path):
    for row in (1, 8):
        films.paths[row].write_bytes(b"cut")
    with pytest.raises(TrainingRefused, match="2 of 10 films cannot be read"):
        cleared(films, tmp_path / "work")
    assert (tmp_path / "work" / "unreadable.txt").read_text().split() == films.names[[1, 8]].tolist()


def test_test_films_of_patients_that_train_are_counted(films):
    with pytest.raises(TrainingRefused, match="3 of their patients are not test patients of split s, and 6 films"):
        check_patients(films, SPLIT, {"experts": films.select(np.isin(films.patients, [1, 2, 3, 4]))})


@pytest.mark.needs_shared
def test_the_experts_patients_left_in_are_caught(shared):
    """266 patients of nih_expert have 29 films in nih_384 and 222 in nih_128."""
    folders = ("nih_128", "nih_384")
    films = FilmTable.join(
        [read_table(shared / f / "Data_Entry_2017_subset.csv", shared / f / "images") for f in folders]
    )
    experts = read_table(shared / "nih_expert/expert_labels_majority.csv", shared / "nih_expert/images")
    assert [int(np.isin(films.patients[films.sources == f], experts.patients).sum()) for f in folders] == [222, 29]

    # excluded, as the embedded split does, nothing is said
    embedded = read_split(EMBEDDED_SPLIT)
    parts = check_patients(films, embedded, {"experts": experts})
    assert (parts == "test").sum() == 251

    # left in: dealt to train and validation as any others
    everyone = FilmTable.join([films, experts])
    left_in = make_split(everyone.patients, everyone.labels, np.array([]))
    with pytest.raises(
        TrainingRefused, match=r"266 of their patients are not test .* 251 films of the tables are theirs"
    ):
        check_patients(films, left_in, {"experts": experts})

    # one alone, moved
    one = int(experts.patients[np.isin(experts.patients, films.patients)][0])
    moved = Split("moved", "", dict(embedded.parts) | {one: "train"})
    with pytest.raises(TrainingRefused, match="1 of their patients are not test"):
        check_patients(films, moved, {"experts": experts})
