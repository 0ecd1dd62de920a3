from dataclasses import replace

import pytest

from cxr_core.errors import WrongArguments
from cxr_core.evaluation import summarise
from cxr_core.evaluation.run_context import SEEN_IN_TRAINING
from cxr_core.evaluation.run_record import new_record, possibly_seen, run_id
from cxr_core.metrics import BootstrapOptions
from tests.runs import made_up


def card_of(predictor, *datasets):
    return replace(predictor.card, training=replace(predictor.card.training, datasets=datasets))


@pytest.mark.parametrize(
    ("trained_on", "evaluated_on", "seen"),
    [
        (("nih_128", "nih_384"), ["nih_128"], True),
        (("nih_128", "nih_384"), ["nih_expert"], False),
        (("NIH ChestX-ray14",), ["nih_expert"], True),
        (("NIH ChestX-ray14: all but the test list", "PadChest"), ["nih_384"], True),
        (("PadChest", "CheXpert"), ["nih_384"], False),
        (("CheXpert",), ["other", "chexpert"], True),
    ],
)
def test_data_sets_listed_in_the_card_are_possibly_seen(predictor, trained_on, evaluated_on, seen):
    assert possibly_seen(evaluated_on, card_of(predictor, *trained_on)) == seen


def test_a_run_on_training_data_has_a_note():
    predictions = made_up()
    record = new_record(predictions, name="A run, named", model_id="m", seen_in_training=True)
    assert SEEN_IN_TRAINING in summarise(record, predictions, options=BootstrapOptions(20)).notes
    other = new_record(predictions, name="A run, named", model_id="m")
    assert SEEN_IN_TRAINING not in summarise(other, predictions, options=BootstrapOptions(20)).notes


def test_a_record_has_the_versions_of_what_decodes_images_and_computes():
    versions = new_record(made_up(), name="A run", model_id="m").versions
    assert {"python", "numpy", "scipy", "pillow", "kornia-rs", "pydicom"} <= versions.keys()


def test_run_id():
    assert run_id("Model A on nih_expert (test)") == "model-a-on-nih-expert-test"
    with pytest.raises(WrongArguments, match="letters or digits"):
        run_id("../..")
