"""Pointing game and overlap: by hand, and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import jaccard_score

from cxr_core.metrics import BootstrapOptions, box_coverage, overlap_by_threshold, pointing_game

steady = settings(deadline=None, derandomize=True, max_examples=40)


def one_hot(rows, columns, row, column):
    cells = np.zeros((rows, columns))
    cells[row, column] = 1
    return cells


def test_pointing_by_hand():
    # boxes are left, top, right, bottom; the centre of the strongest cell is (column + 1/2, row + 1/2)
    maps = [one_hot(4, 6, 1, 4), one_hot(4, 6, 1, 4), one_hot(4, 6, 3, 0), np.ones((4, 6))]
    boxes = [[[4.4, 1.2, 5, 2]], [[4.6, 1, 6, 2]], [[0, 0, 1, 1], [0, 3, 1, 4]], [[2, 1, 4, 3]]]
    result = pointing_game(maps, boxes, np.arange(4), options=BootstrapOptions(min_patients=1))
    # hit, missed by 0.1 of a cell, hit in the second box, and a blank map in whose box the centre lies
    assert (result.hit_rate.value, result.hit_rate.positives, result.blank) == (0.5, 2, 1)
    assert result.centre.value == 1 / 4
    assert result.gain.value == 1 / 4
    assert (
        pointing_game(maps, boxes, np.arange(4), tolerance=0.1, options=BootstrapOptions(min_patients=1)).hit_rate.value
        == 3 / 4
    )


def test_of_equally_strong_cells_half_must_be_in_a_box():
    cells = one_hot(4, 4, 0, 0) + one_hot(4, 4, 3, 3)
    assert pointing_game([cells], [[[0, 0, 1, 1]]], [1], options=BootstrapOptions(min_patients=1)).hit_rate.value == 1
    cells += one_hot(4, 4, 3, 0)
    assert pointing_game([cells], [[[0, 0, 1, 1]]], [1], options=BootstrapOptions(min_patients=1)).hit_rate.value == 0


def test_coverage_by_hand():
    # two boxes that share [1, 2) x [0, 1) in a map of 2 x 3; cells are covered by their union
    coverage = box_coverage([[0.5, 0, 2, 1], [1, 0, 2.25, 1.5]], 2, 3)
    np.testing.assert_allclose(coverage, [[0.5, 1, 0.25], [0, 0.5, 0.125]], rtol=0, atol=1e-15)
    # what lies outside is cut
    assert box_coverage([[-5, -5, 9, 9]], 2, 3).tolist() == [[1, 1, 1], [1, 1, 1]]
    assert box_coverage([[7, 7, 9, 9]], 2, 3).sum() == 0


@steady
@given(st.data())
def test_coverage_equals_counting_on_a_fine_grid(data):
    corner = st.integers(0, 20).map(lambda k: k / 4)
    boxes = []
    for _ in range(data.draw(st.integers(1, 4))):
        x, y = (sorted(data.draw(st.lists(corner, min_size=2, max_size=2, unique=True))) for _ in range(2))
        boxes.append([x[0], y[0], x[1], y[1]])
    at = (np.arange(20) + 0.5) / 4
    inside = np.zeros((20, 20), dtype=bool)
    for left, top, right, bottom in boxes:
        inside |= np.outer((top < at) & (at < bottom), (left < at) & (at < right))
    expected = inside.reshape(5, 4, 5, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(box_coverage(boxes, 5, 5), expected, rtol=0, atol=1e-12)


@steady
@given(st.integers(0, 10**6))
def test_overlap_equals_the_peer_where_boxes_end_on_cells(seed):
    random = np.random.default_rng(seed)
    maps, boxes, masks = random.random((6, 5, 7)), [], []
    for _ in range(6):
        boxes.append([])
        masks.append(np.zeros((5, 7), dtype=bool))
        for _ in range(random.integers(1, 3)):
            left, top = random.integers(0, 6), random.integers(0, 4)
            right, bottom = random.integers(left + 1, 8), random.integers(top + 1, 6)
            boxes[-1].append([left, top, right, bottom])
            masks[-1][top:bottom, left:right] = True
    curve = overlap_by_threshold(maps, boxes, np.arange(6), [0.2, 0.7], options=BootstrapOptions(min_patients=1))
    for threshold, estimate, marked in zip((0.2, 0.7), curve.overlap, curve.marked, strict=True):
        chosen = maps >= threshold
        expected = [jaccard_score(mask.ravel(), c.ravel()) for mask, c in zip(masks, chosen, strict=True)]
        assert estimate.value == pytest.approx(np.mean(expected), abs=1e-12)
        assert marked == pytest.approx(chosen.mean(), abs=1e-12)


def test_overlap_and_centre_by_hand():
    # a map of 4 x 4 with 4 marked cells in a corner; the box is that corner, 1 cell beyond the map on two sides:
    # 4 of 9. In the centre, 4 cells are [1, 3) x [1, 3), of which the box [-1, 2) x [-1, 2) holds 1: 1 / (4 + 9 - 1)
    cells = np.zeros((4, 4))
    cells[:2, :2] = 1
    curve = overlap_by_threshold([cells], [[[-1, -1, 2, 2]]], [1], [0.5, 2.0], options=BootstrapOptions(min_patients=1))
    assert curve.overlap[0].value == pytest.approx(4 / 9)
    assert curve.centre[0].value == pytest.approx(1 / 12)
    # nothing is marked over the highest cell: no overlap, which is a value
    assert (curve.overlap[1].value, curve.centre[1].value, curve.marked[1]) == (0, 0, 0)


def test_intervals_are_of_patients():
    random = np.random.default_rng(0)
    maps, patients = random.random((60, 5, 5)), np.repeat(np.arange(20), 3)
    boxes = [[[1, 1, 4, 3.5]]] * 60
    by_patient, by_image = (pointing_game(np.repeat(maps[::3], 3, axis=0), boxes, p) for p in (patients, np.arange(60)))
    assert by_patient.hit_rate.value == by_image.hit_rate.value
    assert by_patient.hit_rate.high - by_patient.hit_rate.low > 1.4 * (by_image.hit_rate.high - by_image.hit_rate.low)
    few = pointing_game(maps[:6], boxes[:6], patients[:6])
    assert (few.hit_rate.value, few.hit_rate.reason) == (None, "too few cases (2 patients)")
    assert overlap_by_threshold(maps[:6], boxes[:6], patients[:6], [0.5]).overlap[0].reason == few.gain.reason


def test_no_image():
    nobody = np.zeros((0, 5, 5))
    assert pointing_game(nobody, [], []).hit_rate.reason == "no image"
    assert overlap_by_threshold(nobody, [], [], [0.5]).overlap[0].reason == "no image"


@pytest.mark.parametrize(
    ("maps", "boxes", "said"),
    [
        (np.zeros((1, 2)), [[[0, 0, 1, 1]]], "Maps"),
        (np.full((1, 2, 2), np.nan), [[[0, 0, 1, 1]]], "Maps"),
        (np.zeros((1, 2, 2)), [], "one for each"),
        (np.zeros((1, 2, 2)), [[[1, 0, 1, 1]]], "Boxes"),
        (np.zeros((1, 2, 2)), [np.zeros((0, 4))], "Boxes"),
    ],
)
def test_other_input_is_refused(maps, boxes, said):
    with pytest.raises(ValueError, match=said):
        pointing_game(maps, boxes, [1])
