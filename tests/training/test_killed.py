"""A training that is really killed, three times, and resumed: it ends as one that was never killed."""

import numpy as np
import pytest

from tests.images import made_up_dataset
from tests.killing import fresh_processes, killed_and_resumed
from tests.networks import small_network

SEED = 20261124

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def context():
    return fresh_processes()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    made_up_dataset(folder, patients=34, images=1, side=40)
    return folder


@pytest.mark.parametrize("options", [{}, {"average": 0.9, "patience": 2}], ids=["plain", "averaged, stopped early"])
def test_killed_three_times_it_ends_with_the_same_bits(context, data, tmp_path, options):
    from cxr_core.training.plan import Plan, parse_stages

    plan = Plan(parse_stages("head:32x1,32x3,40x2"), batch_size=4, seed=SEED, validation_images=20, **options)
    kills = np.random.default_rng(SEED).integers(4, 11, 3).tolist()
    whole, killed = killed_and_resumed(context, small_network, data, tmp_path, plan, kills)
    assert len(killed[0]) > len(whole[0]), "the kills lost no step: they did not fall between checkpoints"
    assert list(dict.fromkeys(killed[0])) == whole[0]
    assert killed[1] == whole[1]
    assert len(whole[2]) == 12
    for one, other in zip(whole[2], killed[2], strict=True):
        np.testing.assert_array_equal(one, other)
    assert (tmp_path / "whole" / "log.csv").read_text() == (tmp_path / "killed" / "log.csv").read_text()
