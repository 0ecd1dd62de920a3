"""A whole training, on made-up images: to a model folder that opens and reads."""

import dataclasses

import numpy as np
import pytest

from cxr_core.errors import PathUnusable, TrainingRefused
from tests.images import made_up_dataset

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    from cxr_core.datasets.splits import make_split
    from cxr_core.datasets.table import read_table
    from cxr_core.training.plan import Plan, parse_stages
    from cxr_core.training.recipe import Recipe

    images, table = made_up_dataset(tmp_path_factory.mktemp("made-up"), patients=36, images=1)
    rows = read_table(table, images)
    split = make_split(rows.patients, rows.positive, np.array([1, 2]), validation_fraction=0.6)
    plan = Plan(parse_stages("32x1,64x0.5"), batch_size=4, seed=1, patience=2)
    tests = {"made-up-test": rows.select(split.subset_of(rows.patients) == "test")}
    return Recipe("made-up", rows, split, plan, tests, "random", measure_test=True)


@pytest.fixture(scope="module")
def trained(recipe, tmp_path_factory):
    from cxr_core.training.recipe import Callbacks
    from cxr_core.training.train import train_model

    folder, work = tmp_path_factory.mktemp("model") / "made-up", tmp_path_factory.mktemp("work")
    steps = []
    card = train_model(recipe, folder, work, callbacks=Callbacks(step=steps.append))
    return card, folder, work, steps


def test_the_folder_opens_and_reads_an_image(trained):
    from cxr_core.imaging import phantom_dicom
    from cxr_core.model import Predictor, open_model
    from cxr_core.model.predictor import open_engine
    from cxr_core.reading import read_image

    card, folder, _, _ = trained
    opened = open_model(str(folder))
    assert opened.card == card
    _, reading = read_image(phantom_dicom(128, 128), Predictor(opened, open_engine(opened, "openvino")))
    assert len(reading.findings) == 14
    assert reading.class_maps.shape == (14, 2, 2)


def test_the_card_tells_what_happened(trained, recipe):
    card, *_ = trained
    assert card.demonstration
    assert card.architecture.initialisation == "random weights"
    assert not card.architecture.transfer_learned
    assert card.training.stages == "32x1,64x0.5"
    parts = recipe.split.subset_of(recipe.images.patients)
    assert card.training.images == (parts == "train").sum()
    assert card.training.validation_patients == (parts == "validation").sum()
    assert [table.name for table in card.metrics] == ["validation", "made-up-test", "test"]
    assert [table.number_of_images for table in card.metrics[1:]] == [2, 2]
    # two test patients carry no AUC
    assert all(metric.value is None for metric in card.metrics[1].per_label.values())
    assert card.counts["train"]["Mass"].positive_images == recipe.images.positive[parts == "train", 4].sum()
    summary = card.training.summary
    assert list(summary.parts) == ["train", "validation", "test", "made-up-test"]
    assert summary.parts["train"].patients == card.training.patients
    shared = {(pair.one, pair.other): pair.patients for pair in summary.shared}
    assert shared["train", "validation"] == shared["train", "test"] == 0
    assert shared["test", "made-up-test"] == 2


def test_the_card_tells_how(trained, recipe):
    training = trained[0].training
    parts = recipe.split.subset_of(recipe.images.patients)
    share = recipe.images.positive[parts == "train"].mean(axis=0)
    mass = training.balance["Mass"]
    assert list(training.balance) == list(trained[0].labels)
    assert (mass.positive_before, mass.negative_before) == pytest.approx((share[4], 1 - share[4]))
    assert mass.positive_after == pytest.approx(mass.negative_after, rel=1e-9)
    assert training.near_duplicates == "none between subsets, among 38 images"
    assert (training.patience, training.average, training.precision) == (2, 0, "float32")
    assert [end.stage for end in training.stage_ends] == [0, 1]
    assert training.stage_ends[0].validation_auc == training.history[0]["validation_auc"]


