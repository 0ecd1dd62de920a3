"""DenseNet121 in every layout that circulates, from files that torch wrote, against torch's own logits."""

import hashlib

import numpy as np
import pytest

from cxr_core.errors import WeightsRefused
from cxr_core.labels import LABELS
from cxr_core.pretrained.preprocessing import parse_normalisation
from cxr_core.pretrained.weights import read_weights
from cxr_core.pretrained.weights.files import Weights
from cxr_core.pretrained.weights.layouts import densenet_arrays
from tests.pretrained.weights import layouts as ours

LAYOUT = {
    "arnoweng.pth.tar": "prefix module.densenet121., last layer classifier.0, names of torch before 1.0",
    "zoogzog.pth.tar": "prefix module.densenet121., last layer classifier.0, names of torch before 1.0",
    "thtang.pkl": "prefix module.densenet121., last layer classifier.0, names of torch before 1.0",
    "jrzech": "prefix none, last layer classifier.0",
    "parallel.pt": "prefix module., last layer classifier.0",
    "torchvision.pth": "prefix none, last layer classifier",
    "timm.pth": "prefix none, last layer classifier",
    "lightning.ckpt": "prefix model., last layer classifier",
}


@pytest.fixture
def read(tmp_path):
    def weights(name):
        data = ours.rebuilt(name)
        # byte for byte what torch wrote
        assert hashlib.sha256(data).hexdigest() == str(ours.kept()[f"{name}_sha256"])
        (tmp_path / name).write_bytes(data)
        return read_weights(tmp_path / name)

    return weights


@pytest.mark.parametrize("name", ours.OUTPUTS)
def test_a_file_of_torch_is_recognised(read, name):
    arrays = densenet_arrays(read(name))
    assert arrays.layout == f"DenseNet, {LAYOUT[name]}"
    assert arrays.outputs == ours.OUTPUTS[name]
    assert arrays.channels == 3
    expected = ours.arrays(ours.OUTPUTS[name])
    assert arrays.arrays.keys() == {key for key in expected if not key.endswith("num_batches_tracked")}
    for key, array in arrays.arrays.items():
        np.testing.assert_array_equal(array, expected[key])


@pytest.fixture(scope="module")
def networks():
    """One network for each number of outputs, filled again and again: to build it takes seconds."""
    return {}


@pytest.mark.slow
@pytest.mark.parametrize("name", ours.OUTPUTS)
def test_its_network_says_what_torch_says_on_the_same_array(read, monkeypatch, networks, name):
    from cxr_core.pretrained import from_torch as module

    build = module.build_network

    def once(classes, **options):
        if classes not in networks:
            networks[classes] = build(classes, **options)
        return networks[classes]

    monkeypatch.setattr(module, "build_network", once)
    labels = tuple(f"label {number}" for number in range(ours.OUTPUTS[name]))
    network = module.network_from_torch(read(name), labels, labels, parse_normalisation("imagenet"))
    logits = np.asarray(network(ours.grey()[..., None], training=False))
    theirs = ours.kept()[f"logits_{len(labels)}"]
    assert theirs.std() > 1
    np.testing.assert_array_less(np.abs(logits - theirs), 1e-4 * np.maximum(1, np.abs(theirs)))


