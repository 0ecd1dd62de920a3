"""Import, on weights in torchxrayvision's own layout: both engines against torchxrayvision's own numbers."""

import hashlib
import shutil

import numpy as np
import pytest

from cxr_core.errors import ModelUnusable, PathUnusable, WeightsRefused
from cxr_core.model import open_model
from cxr_core.model.card import Imported
from cxr_core.model.engines import Inference, open_engine
from cxr_core.model.op_norm import op_norm
from cxr_core.model.published import OUTPUTS, PUBLISHED, find_published
from cxr_core.model.weights.read import Weights
from tests.model.weights import reference as ref

pytestmark = pytest.mark.slow

FILMS = (ref.test_films().transpose(0, 2, 3, 1) + 1024) / 2048
"""The same arrays as displayed grey: exact in float32, since they are multiples of 1/8."""


def close(ours, theirs):
    np.testing.assert_array_less(np.abs(ours - theirs), 1e-4 * np.maximum(1, np.abs(theirs)))


@pytest.mark.parametrize("engine", ["openvino", "tensorflow"])
def test_an_engine_says_what_torchxrayvision_says(imported, engine):
    assert FILMS.dtype == np.float32
    folder = open_model(str(imported))
    assert folder.card.labels == OUTPUTS
    logits = open_engine(folder, engine).infer(FILMS).logits
    kept = ref.reference()
    close(logits, kept["logits"])
    scores = 1 / (1 + np.exp(-logits))
    close(scores, kept["sigmoid"])
    close(op_norm(scores, kept["points_all"]), kept["scaled_all"])
    close(op_norm(scores, kept["points_nih"]), kept["scaled_nih"])
    # the state that the scaling puts at 0.5 is ours at the threshold
    thresholds = [folder.card.operating_points["default"].thresholds[label].value for label in OUTPUTS]
    np.testing.assert_array_equal(scores >= np.float32(thresholds), kept["scaled_all"] >= 0.5)


def test_the_maps_add_up_to_the_logits(imported):
    from cxr_core.model import class_maps

    engine = open_engine(open_model(str(imported)), "openvino")
    inference = engine.infer(FILMS[:1])
    maps = class_maps(inference.features[0], engine.head)
    assert maps.shape == (18, 7, 7)
    close(maps.sum(axis=(1, 2)) + engine.head.bias, inference.logits[0])


def test_the_card_says_what_is_known_and_what_is_not(imported):
    card = open_model(str(imported)).card
    data = ref.rebuilt("legacy")
    assert card.id == "txv-all"
    assert card.imported.sha256 == hashlib.sha256(data).hexdigest()
    assert card.imported.source == "torchxrayvision:densenet121-res224-all"
    assert "whole module, torch's legacy format" in card.imported.file
    # the hash given is not the published one, and the card leads with that
    assert "not known to be the published file's" in card.limits[0]
    assert card.input.fit == "crop"
    assert card.training.films is None
    assert "PadChest" in card.training.datasets
    assert sum(name.startswith("NIH ChestX-ray14") for name in card.training.datasets) == 3
    assert card.familiarity is None
    assert card.counts == {}
    assert not card.demonstration
    for threshold in card.operating_points["default"].thresholds.values():
        assert threshold.source == "published by the authors; the patients behind it are not stated"
        assert threshold.counts is None
    assert "no validation films" in card.map_anchor_rule
    assert set(card.map_anchors.values()) == {float(np.log(1.5))}
    assert not any("fractures and other" in line for line in card.not_looked_for)
    assert any("other than fractures" in line for line in card.not_looked_for)
    for table in card.metrics:
        seen = "images possibly seen in training" in table.films
        assert seen == ("VinDr" not in table.name), table.name
        assert table.interval.startswith("none published")


def test_nothing_but_the_folder_is_left(imported):
    assert [path.name for path in imported.parent.iterdir()] == ["txv-all"]
    sizes = [path.stat().st_size for path in imported.rglob("*") if path.is_file()]
    assert max(sizes) < 50e6
    assert sum(sizes) < 64e6


@pytest.fixture(scope="module")
def network():
    """One network, filled again and again: to build it takes seconds."""
    from cxr_core.training.from_torch import OFFSET, SCALE, build_network

    return build_network(11, scale=SCALE, offset=OFFSET)


@pytest.fixture
def convert(network, monkeypatch):
    from cxr_core.training import from_torch as module

    monkeypatch.setattr(module, "build_network", lambda classes, **_: network)

    def run(changes=None, numbers=None, outputs=OUTPUTS):
        arrays = {name: value for name, value in (ref.full_arrays() | (changes or {})).items() if value is not None}
        return module.network_from_torch(Weights(arrays, numbers or {}, "", ""), outputs, find_published("chex").labels)

    return run


def test_untrained_outputs_are_dropped_and_the_others_exact(convert):
    kept = [OUTPUTS.index(label) for label in find_published("chex").labels]
    logits = np.asarray(convert()(FILMS[:2], training=False))
    assert logits.shape == (2, 11)
    close(logits, ref.reference()["logits"][:2, kept])


def test_without_moving_the_epsilon_nearly_dead_channels_are_off(convert):
    kept = [OUTPUTS.index(label) for label in find_published("chex").labels]
    epsilon = {name.replace("running_var", "eps"): 1.001e-5 for name, _ in ref.layout() if name.endswith("running_var")}
    logits = np.asarray(convert(numbers=epsilon)(FILMS[:2], training=False))
    assert np.abs(logits - ref.reference()["logits"][:2, kept]).max() > 6e-4


