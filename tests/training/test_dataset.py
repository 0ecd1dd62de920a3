"""Batches depend on their arguments alone, whoever decodes."""

import numpy as np
import pytest

from cxr_core.errors import PathUnusable
from cxr_core.imaging import Preparation, exposed, prepare, read_radiograph
from cxr_core.training.augment import POLICIES, augment
from cxr_core.training.dataset import batches, epoch_order, load_film, steps_per_epoch
from cxr_core.training.decoding import decoders
from cxr_core.training.table import read_table
from tests.films import made_up_dataset

TO = Preparation(32)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    images, table = made_up_dataset(tmp_path_factory.mktemp("films"), patients=13, films=1)
    return read_table(table, images)


def drawn(films, **options):
    order = epoch_order(len(films), 3, 1)
    return list(batches(films, TO, 4, order=order, policy=POLICIES["strong"], seed=(3, 0, 1), **options))


def test_films_come_in_the_order_given(films):
    order = epoch_order(len(films), 7, 0)
    got = list(batches(films, TO, 4, order=order))
    assert [len(x) for x, _ in got] == [4, 4, 4, 1]
    np.testing.assert_array_equal(
        np.concatenate([x for x, _ in got]), np.stack([load_film(films.paths[row], TO) for row in order])
    )
    np.testing.assert_array_equal(np.concatenate([y for _, y in got]), films.labels[order])


def test_processes_and_any_number_of_threads_give_the_same(films):
    expected = drawn(films, workers=1)
    with decoders(5) as threads, decoders(2, processes=True) as processes:
        for pool in (threads, processes):
            for (x, y), (other, others) in zip(expected, drawn(films, pool=pool), strict=True):
                np.testing.assert_array_equal(x, other)
                np.testing.assert_array_equal(y, others)


def test_exposure_is_changed_by_the_augmentation_before_it_is_brought_to_one(films):
    to = Preparation(32, exposure="stretched")
    ((x, _),) = batches(films, to, 1, order=np.array([2]), policy=POLICIES["strong"], seed=(5,))
    plain, placement = prepare(read_radiograph(films.paths[2].read_bytes()).display, TO)
    changed = augment(plain, POLICIES["strong"], np.random.default_rng((5, 2)))
    np.testing.assert_array_equal(x[0], exposed(changed, placement, "stretched"))
    # the other way round would let the network see every exposure that is drawn
    assert (
        x[0] != augment(exposed(plain, placement, "stretched"), POLICIES["strong"], np.random.default_rng((5, 2)))
    ).any()


def test_an_order_depends_on_seed_and_epoch_alone():
    np.testing.assert_array_equal(epoch_order(50, 1, 2), epoch_order(50, 1, 2))
    assert (epoch_order(50, 1, 2) != epoch_order(50, 1, 3)).any()
    assert (epoch_order(50, 1, 2) != epoch_order(50, 2, 2)).any()


def test_whole_batches_alone_make_an_epoch():
    assert [steps_per_epoch(films, 32) for films in (1, 31, 32, 63, 64, 86_524)] == [1, 1, 1, 1, 2, 2_703]


def test_a_film_that_is_gone_is_said_without_its_name(films, tmp_path):
    images, table = made_up_dataset(tmp_path, patients=2, films=1)
    few = read_table(table, images)
    few.paths[1].unlink()
    with pytest.raises(PathUnusable, match="cannot be read") as refused:
        list(batches(few, TO, 2))
    assert few.names[1] not in str(refused.value)
