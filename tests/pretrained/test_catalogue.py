"""What is known of published weights: whole, in order, and on the card's scale."""

import re

import numpy as np
import pytest

from cxr_core.errors import WrongArguments
from cxr_core.labels import LABELS
from cxr_core.pretrained.catalogue import OUTPUTS, PUBLISHED, PUBLISHED_AUC, find_published
from tests.pretrained.weights import reference as ref


def test_the_points_are_those_of_the_package():
    stored = ref.reference()
    for name in ("all", "nih"):
        published = find_published(name)
        given = stored[f"points_{name}"]  # float32, NaN where an output has no label
        ours = np.array([published.thresholds.get(label, np.nan) for label in OUTPUTS], np.float32)
        np.testing.assert_array_equal(ours, given)


def test_every_source_is_whole():
    assert len(PUBLISHED) == 7
    assert set(LABELS) <= set(OUTPUTS)
    counts = {name.rpartition("-")[2]: len(weights.labels) for name, weights in PUBLISHED.items()}
    assert counts == {"all": 18, "nih": 14, "pc": 15, "chex": 11, "rsna": 2, "mimic_ch": 11, "mimic_nb": 11}
    for weights in PUBLISHED.values():
        assert all(0 < point < 1 for point in weights.thresholds.values())
        assert weights.url.startswith("https://github.com/mlmed/torchxrayvision/releases/download/v1/")
        assert weights.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", weights.sha256)
        assert weights.sha256_source
        assert weights.datasets


def test_short_names_and_unknown_ones():
    assert find_published("mimic_ch") is find_published("densenet121-res224-mimic_ch")
    with pytest.raises(WrongArguments, match="Accepted: densenet121-res224-all, "):
        find_published("resnet50-res512-all")


def test_published_auc_name_labels_that_the_weights_have():
    for name, tables in PUBLISHED_AUC.items():
        for values in tables.values():
            assert set(values) <= set(PUBLISHED[name].labels)
    nih = PUBLISHED_AUC["densenet121-res224-all"]["NIH ChestX-ray14"]
    assert set(nih) == set(LABELS)
    # the mean that is quoted of it, 0.774
    assert round(np.mean(list(nih.values())), 3) == 0.774


@pytest.mark.parametrize("points", ["all", "nih"])
def test_the_scaling_of_scores_is_torchxrayvisions(points):
    reference = ref.reference()
    ours = ref.op_norm(reference["sigmoid"], reference[f"points_{points}"])
    np.testing.assert_allclose(ours, reference[f"scaled_{points}"], rtol=0, atol=1e-6)


def test_the_scaling_of_scores_by_hand():
    # t = 0.2: 0.1 / 0.4 = 0.25; at t 0.5; 0.6: 1 - 0.4 / 1.6 = 0.75; ends stay ends
    scores = np.array([[0.0], [0.1], [0.2], [0.6], [1.0]])
    np.testing.assert_allclose(ref.op_norm(scores, np.array([0.2]))[:, 0], [0, 0.25, 0.5, 0.75, 1])


def test_a_label_without_a_threshold_is_scaled_to_the_middle():
    assert (ref.op_norm(np.array([[0.1], [0.9]]), np.array([np.nan])) == 0.5).all()