NORM = "features.denseblock2.denselayer3.norm1"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({f"{NORM}.running_var": None}, f"no {NORM}.running_var: it is not torchxrayvision's"),
        ({f"{NORM}.extra": np.zeros(3, np.float32)}, "1 arrays that DenseNet121 does not"),
        ({f"{NORM}.bias": np.full(192, np.nan, np.float32)}, "no finite numbers"),
        ({f"{NORM}.running_var": np.full(192, -1, np.float32)}, "negative variance"),
        ({f"{NORM}.weight": np.zeros(191, np.float32)}, r"has the shape \(191,\)"),
        ({f"{NORM}.weight": np.zeros(192, np.int64)}, "no finite numbers"),
        ({"features.conv0.weight": np.zeros((64, 3, 7, 7), np.float32)}, "one input channel needs"),
        ({"features.conv0.weight": np.zeros(7, np.float32)}, "1 axes where 4 belong"),
        ({"classifier.weight": np.zeros((14, 1024), np.float32)}, "has 14 outputs; 18 belong"),
    ],
)
def test_other_weights_are_refused_in_one_line(convert, changes, words):
    with pytest.raises(WeightsRefused, match=words) as refusal:
        convert(changes)
    assert "\n" not in str(refusal.value)


def test_names_of_several_devices_and_batch_counters_do_not_matter(convert):
    from cxr_core.training import from_torch as module

    arrays = {f"module.{name}": value for name, value in ref.full_arrays().items()} | {"op_threshs": np.zeros(18)}
    labels = find_published("chex").labels
    made = module.network_from_torch(Weights(arrays, {}, "", ""), OUTPUTS, labels)
    close(np.asarray(made(FILMS[:1], training=False))[:, 0], ref.reference()["logits"][:1, 0])


def test_a_folder_that_is_there_is_left_alone(imported):
    from cxr_core.training.importing import import_published

    before = sorted(imported.rglob("*"))
    with pytest.raises(PathUnusable, match="is there already"):
        import_published(PUBLISHED["densenet121-res224-all"], None, None, imported)
    assert sorted(imported.rglob("*")) == before


class Says:
    def __init__(self, logits):
        self.logits = np.float32(logits)

    def infer(self, films):
        return Inference(np.zeros((len(films), 7, 7, 4), np.float32), np.full((len(films), 18), self.logits))


@pytest.mark.parametrize(
    ("reference", "served", "words"),
    [(1.0, 1.001, "differ by 0.001"), (0.5, 0.5002, "differ by 0.0002"), (np.nan, np.nan, "scores are no numbers")],
)
def test_engines_that_differ_leave_no_model(imported, tmp_path, monkeypatch, reference, served, words):
    from cxr_core.training import importing as module

    engines = {"tensorflow": Says(reference), "openvino": Says(served)}
    monkeypatch.setattr(module, "open_engine", lambda folder, name: engines[name])

    def copied(network, size, folder):
        shutil.copytree(imported, folder)

    monkeypatch.setattr(module, "save_network", copied)
    monkeypatch.setattr(
        module, "network_from_torch", lambda *_: type("Network", (), {"count_params": lambda self: 1})()
    )
    origin = Imported("torchxrayvision:all", "x", "0" * 64, "nothing")
    with pytest.raises(ModelUnusable, match=words):
        module.import_published(find_published("all"), Weights({}, {}, "", ""), origin, tmp_path / "models" / "bad")
    assert not list((tmp_path / "models").iterdir())


def test_engines_that_agree_are_measured(imported, monkeypatch):
    from cxr_core.training import importing as module

    engines = {"tensorflow": Says(10.0), "openvino": Says(10.0005)}
    monkeypatch.setattr(module, "open_engine", lambda folder, name: engines[name])
    # 0.0005 of 10
    assert module.check_engines(imported) == pytest.approx(5e-5, rel=0.01)


def test_the_published_bytes_are_told_from_others(monkeypatch):
    from cxr_core.training.imported_card import Blank, published_card

    origin = Imported("torchxrayvision:all", "x", "0" * 64, "the published file's, witnessed")
    blank = Blank("x", type("Network", (), {"count_params": lambda self: 1})(), "0" * 64, {})
    limits = published_card(find_published("all"), origin, blank, same_file=True).limits
    assert not any("not proved" in limit for limit in limits)
    few = published_card(find_published("rsna"), origin, blank, same_file=False)
    assert few.labels == ("Pneumonia", "Lung Opacity")
    assert "not proved" in few.limits[0]
    assert any("How good it is was not published" in limit for limit in few.limits)
    # what the model cannot say is told
    assert "effusion" in few.not_looked_for[-1]
    assert set(few.caveats) == {"Pneumonia", "Lung Opacity"}


def test_the_preparation_is_torchxrayvisions_but_for_the_filter():
    """XRayCenterCrop, then XRayResizer by scikit-image; ours reduces by a triangle instead of a Gaussian."""
    from skimage.transform import resize

    from cxr_core.imaging import Preparation, phantom, prepare

    film = (phantom(1024, 896) / 4095).astype(np.float32)
    crop = film[64 : 64 + 896]  # the centre square
    theirs = resize(crop, (224, 224), mode="constant", preserve_range=True)
    ours = prepare(film, Preparation(224, "crop"))[0][:, :, 0]
    inner = np.abs(ours - theirs)[2:-2, 2:-2]
    assert inner.mean() < 0.005
