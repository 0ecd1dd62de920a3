"""Starting weights: real ones or a refusal, never a silent substitute."""

import numpy as np
import pytest

from cxr_core.errors import ModelUnusable

pytestmark = pytest.mark.slow

keras = pytest.importorskip("keras")


@pytest.fixture(scope="module")
def body():
    """Keras' own DenseNet121 without its top, with weights that are not its defaults."""
    keras.utils.set_random_seed(11)
    return keras.applications.DenseNet121(include_top=False, weights=None, input_shape=(None, None, 3))


@pytest.mark.parametrize("name", ["body.weights.h5", "body.keras"])
def test_weights_in_keras_own_layout_are_loaded(body, tmp_path, name):
    from cxr_core.model.network import build_network, initialise_from_file

    path = tmp_path / name
    body.save(path) if name.endswith(".keras") else body.save_weights(path)
    network = build_network(14, scale=1.0, offset=0.0)
    initialise_from_file(network, path)
    grey = np.random.default_rng(0).random((2, 64, 64, 1)).astype(np.float32)
    ours = keras.Model(network.input, network.get_layer("relu").output)(grey, training=False)
    theirs = body(np.repeat(grey, 3, axis=3), training=False)
    # the stem's kernel is summed over the colours: exact for a grey picture in all three
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_a_grey_body_is_loaded_too(tmp_path):
    from cxr_core.model.network import build_network, initialise_from_file

    grey = keras.applications.DenseNet121(include_top=False, weights=None, input_shape=(None, None, 1))
    grey.save_weights(tmp_path / "grey.weights.h5")
    network = build_network(14)
    initialise_from_file(network, tmp_path / "grey.weights.h5")
    np.testing.assert_array_equal(
        network.get_layer("conv1_conv").get_weights()[0], grey.get_layer("conv1_conv").get_weights()[0]
    )


def test_other_files_are_refused(tmp_path):
    from cxr_core.model.network import build_network, initialise_from_file

    network = build_network(14)
    other = tmp_path / "other.weights.h5"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(other)
    (tmp_path / "text.h5").write_text("no weights")
    for path, words in ((other, "DenseNet121"), (tmp_path / "text.h5", "DenseNet121"), (tmp_path / "no", "not a file")):
        with pytest.raises(ModelUnusable, match=words):
            initialise_from_file(network, path)


def test_imagenet_that_cannot_be_had_is_said(monkeypatch):
    from cxr_core.model import network as module

    def unreachable(*args, **options):
        if options.get("weights") == "imagenet":
            raise OSError("no network")
        return real(*args, **options)

    real = keras.applications.DenseNet121
    monkeypatch.setattr(keras.applications, "DenseNet121", unreachable)
    with pytest.raises(ModelUnusable, match="--init random"):
        module.initialise_from_imagenet(None)


def test_the_graph_is_written_on_every_python_and_computes_what_the_network_does(tmp_path, monkeypatch):
    import openvino
    from openvino.frontend.tensorflow import utils

    from cxr_core.model.folder import GRAPH
    from cxr_core.model.network import build_network, save_network

    def as_on_python_3_13(framework):
        raise NameError("name 'tensorflow' is not defined")

    # by which OpenVINO asks for versions before it converts a network in memory
    monkeypatch.setattr(utils, "get_environment_setup", as_on_python_3_13)
    network = build_network(3)
    both = save_network(network, 64, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.keras", "openvino"]
    graph = openvino.compile_model(tmp_path / GRAPH, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    grey = np.random.default_rng(0).random((2, 64, 64, 1)).astype(np.float32)
    outputs, expected = graph(grey), both(grey, training=False)
    for name in ("features", "logits"):
        np.testing.assert_allclose(outputs[name], expected[name], atol=1e-4)


def test_a_disk_without_room_for_the_graph_is_said_in_one_line(tmp_path, monkeypatch):
    import tensorflow as tf

    from cxr_core.errors import PathUnusable
    from cxr_core.model.network import build_network, save_network

    def full(*arguments, **options):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(keras.Model, "export", full)
    with pytest.raises(PathUnusable, match="is there room on the disk"):
        save_network(build_network(3), 64, tmp_path)
