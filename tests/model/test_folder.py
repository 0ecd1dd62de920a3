import json
import shutil

import pytest

from cxr_core.errors import ModelUnusable
from cxr_core.files import file_sha256
from cxr_core.model import list_models, open_model
from cxr_core.model.familiarity import FAMILIARITY
from cxr_core.model.folder import CARD, FILES, SUMS, WEIGHTS, find_model, write_sums


@pytest.fixture
def copy(tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(find_model("second-read-mini"), folder)
    return folder


def test_the_embedded_model_is_whole_and_small_enough():
    folder = open_model("second-read-mini")
    sizes = [path.stat().st_size for path in folder.path.rglob("*") if path.is_file()]
    assert max(sizes) < 50e6
    assert sum(sizes) < 64e6
    assert folder.path in list_models()


@pytest.mark.parametrize("name", [*FILES, FAMILIARITY])
@pytest.mark.parametrize("where", [0.0, 0.5, 1.0])
def test_one_changed_byte_of_any_file_is_refused_by_name(copy, name, where):
    data = bytearray((copy / name).read_bytes())
    at = min(len(data) - 1, int(where * len(data)))
    data[at] ^= 1
    (copy / name).write_bytes(bytes(data))
    with pytest.raises(ModelUnusable, match="was changed since the model was made") as refusal:
        open_model(str(copy))
    assert name in str(refusal.value)


@pytest.mark.parametrize("name", [*FILES, FAMILIARITY])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(ModelUnusable, match=r"missing|no such model"):
        open_model(str(copy))


def test_changed_sums_are_refused(copy):
    text = (copy / SUMS).read_text()
    (copy / SUMS).write_text(text.replace(text[:8], "0" * 8, 1))
    with pytest.raises(ModelUnusable):
        open_model(str(copy))
    (copy / SUMS).unlink()
    with pytest.raises(ModelUnusable, match="SHA256SUMS is missing"):
        open_model(str(copy))


def test_a_card_of_other_weights_is_refused_even_with_matching_sums(copy):
    (copy / WEIGHTS).write_bytes((copy / WEIGHTS).read_bytes() + b"\0")
    write_sums(copy)
    with pytest.raises(ModelUnusable, match=r"made for another model\.keras"):
        open_model(str(copy))
    card = json.loads((copy / CARD).read_text())
    card["files"][WEIGHTS] = file_sha256(copy / WEIGHTS)
    (copy / CARD).write_text(json.dumps(card))
    write_sums(copy)
    with pytest.raises(ModelUnusable, match=r"calibration, operating points and map anchors .* other weights"):
        open_model(str(copy))


def test_an_unknown_model_is_told_what_there_is():
    with pytest.raises(ModelUnusable, match="second-read-mini"):
        open_model("nothing-like-it")
    with pytest.raises(ModelUnusable):
        open_model("../model_weights/none")
