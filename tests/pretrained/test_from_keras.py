"""Keras files of this network, in the forms that circulate, with few layers so that it takes seconds."""

import warnings
import zipfile

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
    from cxr_core.pretrained.from_keras import network_from_keras

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
    from cxr_core.pretrained.from_keras import network_from_keras

    model = given(small, "flat", 1)
    model.save_weights(tmp_path / "grey.weights.h5")
    ours = network_from_keras(tmp_path / "grey.weights.h5", 14)
    grey = np.random.default_rng(0).random((2, 64, 64, 1)).astype(np.float32)
    theirs = np.asarray(model((grey - 0.449) / 0.226, training=False))
    np.testing.assert_allclose(1 / (1 + np.exp(-np.asarray(ours(grey, training=False)))), theirs, atol=2e-5)


def test_other_files_are_refused_in_one_line(small, tmp_path):
    from cxr_core.pretrained.from_keras import network_from_keras

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
    from cxr_core.model.predictor import open_engine
    from cxr_core.pretrained.importing import STEPS, import_keras
    from cxr_core.reading import read_image

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
    _, reading = read_image(phantom_dicom(128, 128), Predictor(opened, open_engine(opened, "openvino")))
    assert [f.state for f in reading.findings] == ["not_evaluated"] * 2
    assert "labels given at the import" in made.limits[1]