@pytest.mark.slow
def test_a_checkpoint_becomes_a_model_that_says_how_it_was_read(tmp_path, capsys):
    from cxr_core.cli.main import main
    from cxr_core.model.folder import open_model
    from cxr_core.model.predictor import open_engine

    (tmp_path / "model.pth.tar").write_bytes(ours.rebuilt("arnoweng.pth.tar"))
    source = f"torch:{tmp_path / 'model.pth.tar'}"
    assert main(["models", "import", source, "--preset", "arnoweng", "--out", str(tmp_path / "chexnet")]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["Reading the weights", "Building the network", "Writing the graph", "Comparing the engines"]
    opened = open_model(str(tmp_path / "chexnet"))
    card = opened.card
    assert card.labels == LABELS
    assert (
        card.title == "DenseNet121 from the torch file model.pth.tar, read as arnoweng's, weights not verified by hash"
    )
    assert card.unverified
    assert card.input.crop_fraction == 0.875
    assert "ImageNet" in card.input.scaling
    assert any("ten crops" in limit for limit in card.limits)
    assert "names of torch before 1.0" in card.imported.file
    logits = open_engine(opened, "openvino").infer(ours.grey()[..., None]).logits
    theirs = ours.kept()["logits_14"]
    np.testing.assert_array_less(np.abs(logits - theirs), 1e-4 * np.maximum(1, np.abs(theirs)))


def changed(changes):
    arrays = dict(ours.arrays(14))
    for name, value in changes.items():
        key = name.replace("__", ".")
        arrays.pop(key, None)
        if value is not None:
            arrays[key] = np.zeros(value, np.float32)
    return Weights(arrays, {}, "", "")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"features__conv0__weight": None, "layer1__0__conv1__weight": (64, 64, 3, 3)}, "layout is not known"),
        ({"ema__features__conv0__weight": (64, 3, 7, 7)}, "has 2 times a features.conv0.weight"),
        ({"classifier__weight": None, "classifier__bias": None}, "no last layer"),
        ({"classifier__bias": None}, "one last layer"),
        ({"fc__weight": (14, 1024), "fc__bias": (14,)}, "has classifier, fc beside its features"),
        ({"classifier__weight": (14, 2048)}, "has the shapes"),
        ({"classifier__bias": (13,)}, "has the shapes"),
        ({"features__denseblock1__denselayer1__norm__1__weight": (64,)}, "twice, under an old and a new name"),
        ({"features__conv0__weight": (64, 4, 7, 7)}, "one or three channels"),
    ],
)
def test_what_is_recognised_as_nothing_is_told_the_known_layouts(changes, words):
    with pytest.raises(WeightsRefused, match=words) as refusal:
        densenet_arrays(changed(changes))
    assert "Known layouts: DenseNet121 of torchxrayvision, torchvision or timm" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("preset", [None, "arnoweng"])
def test_a_card_of_a_preset_is_not_verified_and_shows_the_name_as_it_is(preset):
    """A right-to-left override in a file's name turns the title around."""
    from types import SimpleNamespace

    from cxr_core.model.card import Imported
    from cxr_core.pretrained.imported_card import NewModel, file_card
    from cxr_core.pretrained.preprocessing import find_preset

    kernel = SimpleNamespace(shape=(7, 7, 3, 64))
    layer = SimpleNamespace(weights=[kernel])
    network = SimpleNamespace(get_layer=lambda name: layer, count_params=lambda: 7_000_000)
    imported = Imported("torch:x", "m\u202erat.pt (state dict)", "a" * 64, "nothing: none was given at the import")
    known = find_preset(preset) if preset else None
    model = NewModel("m", network, "b" * 64, {})
    card = file_card("torch", LABELS, 224, parse_normalisation("imagenet"), imported, model, preset=known)
    assert card.title.startswith("DenseNet121 from the torch file m\\u202erat.pt")
    assert "\u202e" not in card.imported.file
    assert card.unverified == (preset is not None)
    assert card.title.endswith(", read as arnoweng's, weights not verified by hash") == card.unverified


def test_a_file_that_is_no_weights_is_told_the_known_layouts(tmp_path, capsys):
    from cxr_core.cli.main import main

    (tmp_path / "text.pt").write_text("no weights")
    source = f"torch:{tmp_path / 'text.pt'}"
    assert main(["models", "import", source, "--preset", "arnoweng", "--out", str(tmp_path / "m")]) != 0
    assert "Known layouts: DenseNet121 of torchxrayvision" in capsys.readouterr().err.splitlines()[-1]
