"""Coordinates of the displayed image, back on the pixels of the file."""

import itertools

import numpy as np
import pytest

from cxr_core.imaging import Pose
from cxr_core.imaging.orientation import apply_pose
from cxr_core.report.dicom.stored_pixels import to_stored

POSES = [Pose(mirrored, turns) for mirrored, turns in itertools.product((False, True), range(4))]


@pytest.mark.parametrize("pose", POSES, ids=str)
def test_every_displayed_pixel_is_found_where_it_lies_in_the_file(pose):
    rows, columns = 5, 7
    stored = np.arange(rows * columns).reshape(rows, columns)
    shown = apply_pose(stored, pose)
    y, x = np.indices(shown.shape)
    points = to_stored(np.stack([x.ravel(), y.ravel()], axis=1), shown.shape, pose, (rows, columns))
    # a centre is at half a pixel
    assert (points % 1 == 0.5).all()
    column, row = points.astype(int).T
    np.testing.assert_array_equal(stored[row, column], shown.ravel())


@pytest.mark.parametrize("pose", POSES, ids=str)
def test_pixels_that_were_made_square_are_those_of_the_file_again(pose):
    # 5 rows of double height were shown as 10
    shown = (10, 7) if pose.quarter_turns % 2 == 0 else (7, 10)
    corners = np.array([[-0.5, -0.5], [shown[1] - 0.5, shown[0] - 0.5]])
    points = to_stored(corners, shown, pose, (5, 7))
    assert sorted(points[:, 0]) == [0, 7]
    assert sorted(points[:, 1]) == [0, 5]


def test_points_beyond_the_image_are_at_its_edge():
    points = to_stored(np.array([[-3.0, 2.0], [50.0, 99.0]]), (10, 20), Pose(), (10, 20))
    np.testing.assert_array_equal(points, [[0, 2.5], [20, 10]])
