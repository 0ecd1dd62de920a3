"""Trains on one and on two virtual devices, and prints how far apart they are. Run by test_devices.py.

A process of its own: TensorFlow takes virtual devices only before it has run anything.
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf

from cxr_core.datasets.splits import make_split
from cxr_core.datasets.table import read_table
from cxr_core.training.class_weights import ClassWeights
from cxr_core.training.fit import fit
from cxr_core.training.plan import Plan, parse_stages
from cxr_core.training.steps import compiled_step
from tests.images import made_up_dataset
from tests.networks import small_network

RNG = np.random.default_rng(3)
# the second half is brighter: each half alone has other statistics
IMAGES = RNG.normal(np.repeat([0.2, 0.6], 4)[:, None, None, None], 0.2, (8, 32, 32, 1)).astype(np.float32)
LABELS = (RNG.random((8, 14)) < 0.3).astype(np.float32)
WEIGHTS = ClassWeights(RNG.uniform(0.5, 1, 14), RNG.uniform(0, 0.5, 14))


def gradients(strategy, count, *, head=False, synchronised=True):
    """Return what a step of length 1 against the gradient takes from each weight, and the loss."""
    with strategy.scope():
        network = small_network(seed=2)
        optimiser = keras.optimizers.SGD(1.0)
        optimiser.build(network.get_layer("logits").trainable_variables if head else network.trainable_variables)
    before = [v.numpy() for v in network.trainable_variables]
    step = compiled_step(network, optimiser, WEIGHTS, strategy, head=head)
    for layer in network.layers:
        if not synchronised and isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = False
    loss = float(step(IMAGES[:count], LABELS[:count]))
    taken = [b - v.numpy() for b, v in zip(before, network.trainable_variables, strict=True)]
    statistics = [v.numpy() for v in network.non_trainable_variables]
    return taken, loss, statistics


def apart(one, other):
    """Return the largest difference of gradients, as a share of the largest gradient; of losses; of statistics."""
    largest = max(np.abs(g).max() for g in one[0])
    return {
        "gradient": max(float(np.abs(a - b).max()) for a, b in zip(one[0], other[0], strict=True)) / float(largest),
        "loss": abs(one[1] - other[1]) / abs(one[1]),
        "statistics": max(float(np.abs(a - b).max()) for a, b in zip(one[2], other[2], strict=True)),
    }


def trained(folder, strategy, data, resume=False):
    images = read_table(data / "table.csv", data / "images")
    parts = make_split(images.patients, images.positive, np.array([])).subset_of(images.patients)
    with strategy.scope():
        network = small_network(seed=5)
    plan = Plan(parse_stages("head:32x1,32x2"), batch_size=5, average=0.9, patience=2, validation_images=20)
    train, validation = images.select(parts == "train"), images.select(parts == "validation")
    history = fit(network, train, validation, plan, folder, strategy=strategy, resume=resume)
    return network.get_weights(), history


def main(folder: Path) -> None:
    """Print the differences as JSON."""
    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
    single, double = tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    answer = {"devices": double.num_replicas_in_sync}
    for name, options in (
        ("synchronised", {"count": 8}),
        ("uneven", {"count": 7}),
        ("frozen", {"count": 8, "head": True}),
    ):
        answer[name] = apart(gradients(single, **options), gradients(double, **options))
    answer["apart on purpose"] = apart(gradients(single, 8), gradients(double, 8, synchronised=False))
    made_up_dataset(folder / "data", patients=24, images=1, side=40)
    one, log = trained(folder / "one", single, folder / "data")
    two, other_log = trained(folder / "two", double, folder / "data")
    again, _ = trained(folder / "two", double, folder / "data", resume=True)
    answer["training"] = max(float(np.abs(a - b).max()) for a, b in zip(one, two, strict=True))
    answer["log"] = max(abs(a["loss"] - b["loss"]) for a, b in zip(log, other_log, strict=True))
    answer["resumed"] = max(float(np.abs(a - b).max()) for a, b in zip(two, again, strict=True))
    print(json.dumps(answer, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