@pytest.mark.parametrize(
    ("text", "does"),
    [
        ("unit", lambda grey: grey),
        ("255", lambda grey: grey * 255),
        ("0.5,0.25", lambda grey: (grey - 0.5) / 0.25),
        # keras' ImageDataGenerator with samplewise_center and samplewise_std_normalization, on 0 to 255
        ("samplewise", lambda grey: (grey - grey.mean((1, 2, 3), keepdims=True)) / grey.std((1, 2, 3), keepdims=True)),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_normalisation_is_the_one_that_was_stated(small, tmp_path, text, does, channels):
    from cxr_core.model.network import resize_input
    from cxr_core.pretrained.from_keras import network_from_keras
    from cxr_core.pretrained.preprocessing import parse_normalisation

    model = given(small, "flat", channels)
    model.save_weights(tmp_path / "x.weights.h5")
    ours = resize_input(network_from_keras(tmp_path / "x.weights.h5", 14, parse_normalisation(text)), 64)
    grey = np.random.default_rng(0).random((2, 64, 64, 1)).astype(np.float32)
    theirs = np.asarray(model(np.repeat(does(grey), channels, axis=3), training=False))
    np.testing.assert_allclose(1 / (1 + np.exp(-np.asarray(ours(grey, training=False)))), theirs, atol=5e-5)


@pytest.mark.parametrize("written", ["x.weights.h5", "x.h5", "x.keras"])
@pytest.mark.parametrize("named", ["weights.h5", "upload.keras", "no-ending", "other.weights.h5"])
def test_the_content_says_how_to_read_a_file_not_its_name(small, tmp_path, written, named):
    from cxr_core.pretrained.from_keras import network_from_keras

    model = given(small, "flat", 3)
    model.save_weights(tmp_path / written) if "weights" in written else model.save(tmp_path / written)
    (tmp_path / written).rename(tmp_path / "moved")
    (tmp_path / "moved").rename(tmp_path / named)
    ours = network_from_keras(tmp_path / named, 14)
    np.testing.assert_array_equal(ours.get_layer("logits").get_weights()[0], model.layers[-1].get_weights()[0])


def test_a_zip_archive_that_is_no_keras_file_is_refused(small, tmp_path):
    import zipfile

    from cxr_core.pretrained.from_keras import network_from_keras

    with zipfile.ZipFile(tmp_path / "x.keras", "w") as archive:
        archive.writestr("data.pkl", b"x")
    with pytest.raises(WeightsRefused, match=r"no \.keras of Keras 3") as refusal:
        network_from_keras(tmp_path / "x.keras", 14)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("bias", [0.0, 0.25])
def test_a_bias_that_is_the_same_for_all_labels_is_imported(small, tmp_path, bias):
    """Noughts are left out of the graph; the check of the graph refused such a model."""
    from cxr_core.model.card import Imported
    from cxr_core.model.folder import open_model
    from cxr_core.model.predictor import open_engine
    from cxr_core.pretrained.importing import import_keras

    model = given(small, "flat", 3, classes=3)
    model.layers[-1].bias.assign(np.full(3, bias))
    model.save_weights(tmp_path / "x.weights.h5")
    origin = Imported("keras:x.weights.h5", "x.weights.h5 (Keras weights)", "0" * 64, "nothing")
    import_keras(tmp_path / "x.weights.h5", ("A", "B", "C"), 64, origin, tmp_path / "x")
    head = open_engine(open_model(str(tmp_path / "x")), "openvino").head
    np.testing.assert_array_equal(head.bias, np.full(3, bias, np.float32))
    np.testing.assert_allclose(head.kernel, model.layers[-1].get_weights()[0])


def swollen(file, **declared):
    import h5py

    with h5py.File(file, "w") as made:
        group = made.create_group("model_weights/dense")
        array = group.create_dataset("kernel", compression="gzip", **declared)
        group.attrs["weight_names"] = [array.name.rpartition("/")[2].encode()]
    return file


def test_a_small_file_that_declares_large_arrays_is_refused_before_it_is_read(small, tmp_path, monkeypatch):
    import h5py

    from cxr_core.pretrained import from_keras

    monkeypatch.setattr(from_keras, "_load", None)
    large = swollen(tmp_path / "large.h5", shape=(25_000, 25_000), dtype="f4")
    many = swollen(tmp_path / "many.h5", shape=(1000, 1000), dtype="f4")
    with h5py.File(many, "a") as made:
        made["model_weights/dense"].attrs["weight_names"] = [b"kernel"] * 200
    linked = swollen(tmp_path / "linked.h5", shape=(2, 2), dtype="f4")
    with h5py.File(linked, "a") as made:
        made["model_weights/other"] = h5py.ExternalLink("large.h5", "model_weights/dense/kernel")
    with zipfile.ZipFile(tmp_path / "large.keras", "w") as archive:
        archive.write(large, from_keras.MEMBER)
    for name, words in (
        ("large.h5", "2,500 MB when they are read, more than 400 MB"),
        ("large.keras", "2,500 MB when they are read, more than 400 MB"),
        ("many.h5", "800 MB when they are read"),
        ("linked.h5", "refers to other files"),
    ):
        assert (tmp_path / name).stat().st_size < 400_000
        with pytest.raises(WeightsRefused, match=words):
            from_keras.network_from_keras(tmp_path / name, 14)


def test_memory_that_is_lacking_is_not_called_another_network(small, tmp_path, monkeypatch):
    from cxr_core.pretrained import from_keras

    def lacking(*_):
        raise MemoryError

    given(small, "flat", 3).save_weights(tmp_path / "flat.weights.h5")
    monkeypatch.setattr(keras.Model, "load_weights", lacking)
    with pytest.raises(MemoryError):
        from_keras.network_from_keras(tmp_path / "flat.weights.h5", 14)


def test_what_keras_says_as_it_reads_is_not_printed(small, tmp_path, monkeypatch, recwarn):
    from cxr_core.pretrained import from_keras

    load = keras.Model.load_weights

    def talkative(self, file):
        warnings.warn("A layer was skipped", stacklevel=1)
        return load(self, file)

    given(small, "flat", 3).save_weights(tmp_path / "flat.weights.h5")
    monkeypatch.setattr(keras.Model, "load_weights", talkative)
    from_keras.network_from_keras(tmp_path / "flat.weights.h5", 14)
    assert not [warning for warning in recwarn if "skipped" in str(warning.message)]


def test_the_effect_of_a_stretched_exposure_is_measured_by_importing_twice(small, tmp_path, monkeypatch, capsys):
    from cxr_core.cli.main import main
    from cxr_core.imaging import phantom_dicom
    from cxr_core.model import Predictor, open_model
    from cxr_core.model.predictor import open_engine
    from cxr_core.reading import read_image
    from cxr_core.settings import settings
    from tests.images import made_up_dataset

    monkeypatch.setenv("SECOND_READ_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    given(small, "flat", 3, classes=2).save_weights(tmp_path / "two.weights.h5")
    images, table = made_up_dataset(tmp_path / "data")
    source = f"keras:{tmp_path / 'two.weights.h5'}"
    for name, options in {"displayed": [], "stretched": ["--exposure", "stretched"]}.items():
        folder = str(tmp_path / "home" / name)
        arguments = [source, "--labels", "Effusion,Mass", "--size", "64", "--out", folder, *options]
        assert main(["models", "import", *arguments]) in (0, None)
        of_tables = ["--images", str(images), "--table", str(table), "--labels", "Effusion,Mass", "--name", name]
        assert main(["evaluate", "--model", folder, *of_tables]) in (0, None)
    displayed, stretched = (open_model(str(tmp_path / "home" / name)) for name in ("displayed", "stretched"))
    assert (displayed.card.input.exposure, stretched.card.input.exposure) == ("none", "stretched")
    assert set(stretched.card.limits) > set(displayed.card.limits)
    assert "its authors did not do this" in " ".join(stretched.card.limits)
    reading = read_image(phantom_dicom(128, 128), Predictor(stretched, open_engine(stretched, "openvino")))[1]
    assert any("stretched to black and white" in transform for transform in reading.image.transforms)
    capsys.readouterr()
    assert main(["runs", "compare", "stretched", "displayed"]) in (0, None)
    printed = capsys.readouterr().out
    assert "AUC on the same 36 images" in printed
    assert "Effusion" in printed
    settings.cache_clear()


def test_an_exposure_that_does_not_exist_is_refused(tmp_path, capsys):
    from cxr_core.cli.main import main

    assert main(["models", "import", f"keras:{tmp_path / 'x.h5'}", "--exposure", "bright"]) == 2
    assert "none and stretched are accepted" in capsys.readouterr().err
