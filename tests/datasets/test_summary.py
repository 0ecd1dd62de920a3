"""What a card keeps of its images, against loops that count them one by one."""

import dataclasses
import itertools
import shutil

import numpy as np
import pytest

from cxr_core.datasets.splits import Split
from cxr_core.datasets.summary import describe_model, summarise_images
from cxr_core.datasets.table import ImageTable
from cxr_core.errors import TrainingRefused
from cxr_core.labels import LABELS
from cxr_core.model import open_model, write_card
from cxr_core.model.folder import CARD, find_model, write_sums
from cxr_core.model.training_record import read_summary, summary_json


def made_up_images(images: int = 300, seed: int = 0, first_patient: int = 1) -> ImageTable:
    rng = np.random.default_rng(seed)
    positive = rng.random((images, len(LABELS))) < 0.15
    positive[:, LABELS.index("Hernia")] = False
    return ImageTable(
        names=np.array([f"{seed}-{i}.png" for i in range(images)]),
        paths=np.full(images, None, dtype=object),
        labels=LABELS,
        positive=positive,
        patients=first_patient + rng.integers(0, images // 3, images),
        ages=np.where(rng.random(images) < 0.1, np.nan, rng.integers(0, 151, images).astype(float)),
        sexes=rng.choice(["M", "F", ""], images),
        views=rng.choice(["PA", "AP"], images),
        sources=np.full(images, "made up"),
        references=np.full(images, "made up"),
    )


def test_every_number_is_that_of_a_loop_over_images():
    images = made_up_images()
    summary = summarise_images({"train": images}).parts["train"]
    rows = range(len(images))
    has = [{label for label, yes in zip(LABELS, images.positive[i], strict=True) if yes} for i in rows]
    assert summary.images == 300
    assert summary.patients == len({images.patients[i] for i in rows})
    assert summary.without_findings == sum(not labels for labels in has)
    for a, one in enumerate(LABELS):
        assert summary.alone[a] == sum(labels == {one} for labels in has)
        assert summary.together[a][a] == summary.per_label[one].positive_images
        for b, other in enumerate(LABELS):
            assert summary.together[a][b] == sum({one, other} <= labels for labels in has)
    counts = summary.per_label["Mass"]
    assert counts.positive_patients == len({images.patients[i] for i in rows if "Mass" in has[i]})
    assert counts.negative_patients == len({images.patients[i] for i in rows if "Mass" not in has[i]})
    assert summary.per_label["Hernia"].positive_images == 0
    assert summary.sexes == {word: sum(images.sexes[i] == word for i in rows) for word in ("", "F", "M")}
    assert summary.views == {word: sum(images.views[i] == word for i in rows) for word in ("AP", "PA")}


def test_ages_are_in_bins_of_five_years_ninety_and_over_are_one_and_beyond_120_are_errors():
    images = made_up_images(6)
    images = dataclasses.replace(images, ages=np.array([0, 4.9, 5, 120, 121, np.nan]))
    ages = summarise_images({"train": images}).parts["train"].ages
    assert ages.images == (2, 1, *[0] * 16, 1)
    assert (ages.beyond, ages.unknown) == (1, 1)


def test_patients_of_two_parts_are_counted_for_each_two():
    parts = {"train": made_up_images(first_patient=1), "validation": made_up_images(first_patient=90, seed=1)}
    # a table whose patients are words, of which one is a number of the others
    other = made_up_images(3, seed=2)
    parts["test"] = other.select(np.zeros(3, bool))
    parts["own"] = dataclasses.replace(other, patients=np.array(["5", "007", "x"]))
    summary = summarise_images(parts)
    assert list(summary.parts) == ["train", "validation", "own"]
    patients = {name: {str(p) for p in table.patients} for name, table in parts.items()}
    shared = {(pair.one, pair.other): pair.patients for pair in summary.shared}
    assert shared == {
        (one, two): len(patients[one] & patients[two])
        for one, two in itertools.combinations(("train", "validation", "own"), 2)
    }
    assert shared["train", "validation"] > 0
    assert shared["train", "own"] == ("5" in patients["train"])


def test_a_summary_is_read_as_it_was_written(tmp_path):
    summary = summarise_images({"all": made_up_images()}, {"a.csv": "0" * 64})
    (tmp_path / "s.json").write_bytes(summary_json(summary))
    assert read_summary(tmp_path / "s.json") == summary


@pytest.fixture
def model(tmp_path):
    """A copy of the embedded model whose card says it was trained on made-up images."""
    parts = {"train": made_up_images(first_patient=1), "validation": made_up_images(first_patient=501, seed=1)}
    summary = summarise_images(parts)
    folder = tmp_path / "copy"
    shutil.copytree(find_model("second-read-mini"), folder)
    card = open_model(str(folder)).card
    training = dataclasses.replace(
        card.training,
        images=300,
        patients=summary.parts["train"].patients,
        validation_images=300,
        validation_patients=summary.parts["validation"].patients,
        split_sha256="a" * 64,
        summary=None,
    )
    counts = {name: part.per_label for name, part in summary.parts.items()}
    write_card(dataclasses.replace(card, training=training, counts=counts), folder / CARD)
    write_sums(folder)
    return folder, parts


def test_a_card_is_completed_and_the_folder_stays_whole(model):
    folder, parts = model
    summary = summarise_images(parts)
    before = open_model(str(folder)).card
    describe_model(str(folder), summary, Split("made-up", "a" * 64, {}))
    after = open_model(str(folder)).card
    assert after.training.summary == summary
    assert dataclasses.replace(after, training=before.training) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda parts: parts | {"train": parts["train"].select(np.arange(299))}, "its card states 300 train images"),
        (lambda parts: {"train": parts["train"]}, "its card states 300 validation images"),
        (
            lambda parts: parts | {"train": dataclasses.replace(parts["train"], positive=~parts["train"].positive)},
            "the counts of Atelectasis in the subset train differ from its card",
        ),
    ],
)
def test_other_images_than_the_cards_are_refused(model, change, words):
    folder, parts = model
    with pytest.raises(TrainingRefused, match=words):
        describe_model(str(folder), summarise_images(change(parts)), Split("made-up", "a" * 64, {}))
    assert open_model(str(folder)).card.training.summary is None


