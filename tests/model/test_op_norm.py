"""torchxrayvision's scaling of scores, against numbers that torchxrayvision gave."""

import numpy as np
import pytest

from cxr_core.model.op_norm import op_norm
from tests.model.weights import reference as ref


@pytest.mark.parametrize("points", ["all", "nih"])
def test_it_is_torchxrayvisions(points):
    kept = ref.reference()
    ours = op_norm(kept["sigmoid"], kept[f"points_{points}"])
    np.testing.assert_allclose(ours, kept[f"scaled_{points}"], rtol=0, atol=1e-6)


def test_by_hand():
    # t = 0.2: 0.1 / 0.4 = 0.25; at t 0.5; 0.6: 1 - 0.4 / 1.6 = 0.75; ends stay ends
    scores = np.array([[0.0], [0.1], [0.2], [0.6], [1.0]])
    np.testing.assert_allclose(op_norm(scores, np.array([0.2]))[:, 0], [0, 0.25, 0.5, 0.75, 1])


def test_a_label_without_a_point_is_in_the_middle():
    assert (op_norm(np.array([[0.1], [0.9]]), np.array([np.nan])) == 0.5).all()
