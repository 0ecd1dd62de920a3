import numpy as np
import pytest

from cxr_core.training.augment import POLICIES, Policy, augment

FILM = np.zeros((64, 64, 1), np.float32)
FILM[20:30, 8:16] = 1


def rng():
    return np.random.default_rng(4)


def test_the_same_seed_gives_the_same_film():
    np.testing.assert_array_equal(augment(FILM, POLICIES["mild"], rng()), augment(FILM, POLICIES["mild"], rng()))
    assert (augment(FILM, POLICIES["mild"], rng()) != FILM).any()


@pytest.mark.parametrize("policy", POLICIES)
def test_range_and_shape_are_kept(policy):
    changed = augment(FILM, POLICIES[policy], rng())
    assert changed.shape == FILM.shape
    assert changed.dtype == np.float32
    assert changed.min() >= 0
    assert changed.max() <= 1


def test_none_changes_nothing_and_flip_mirrors_half():
    np.testing.assert_array_equal(augment(FILM, POLICIES["none"], rng()), FILM)
    only_flip = Policy(flip=True)
    mirrored = [np.allclose(augment(FILM, only_flip, np.random.default_rng(i)), FILM[:, ::-1]) for i in range(40)]
    kept = [np.allclose(augment(FILM, only_flip, np.random.default_rng(i)), FILM) for i in range(40)]
    assert sum(mirrored) + sum(kept) == 40
    assert 10 < sum(mirrored) < 30


def test_only_the_flip_policy_mirrors():
    assert not POLICIES["mild"].flip
    assert POLICIES["mild-flip"].flip