def test_the_mean_auc_is_that_of_the_labels_with_enough_patients(trained):
    validation = trained[0].metrics[0]
    values = [metric.value for metric in validation.per_label.values() if metric.value is not None]
    if not values:
        assert validation.mean.value is None
        return
    assert validation.mean.value == pytest.approx(np.mean(values))
    assert validation.mean.low <= validation.mean.value <= validation.mean.high
    assert validation.mean.reason == f"mean of {len(values)} of 14 labels"


def test_progress_counts_every_step_and_time_left_falls_to_nothing(trained, recipe):
    _, _, _, steps = trained
    images = (recipe.split.subset_of(recipe.images.patients) == "train").sum()
    expected = [recipe.plan.steps(stage, images) for stage in recipe.plan.stages]
    assert len(steps) == sum(expected)
    assert steps[-1].seconds_left < 1e-6
    assert all(np.isfinite(step.loss) for step in steps)


def test_nothing_to_resume_is_said(recipe, tmp_path):
    from cxr_core.training.train import train_model

    with pytest.raises(PathUnusable, match="Nothing to resume"):
        train_model(recipe, tmp_path / "x", tmp_path / "none", resume=True)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"initialisation": "imagenet"}, "initialisation"),
        ({"plan": {"seed": 9}}, "plan"),
        ({"split": {"sha256": "other"}}, "split_sha256"),
        ({"split": {"subsets": None}}, "images_sha256"),
    ],
)
def test_another_training_is_not_resumed(recipe, trained, tmp_path, change, named):
    """Resumed with another split a model would be measured on patients it was trained on."""
    from cxr_core.training.train import train_model

    swap = {"train": "validation", "validation": "train", "test": "test"}
    changed = {}
    for name, value in change.items():
        if isinstance(value, dict):
            value = {k: v or {p: swap[part] for p, part in recipe.split.subsets.items()} for k, v in value.items()}
            value = dataclasses.replace(getattr(recipe, name), **value)
        changed[name] = value
    with pytest.raises(TrainingRefused, match=named):
        train_model(dataclasses.replace(recipe, **changed), tmp_path / "x", trained[2], resume=True)


def test_test_images_of_other_patients_are_refused(recipe, tmp_path):
    from cxr_core.training.train import train_model

    flattered = dataclasses.replace(recipe, tests={"wrong": recipe.images})
    with pytest.raises(TrainingRefused, match="too good"):
        train_model(flattered, tmp_path / "x", tmp_path / "w")


def test_thresholds_and_curves_come_from_the_folder_that_was_named(recipe, trained, tmp_path):
    from cxr_core.training.train import train_model

    card = trained[0]
    assert card.calibration.sampling == "unknown"
    assert card.calibration.split_sha256 == recipe.split.sha256
    assert card.calibration.number_of_images == card.training.validation_images
    assert all(
        curve.method is None and "too few cases" in curve.reason for curve in card.calibration.per_label.values()
    )
    assert card.operating_points["default"].thresholds["Mass"].value is None
    elsewhere = dataclasses.replace(recipe, calibrate_on=("elsewhere",))
    with pytest.raises(TrainingRefused, match="no validation image comes from it"):
        train_model(elsewhere, tmp_path / "x", tmp_path / "w")


def test_only_images_of_the_named_folder_calibrate(recipe):
    from cxr_core.training.model_folder import _calibration_images
    from tests.images import made_up_scores

    scored = made_up_scores(20)
    mixed = dataclasses.replace(scored.images, sources=np.where(np.arange(40) < 15, "natural", "picked"))
    scored = dataclasses.replace(scored, images=mixed)
    natural = dataclasses.replace(recipe, calibrate_on=("natural",), sampling="consecutive")
    some, source = _calibration_images(natural, scored)
    assert len(some.images) == 15
    np.testing.assert_array_equal(some.logits, scored.logits[:15])
    assert source.sampling == "consecutive"
    assert len(_calibration_images(recipe, scored)[0].images) == 40


def test_a_split_without_validation_is_refused(recipe, tmp_path):
    from cxr_core.training.train import train_model

    parts = dict.fromkeys(recipe.split.subsets, "train")
    alone = dataclasses.replace(recipe, split=dataclasses.replace(recipe.split, subsets=parts), tests={})
    with pytest.raises(TrainingRefused, match="validation"):
        train_model(alone, tmp_path / "x", tmp_path / "w")
