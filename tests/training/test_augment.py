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


def test_only_a_policy_that_says_so_mirrors():
    assert [name for name, policy in POLICIES.items() if policy.flip] == ["mild-flip", "flip"]


def test_the_flip_alone_is_the_papers():
    changed = [augment(FILM, POLICIES["flip"], np.random.default_rng(i)) for i in range(10)]
    assert all(np.allclose(film, FILM) or np.allclose(film, FILM[:, ::-1]) for film in changed)


def test_gamma_bends_the_grey_curve_and_keeps_its_ends():
    ramp = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[None], 64, axis=0)[:, :, None]
    bent = augment(ramp, Policy(gamma=0.5), rng())
    exponent = np.log(bent[5, 20:60, 0]) / np.log(ramp[5, 20:60, 0])
    assert exponent.std() < 1e-3
    assert np.exp(-0.5) <= exponent.mean() <= np.exp(0.5)
    assert abs(exponent.mean() - 1) > 0.01
    np.testing.assert_allclose(bent[5, [0, -1], 0], [0, 1], atol=1e-6)