def test_another_split_is_refused(model):
    folder, parts = model
    with pytest.raises(TrainingRefused, match="Give that split"):
        describe_model(str(folder), summarise_images(parts), Split("other", "b" * 64, {}))


@pytest.mark.needs_shared
def test_the_numbers_of_the_whole_of_nih_are_those_of_its_table(shared):
    import pandas as pd

    from cxr_core.datasets.table import read_table

    file = shared / "nih_labels" / "Data_Entry_2017_v2020.csv.gz"
    stored = read_summary()
    assert summarise_images({"all": read_table(file, None)}, stored.tables) == stored
    # and by pandas alone, which knows nothing of our reading of tables
    frame, whole = pd.read_csv(file), stored.parts["all"]
    assert (whole.images, whole.patients) == (112_120, 30_805) == (len(frame), frame["Patient ID"].nunique())
    words = frame["Finding Labels"].str.split("|").map(set)
    for label, counts in whole.per_label.items():
        positive = words.map(lambda labels_of_image, label=label: label in labels_of_image)
        assert counts.positive_images == positive.sum()
        assert counts.positive_patients == frame.loc[positive, "Patient ID"].nunique()
    pair = words.map(lambda labels_of_image: {"Mass", "Effusion"} <= labels_of_image).sum()
    assert whole.together[LABELS.index("Mass")][LABELS.index("Effusion")] == pair
    assert whole.without_findings == (frame["Finding Labels"] == "No Finding").sum()
    assert whole.ages.beyond == (frame["Patient Age"] > 120).sum()
    assert whole.ages.images[8] == frame["Patient Age"].between(40, 44).sum()
    assert whole.ages.images[18] == frame["Patient Age"].between(90, 120).sum()
    assert whole.views == frame["View Position"].value_counts().to_dict()
    assert whole.sexes == frame["Patient Gender"].value_counts().to_dict()
