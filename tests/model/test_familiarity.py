import numpy as np
import pytest

from cxr_core.errors import ModelUnusable
from cxr_core.model.familiarity import DIRECTIONS, fit_reference, load_reference, save_reference


@pytest.fixture(scope="module")
def cloud():
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(80, 200)) * np.geomspace(5, 0.05, 80)[:, None]
    return (rng.normal(size=(600, 80)) @ basis + 3 + rng.normal(0, 0.05, (600, 200))).astype(np.float32)


def test_known_images_lie_near_one_and_others_far(cloud):
    reference = fit_reference(cloud[:500], "w")
    held = reference.distance(cloud[500:])
    assert 0.8 < np.median(held) < 1.3
    assert reference.distance(cloud[500:] * 4).min() > held.max()
    assert reference.directions.shape == (200, DIRECTIONS)


def test_the_distance_by_hand():
    # two directions of spread 2 and 1 about 0, nothing across: sqrt(((4/2)^2 + (1/1)^2 + 0) / 3)
    from cxr_core.model.familiarity import FamiliarityReference

    reference = FamiliarityReference(np.zeros(3), np.eye(3)[:, :2], np.array([2.0, 1.0]), 0.5, "w")
    assert reference.distance(np.array([[4.0, 1.0, 0.0]]))[0] == pytest.approx(np.sqrt(5 / 3))
    assert reference.distance(np.array([[0.0, 0.0, 1.5]]))[0] == pytest.approx(np.sqrt(9 / 3))


def test_it_is_bound_to_the_weights(cloud, tmp_path):
    reference = fit_reference(cloud, "these weights")
    save_reference(reference, tmp_path / "familiarity.npz")
    again = load_reference(tmp_path / "familiarity.npz", "these weights")
    np.testing.assert_array_equal(again.distance(cloud), reference.distance(cloud))
    with pytest.raises(ModelUnusable, match="other weights"):
        load_reference(tmp_path / "familiarity.npz", "others")
    (tmp_path / "familiarity.npz").write_bytes(b"broken")
    with pytest.raises(ModelUnusable, match="cannot be read"):
        load_reference(tmp_path / "familiarity.npz", "these weights")
