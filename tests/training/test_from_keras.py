"""Keras files of this network, in the forms that circulate, with few layers so that it takes seconds."""

import numpy as np
import pytest

from cxr_core.errors import WeightsRefused

pytestmark = pytest.mark.slow

keras = pytest.importorskip("keras")


@pytest.fixture
def small(monkeypatch):
    """keras.applications.DenseNet121 with one layer a block: every layer's name is as in the large one."""
    from keras.src.applications.densenet import DenseNet

    def densenet(**options):
        return DenseNet([1, 1, 1, 1], name="densenet121", **options)

    monkeypatch.setattr(keras.applications, "DenseNet121", densenet)
    return densenet


def given(densenet, arrangement: str, channels: int, classes: int = 14):
    keras.utils.set_random_seed(3)
    if arrangement == "flat":
        body = densenet(include_top=False, weights=None, input_shape=(None, None, channels), pooling="avg")
        out = keras.layers.Dense(classes, activation="sigmoid", name="predictions")(body.output)
        model = keras.Model(body.input, out)
    else:
        body = densenet(include_top=False, weights=None, input_shape=(None, None, channels))
        pool, head = keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(classes, activation="sigmoid")
        model = keras.Sequential([keras.Input((None, None, channels)), body, pool, head])
    draw = np.random.default_rng(1)
    for variable in model.weights:
        value = (
            draw.uniform(0.2, 0.4, variable.shape) if "var" in variable.name else draw.normal(0, 0.2, variable.shape)
        )
        variable.assign(value)
    return model


@pytest.mark.parametrize("name", ["flat.h5", "flat.weights.h5", "nested.h5", "nested.weights.h5"])
def test_a_colour_file_scores_as_keras_itself_on_grey_in_three_colours(small, tmp_path, name):
    from cxr_core.training.from_keras import network_from_keras

    model = given(small, name.partition(".")[0], 3)
    model.save_weights(tmp_path / name) if "weights" in name else model.save(tmp_path / name)
    ours = network_from_keras(tmp_path / name, 14)
    grey = np.random.default_rng(0).random((3, 64, 64, 1)).astype(np.float32)
    colours = np.repeat(grey * 255, 3, axis=3)
    theirs = np.asarray(model(keras.applications.densenet.preprocess_input(colours), training=False))
    scores = 1 / (1 + np.exp(-np.asarray(ours(grey, training=False))))
    assert theirs.std() > 0.01
    # exact at the border too, where the stem pads with nought after the normalisation
    np.testing.assert_allclose(scores, theirs, atol=2e-5)


def test_a_grey_file_is_loaded_too(small, tmp_path):
    from cxr_core.training.from_keras import network_from_keras

    model = given(small, "flat", 1)
    model.save_weights(tmp_path / "grey.weights.h5")
    ours = network_from_keras(tmp_path / "grey.weights.h5", 14)
    grey = np.random.default_rng(0).random((2, 64, 64, 1)).astype(np.float32)
    theirs = np.asarray(model((grey - 0.449) / 0.226, training=False))
    np.testing.assert_allclose(1 / (1 + np.exp(-np.asarray(ours(grey, training=False)))), theirs, atol=2e-5)


def test_other_files_are_refused_in_one_line(small, tmp_path):
    from cxr_core.training.from_keras import network_from_keras

    other = tmp_path / "other.weights.h5"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(other)
    (tmp_path / "text.h5").write_text("no weights")
    (tmp_path / "cut.h5").write_bytes(other.read_bytes()[:600])
    model = given(small, "flat", 3, classes=5)
    model.layers[-1].bias.assign(np.full(5, np.nan))
    model.save_weights(tmp_path / "five.weights.h5")
    for name, classes, words in (
        ("other.weights.h5", 14, "not of this network with 14 outputs"),
        ("text.h5", 14, "no HDF5 file"),
        ("cut.h5", 14, "not of this network"),
        ("nothing.h5", 14, "no such file"),
        ("five.weights.h5", 14, "not of this network with 14 outputs"),
        ("five.weights.h5", 5, "no finite numbers"),
    ):
        with pytest.raises(WeightsRefused, match=words) as refusal:
            network_from_keras(tmp_path / name, classes)
        assert "\n" not in str(refusal.value)


def test_a_keras_file_becomes_a_model_folder_whose_labels_are_not_evaluated(small, tmp_path):
    from cxr_core.imaging import phantom_dicom
    from cxr_core.model import Predictor, open_model
    from cxr_core.model.card import Imported
    from cxr_core.model.engines import open_engine
    from cxr_core.reading import read_film
    from cxr_core.training.importing import STEPS, import_keras

    given(small, "flat", 3, classes=2).save_weights(tmp_path / "two.weights.h5")
    steps = []
    origin = Imported("keras:two.weights.h5", "two.weights.h5 (Keras HDF5)", "0" * 64, "nothing")
    made = import_keras(
        tmp_path / "two.weights.h5", ("Mass", "Rib notching"), 64, origin, tmp_path / "two", report=steps.append
    )
    assert steps == list(STEPS)
    opened = open_model(str(tmp_path / "two"))
    assert opened.card == made
    assert "three channels" in made.input.scaling
    _, reading = read_film(phantom_dicom(128, 128), Predictor(opened, open_engine(opened, "openvino")))
    assert [f.state for f in reading.findings] == ["not_evaluated"] * 2
    assert "labels given at the import" in made.limits[1]
