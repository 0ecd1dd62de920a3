"""The training loop, on a small network: stages, early stopping, averages, precision, log."""

import csv
import shutil

import numpy as np
import pytest

from cxr_core.errors import TrainingRefused
from tests.images import made_up_dataset


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    from cxr_core.datasets.splits import make_split
    from cxr_core.datasets.table import read_table

    images, table = made_up_dataset(tmp_path_factory.mktemp("images"), patients=20, images=1, side=40)
    rows = read_table(table, images)
    parts = make_split(rows.patients, rows.positive, np.array([]), validation_fraction=0.4).subset_of(rows.patients)
    return rows.select(parts == "train"), rows.select(parts == "validation")


def run(images, folder, stages, network=None, **options):
    from cxr_core.training.fit import fit
    from cxr_core.training.plan import Plan, parse_stages
    from tests.networks import small_network

    network = network or small_network()
    fitting = {name: options.pop(name) for name in ("report", "resume", "origin") if name in options}
    history = fit(network, *images, Plan(parse_stages(stages), batch_size=4, **options), folder, **fitting)
    return network, history


def named(network):
    return {f"{layer.name}/{i}": w for layer in network.layers for i, w in enumerate(layer.get_weights())}


def test_the_head_alone_then_the_whole(images, tmp_path):
    from tests.networks import small_network

    start = named(small_network())
    network, _ = run(images, tmp_path / "head", "head:32x1")
    head = named(network)
    changed = {name.split("/")[0] for name in start if (start[name] != head[name]).any()}
    # statistics of batch normalisation too are as they were
    assert changed == {"logits"}
    network, history = run(images, tmp_path / "both", "head:32x1,32x1")
    both = named(network)
    assert all((start[name] != both[name]).any() for name in start)
    assert [row["stage"] for row in history] == [0, 1]


def test_early_stopping_takes_the_best_weights(images, tmp_path, monkeypatch):
    from cxr_core.datasets.splits import Split
    from cxr_core.training import fit as module
    from cxr_core.training.plan import Plan, parse_stages
    from cxr_core.training.trained_card import training_record
    from tests.networks import small_network

    network, seen = small_network(), []
    script = iter([0.60, 0.70, 0.65, 0.70, 0.50, 0.61, 0.62])

    def told(labels, scores):
        seen.append(network.get_weights())
        return next(script)

    monkeypatch.setattr(module, "mean_auc", told)
    _, history = run(images, tmp_path, "32x9,32x2", network, patience=3)
    # best after the second epoch; an equal one is not better; three more and the stage ends
    assert [row["validation_auc"] for row in history] == [0.60, 0.70, 0.65, 0.70, 0.50, 0.61, 0.62]
    for final, best in zip(network.get_weights(), seen[6], strict=True):
        np.testing.assert_array_equal(final, best)
    assert not list(tmp_path.glob("best-*"))

    plan = Plan(parse_stages("32x9,32x2"), batch_size=4, patience=3)
    by_subset = {"train": images[0], "validation": images[1]}
    ends = training_record(plan, Split("s", "0", {}), by_subset, history, "none").stage_ends
    assert [(end.kept_step, end.steps, end.steps_planned) for end in ends] == [(6, 15, 27), (6, 6, 6)]
    assert ends[0].validation_auc == 0.70


def test_the_second_stage_starts_from_the_best_of_the_first(images, tmp_path, monkeypatch):
    from cxr_core.training import fit as module
    from tests.networks import small_network

    network, seen, starts = small_network(), [], []
    script = iter([0.7, 0.6, 0.6])

    def told(labels, scores):
        seen.append(network.get_weights())
        return next(script)

    real = module._Training._epoch

    def epoch(self, *arguments):
        starts.append(network.get_weights())
        return real(self, *arguments)

    monkeypatch.setattr(module, "mean_auc", told)
    monkeypatch.setattr(module._Training, "_epoch", epoch)
    run(images, tmp_path, "32x2,32x1", network, patience=5)
    for start, best in zip(starts[2], seen[0], strict=True):
        np.testing.assert_array_equal(start, best)


def test_the_average_by_hand():
    import keras

    from cxr_core.training.steps import WeightAverage

    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    weight = network.trainable_variables[0]
    weight.assign([[1.0]])
    average = WeightAverage(network, 0.5)
    expected = 1.0
    for step, value in enumerate((2.0, -3.0, 7.0), 1):
        weight.assign([[value]])
        average.update()
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    average.apply()
    assert float(weight.numpy().item()) == pytest.approx(expected, rel=1e-6)


