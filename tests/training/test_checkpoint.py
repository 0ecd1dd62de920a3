"""What a checkpoint comes from is compared on resume, also where version 0.1.0 wrote it."""

import json

import pytest

from cxr_core.errors import TrainingRefused
from cxr_core.labels import LABELS
from cxr_core.training.checkpoint import CHECKPOINT, PLAN, checkpoint_origin

ORIGIN = {
    "plan": {"seed": 1, "validation_images": 1000},
    "labels": LABELS,
    "images_sha256": "a" * 64,
    "split_sha256": "b" * 64,
}


@pytest.fixture
def earlier(tmp_path):
    """The folder of a training that version 0.1.0 began: it called images films, and had one set of labels."""
    written = {
        "plan": {"seed": 1, "validation_films": 1000},
        "films_sha256": "a" * 64,
        "split_sha256": "b" * 64,
    }
    (tmp_path / PLAN).write_text(json.dumps(written))
    (tmp_path / CHECKPOINT).write_bytes(b"")
    return tmp_path


def test_a_training_that_version_0_1_0_began_is_resumed(earlier):
    checkpoint_origin(earlier, ORIGIN, resume=True)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"images_sha256": "c" * 64}, "images_sha256 differ"),
        ({"labels": (*LABELS, "Fracture")}, "labels differ"),
        ({"plan": {"seed": 1, "validation_images": 999}}, "plan differ"),
    ],
)
def test_another_training_is_refused_there_too(earlier, change, named):
    with pytest.raises(TrainingRefused, match=named):
        checkpoint_origin(earlier, ORIGIN | change, resume=True)


def test_labels_in_another_order_are_another_training(tmp_path):
    checkpoint_origin(tmp_path, ORIGIN, resume=False)
    (tmp_path / CHECKPOINT).write_bytes(b"")
    checkpoint_origin(tmp_path, ORIGIN, resume=True)
    with pytest.raises(TrainingRefused, match="labels differ"):
        checkpoint_origin(tmp_path, ORIGIN | {"labels": LABELS[::-1]}, resume=True)
