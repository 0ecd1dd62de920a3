"""Batches depend on their arguments alone, whoever decodes; augmentation stays within its policy."""

import numpy as np
import pytest

from cxr_core.datasets.batches import (
    POLICIES,
    Policy,
    augment,
    batches,
    decoders,
    epoch_order,
    load_image,
    steps_per_epoch,
)
from cxr_core.datasets.table import read_table
from cxr_core.errors import PathUnusable
from cxr_core.imaging import Preparation, apply_exposure, prepare, read_radiograph
from tests.images import made_up_dataset

IMAGE = np.zeros((64, 64, 1), np.float32)
IMAGE[20:30, 8:16] = 1


def rng():
    return np.random.default_rng(4)


def test_the_same_seed_gives_the_same_image():
    np.testing.assert_array_equal(augment(IMAGE, POLICIES["mild"], rng()), augment(IMAGE, POLICIES["mild"], rng()))
    assert (augment(IMAGE, POLICIES["mild"], rng()) != IMAGE).any()


@pytest.mark.parametrize("policy", POLICIES)
def test_range_and_shape_are_kept(policy):
    changed = augment(IMAGE, POLICIES[policy], rng())
    assert changed.shape == IMAGE.shape
    assert changed.dtype == np.float32
    assert changed.min() >= 0
    assert changed.max() <= 1


def test_none_changes_nothing_and_flip_mirrors_half():
    np.testing.assert_array_equal(augment(IMAGE, POLICIES["none"], rng()), IMAGE)
    only_flip = Policy(flip=True)
    mirrored = [np.allclose(augment(IMAGE, only_flip, np.random.default_rng(i)), IMAGE[:, ::-1]) for i in range(40)]
    unchanged = [np.allclose(augment(IMAGE, only_flip, np.random.default_rng(i)), IMAGE) for i in range(40)]
    assert sum(mirrored) + sum(unchanged) == 40
    assert 10 < sum(mirrored) < 30


def test_only_a_policy_that_says_so_mirrors():
    assert [name for name, policy in POLICIES.items() if policy.flip] == ["mild-flip", "flip"]


def test_the_flip_alone_is_the_papers():
    changed = [augment(IMAGE, POLICIES["flip"], np.random.default_rng(i)) for i in range(10)]
    assert all(np.allclose(image, IMAGE) or np.allclose(image, IMAGE[:, ::-1]) for image in changed)


def test_gamma_bends_the_grey_curve_and_keeps_its_ends():
    ramp = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[None], 64, axis=0)[:, :, None]
    bent = augment(ramp, Policy(gamma=0.5), rng())
    exponent = np.log(bent[5, 20:60, 0]) / np.log(ramp[5, 20:60, 0])
    assert exponent.std() < 1e-3
    assert np.exp(-0.5) <= exponent.mean() <= np.exp(0.5)
    assert abs(exponent.mean() - 1) > 0.01
    np.testing.assert_allclose(bent[5, [0, -1], 0], [0, 1], atol=1e-6)


TO = Preparation(32)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    images, table = made_up_dataset(tmp_path_factory.mktemp("images"), patients=13, images=1)
    return read_table(table, images)


def drawn(images, **options):
    order = epoch_order(len(images), 3, 1)
    return list(batches(images, TO, 4, order=order, policy=POLICIES["strong"], seed=(3, 0, 1), **options))


def test_images_come_in_the_order_given(images):
    order = epoch_order(len(images), 7, 0)
    got = list(batches(images, TO, 4, order=order))
    assert [len(x) for x, _ in got] == [4, 4, 4, 1]
    np.testing.assert_array_equal(
        np.concatenate([x for x, _ in got]), np.stack([load_image(images.paths[row], TO) for row in order])
    )
    np.testing.assert_array_equal(np.concatenate([y for _, y in got]), images.positive[order])


@pytest.mark.slow
def test_processes_and_any_number_of_threads_give_the_same(images):
    expected = drawn(images, workers=1)
    with decoders(5) as threads, decoders(2, processes=True) as processes:
        for pool in (threads, processes):
            for (x, y), (other, others) in zip(expected, drawn(images, pool=pool), strict=True):
                np.testing.assert_array_equal(x, other)
                np.testing.assert_array_equal(y, others)


def test_exposure_is_changed_by_the_augmentation_before_it_is_brought_to_one(images):
    to = Preparation(32, exposure="stretched")
    ((x, _),) = batches(images, to, 1, order=np.array([2]), policy=POLICIES["strong"], seed=(5,))
    plain, placement = prepare(read_radiograph(images.paths[2].read_bytes()).display, TO)
    changed = augment(plain, POLICIES["strong"], np.random.default_rng((5, 2)))
    np.testing.assert_array_equal(x[0], apply_exposure(changed, placement, "stretched"))
    # the other way round would let the network see every exposure that is drawn
    assert (
        x[0]
        != augment(apply_exposure(plain, placement, "stretched"), POLICIES["strong"], np.random.default_rng((5, 2)))
    ).any()


def test_an_order_depends_on_seed_and_epoch_alone():
    np.testing.assert_array_equal(epoch_order(50, 1, 2), epoch_order(50, 1, 2))
    assert (epoch_order(50, 1, 2) != epoch_order(50, 1, 3)).any()
    assert (epoch_order(50, 1, 2) != epoch_order(50, 2, 2)).any()


def test_whole_batches_alone_make_an_epoch():
    assert [steps_per_epoch(images, 32) for images in (1, 31, 32, 63, 64, 86_524)] == [1, 1, 1, 1, 2, 2_703]


def test_an_image_that_is_gone_is_said_without_its_name(tmp_path):
    images, table = made_up_dataset(tmp_path, patients=2, images=1)
    few = read_table(table, images)
    few.paths[1].unlink()
    with pytest.raises(PathUnusable, match="cannot be read") as refused:
        list(batches(few, TO, 2))
    assert few.names[1] not in str(refused.value)