def test_statistics_are_those_of_the_images_given():
    import keras

    from cxr_core.training.steps import compiled_forward, remeasure_statistics

    network = keras.Sequential([keras.Input((None, None, 1)), keras.layers.BatchNormalization(momentum=0.9)])
    network.layers[0].moving_mean.assign([500.0])
    batches = [np.random.default_rng(i).normal(i, 1 + i, (4, 8, 8, 1)).astype(np.float32) for i in range(2)]
    remeasure_statistics(network, compiled_forward(network, training=True), batches)
    # momentum 0.9: the later batch counts 0.1, the one before 0.09, both over 0.19
    share = np.array([0.09, 0.10]) / 0.19
    np.testing.assert_allclose(network.layers[0].moving_mean, share @ [b.mean() for b in batches], rtol=1e-5)
    np.testing.assert_allclose(network.layers[0].moving_variance, share @ [b.var() for b in batches], rtol=1e-5)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_keeps_whole_weights_and_learns(images, tmp_path, precision):
    from cxr_core.training import steps
    from tests.networks import small_network

    with steps.precision(precision):
        network = small_network()
    start = named(network)
    assert network.layers[1].compute_dtype == precision.removeprefix("mixed_")
    _, history = run(images, tmp_path, "32x3", network, precision=precision, learning_rate=0.01)
    end = named(network)
    assert {w.dtype for w in end.values()} == {np.dtype(np.float32)}
    assert all(np.isfinite(w).all() for w in end.values())
    assert all((start[name] != end[name]).any() for name in start if "/0" in name)
    assert history[-1]["loss"] < history[0]["loss"]
    # what is built after it is whole again
    assert small_network().layers[1].compute_dtype == "float32"


def test_pandas_and_tensorboard_read_the_log(images, tmp_path):
    import pandas as pd
    import tensorflow as tf

    losses = []
    run(images, tmp_path, "32x8", report=lambda progress: losses.append(progress.loss))
    log = pd.read_csv(tmp_path / "log.csv")
    assert log["step"].tolist() == [3, 6, 9, 12, 15, 18, 21, 24]
    assert log["loss"][0] == pytest.approx(np.mean(losses[:3]))
    points = {}
    for file in (tmp_path / "events").iterdir():
        for record in tf.data.TFRecordDataset(str(file)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                points.setdefault(value.tag, []).append((event.step, float(tf.make_ndarray(value.tensor))))
    assert [(step, pytest.approx(loss)) for step, loss in points["loss"]] == [(20, losses[19])]
    assert [step for step, _ in points["validation AUC"]] == log["step"].tolist()
    assert points["validation AUC"][-1][1] == pytest.approx(log["validation_auc"].iloc[-1])


def test_a_training_that_runs_away_is_stopped(images, tmp_path):
    with pytest.raises(TrainingRefused, match="not a number"):
        run(images, tmp_path, "32x2", learning_rate=1e38)


def test_a_new_start_puts_the_old_checkpoint_aside(images, tmp_path):
    run(images, tmp_path, "32x1")
    old = (tmp_path / "checkpoint.npz").read_bytes()
    run(images, tmp_path, "32x1", seed=3)
    assert (tmp_path / "before-checkpoint.npz").read_bytes() == old


def test_a_finished_training_is_resumed_to_the_same_weights(images, tmp_path):
    options = {"average": 0.9, "patience": 2}
    whole, history = run(images, tmp_path / "a", "32x2", **options)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    again, same = run(images, tmp_path / "b", "32x2", resume=True, **options)
    assert same == history
    for one, other in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_more_devices_than_images_is_refused(images, tmp_path):
    """A stand-in for a strategy of many devices: the check comes before anything is built."""
    from types import SimpleNamespace

    from cxr_core.errors import WrongArguments
    from cxr_core.training.fit import fit
    from cxr_core.training.plan import Plan, parse_stages
    from tests.networks import small_network

    many = SimpleNamespace(num_replicas_in_sync=5)
    with pytest.raises(WrongArguments, match="A batch of 4 images for 5 devices"):
        fit(small_network(), *images, Plan(parse_stages("32x1"), batch_size=4), tmp_path, strategy=many)


def test_the_log_has_one_header(images, tmp_path):
    run(images, tmp_path, "32x2")
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["stage", "size", "step", "loss", "validation_auc"]
    assert len(rows) == 3
