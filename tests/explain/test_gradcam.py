"""Heat maps against automatic differentiation, and against the logits that they add up to."""

import numpy as np
import pytest

from cxr_core.explain import describe_strongest, heat_map, heat_maps
from cxr_core.imaging import phantom_dicom
from cxr_core.model import class_maps
from cxr_core.model.engines import Head
from cxr_core.reading import read_image


def differentiated(network, images, label):
    """GradCAM as Selvaraju et al. 2017 define it, by gradients: (n, h, w)."""
    import keras
    import tensorflow as tf

    both = keras.Model(network.input, [network.get_layer("relu").output, network.output])
    head = network.get_layer("logits")
    features, _ = both(images, training=False)
    with tf.GradientTape() as tape:
        tape.watch(features)
        logits = head(tf.reduce_mean(features, axis=(1, 2)))[:, label]
    weights = tf.reduce_mean(tape.gradient(logits, features), axis=(1, 2))
    return tf.nn.relu(tf.einsum("nhwk,nk->nhw", features, weights)).numpy(), features.numpy()


def check(network, images):
    kernel, bias = network.get_layer("logits").get_weights()
    logits = network(images, training=False).numpy()
    for label in range(kernel.shape[1]):
        expected, features = differentiated(network, images, label)
        for number in range(len(images)):
            maps = class_maps(features[number], Head(kernel, bias))
            ours = np.maximum(maps[label], 0)
            bound = 1e-5 * np.maximum(1, np.abs(expected[number]))
            np.testing.assert_array_less(np.abs(ours - expected[number]), bound)
            total = maps[label].sum() + bias[label]
            assert abs(total - logits[number, label]) < 1e-4 * max(1, abs(logits[number, label]))


@pytest.mark.slow
def test_the_embedded_model(predictor):
    import keras

    from cxr_core.imaging import prepare, read_radiograph

    network = keras.models.load_model(predictor.folder.weights, compile=False)
    image = read_radiograph(phantom_dicom(512, 448))
    prepared, _ = prepare(image.display, predictor.card.input.preparation())
    check(network, np.stack([prepared, prepared[::-1], 1 - prepared]))


@pytest.mark.slow
def test_random_weights_with_batch_statistics_that_are_not_the_defaults():
    import keras

    from cxr_core.model.network import build_network

    keras.utils.set_random_seed(3)
    network = build_network(14, 96)
    rng = np.random.default_rng(3)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = (np.shape(w) for w in layer.get_weights())
            layer.set_weights(
                [
                    rng.uniform(0.7, 1.3, gamma),
                    rng.normal(0, 0.2, beta),
                    rng.normal(0, 0.2, mean),
                    rng.uniform(0.6, 1.4, variance),
                ]
            )
    images = rng.random((4, 96, 96, 1)).astype(np.float32)
    head = network.get_layer("logits")
    kernel, bias = head.get_weights()
    spread = network(images, training=False).numpy().std()
    head.set_weights([kernel * 3 / spread, rng.normal(0, 1, bias.shape)])
    assert network(images, training=False).numpy().std() >= 1
    check(network, images)


def test_the_maps_of_a_reading_sum_to_its_logits(predictor):
    _, reading = read_image(phantom_dicom(300, 260), predictor)
    assert reading.class_maps.shape == (14, 7, 7)
    bias = predictor.engine.head.bias
    for number, finding in enumerate(reading.findings):
        total = reading.class_maps[number].sum() + bias[number]
        assert abs(total - finding.logit) < 1e-4 * max(1, abs(finding.logit))


def test_the_scale_of_a_map_is_that_of_the_card(predictor):
    _, reading = read_image(phantom_dicom(300, 260), predictor)
    for heat in heat_maps(reading, predictor.card):
        assert heat.anchor == predictor.card.map_anchors[heat.label]
        assert heat.intensity().max() <= 1
        assert (heat.grid >= 0).all()
        # 32 input pixels a cell; the image's longer side fills 224: 300 / 224 * 32 pixels of 420/300 mm
        assert heat.cell_mm == pytest.approx((60, 60), rel=1e-3)
        assert heat.cell_size() == "60 × 60 mm at the detector"


def test_the_strongest_position_is_described_from_the_patients_side(predictor):
    _, reading = read_image(phantom_dicom(350, 350), predictor)
    maps = np.zeros_like(reading.class_maps)
    maps[0, 6, 0] = 1  # the image's left is the patient's right
    object.__setattr__(reading, "class_maps", maps)
    strongest = describe_strongest(heat_map(reading, predictor.card.labels[0], predictor.card))
    assert strongest == "strongest: patient's right, lower third of the image"
    none = describe_strongest(heat_map(reading, predictor.card.labels[1], predictor.card))
    assert none == "no part of the image raises the score"
