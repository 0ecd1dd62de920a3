import numpy as np
import pytest
from scipy import ndimage, sparse
from scipy.sparse import csgraph

from cxr_core.imaging import phantom, read_radiograph
from cxr_core.imaging.gate.decision import block_means
from cxr_core.imaging.gate.marks import STROKE, TALLEST, find_marks, find_strokes, first_connected


def by_scipy(strokes):
    """The same by labelling every pixel."""
    labels = ndimage.label(strokes > STROKE, np.ones((3, 3)))[0]
    boxes = np.array([(y.start, y.stop, x.start, x.stop) for y, x in ndimage.find_objects(labels)], dtype=int)
    boxes = boxes.reshape(-1, 4)
    sides = np.sort(boxes[:, 1::2] - boxes[:, ::2], axis=1)
    indices = np.flatnonzero((sides[:, 1] >= 3) & (sides[:, 0] <= TALLEST * max(strokes.shape)))
    if len(indices) > 500:
        peaks = ndimage.maximum(strokes, labels, indices + 1).astype(int)
        indices = indices[np.argsort(-peaks, kind="stable")[:500]]
    return boxes[indices]


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (16, 300), (300, 16), (64, 64), (512, 500)])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.35, 0.9, 1.0])
def test_marks_are_the_connected_components(shape, share):
    rng = np.random.default_rng(0)
    above, up_to = rng.integers(STROKE + 1, 256, shape), rng.integers(0, STROKE + 1, shape)
    strokes = np.where(rng.random(shape) < share, above, up_to).astype(np.uint8)
    np.testing.assert_array_equal(find_marks(strokes), by_scipy(strokes))


def test_strokes_that_meet_at_a_corner_are_one_mark_and_rows_do_not_run_on():
    strokes = np.zeros((200, 200), dtype=np.uint8)
    strokes[0, 0] = strokes[1, 1] = strokes[2, 2] = 255
    strokes[2, 199] = strokes[3, 0] = strokes[4, 0] = strokes[5, 0] = 255
    assert find_marks(strokes).tolist() == [[0, 3, 0, 3], [3, 6, 0, 1]]


def test_a_u_is_one_mark_however_late_its_sides_meet():
    strokes = np.zeros((200, 200), dtype=np.uint8)
    strokes[:8, 1] = strokes[:8, 7] = 255
    strokes[8, 1:8] = 255
    assert find_marks(strokes).tolist() == [[0, 9, 1, 8]]


@pytest.mark.parametrize("nodes", [1, 2, 30, 400])
@pytest.mark.parametrize("edges", [0, 1, 20, 200, 2000])
def test_each_node_has_the_first_that_it_is_connected_with(nodes, edges):
    for seed in range(20):
        one, other = np.random.default_rng(seed).integers(0, nodes, (2, edges))
        graph = sparse.coo_array((np.ones(edges), (one, other)), (nodes, nodes))
        parts = csgraph.connected_components(graph, directed=False)[1]
        expected = [np.flatnonzero(parts == part)[0] for part in parts]
        assert first_connected(nodes, one, other).tolist() == expected


def test_a_chain_is_connected_in_whatever_order_its_nodes_are():
    for seed in range(20):
        chain = np.random.default_rng(seed).permutation(1000)
        assert not first_connected(1000, chain[:-1], chain[1:]).any()


def test_strokes_are_top_hat_transforms():
    rng = np.random.default_rng(1)
    grey = rng.integers(0, 256, (60, 70), dtype=np.uint8)
    bright, dark = find_strokes(grey)
    np.testing.assert_array_equal(bright, ndimage.white_tophat(grey, (5, 5), mode="nearest"))
    np.testing.assert_array_equal(dark, ndimage.black_tophat(grey, (5, 5), mode="nearest"))


def test_marks_of_the_phantom_and_its_noise():
    rng = np.random.default_rng(2)
    grey = block_means((phantom(512, 448).astype(np.float32)) / 4095)
    for noise in (0, 10, 40):
        noisy = np.clip(grey + rng.normal(0, noise, grey.shape), 0, 255).astype(np.uint8)
        for strokes in find_strokes(noisy):
            np.testing.assert_array_equal(find_marks(strokes), by_scipy(strokes))


@pytest.mark.needs_shared
def test_marks_of_real_images(shared):
    for path in sorted((shared / "nih_expert" / "images").iterdir())[:60]:
        for strokes in find_strokes(block_means(read_radiograph(path.read_bytes()).display)):
            np.testing.assert_array_equal(find_marks(strokes), by_scipy(strokes))
