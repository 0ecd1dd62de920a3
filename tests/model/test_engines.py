"""TensorFlow is the reference, OpenVINO serves: they must say the same."""

import numpy as np
import pytest

from cxr_core.imaging import phantom, prepare
from cxr_core.model import open_model
from cxr_core.model.predictor import open_engine


@pytest.fixture(scope="module")
def images(predictor):
    """Fifty inputs: phantoms, turned, gained and cropped, and smooth random pictures."""
    rng = np.random.default_rng(5)
    base = phantom(512, 448).astype(np.float32) / 4095
    images = []
    for number in range(50):
        if number % 2:
            coarse = rng.random((rng.integers(4, 40), rng.integers(4, 40))).astype(np.float32)
            image = np.kron(coarse, np.ones((9, 9), np.float32))
        else:
            image = np.clip(np.rot90(base, number // 2 % 4) * rng.uniform(0.5, 1.5) + rng.uniform(-0.2, 0.2), 0, 1)
            image = image[int(rng.integers(0, 80)) :, int(rng.integers(0, 80)) :]
        images.append(prepare(np.ascontiguousarray(image), predictor.card.input.preparation())[0])
    return np.stack(images)


@pytest.mark.slow
def test_the_engines_agree_on_fifty_images(predictor, images):
    reference = open_engine(open_model("second-read-mini"), "tensorflow")
    theirs = reference.infer(images)
    ours = np.concatenate([predictor.engine.infer(image[None]).logits for image in images])
    assert ours.std() > 0.1
    np.testing.assert_array_less(np.abs(ours - theirs.logits), 1e-4 * np.maximum(1, np.abs(theirs.logits)))
    np.testing.assert_array_equal(reference.head.kernel, predictor.engine.head.kernel)
    np.testing.assert_array_equal(reference.head.bias, predictor.engine.head.bias)


@pytest.mark.needs_shared
@pytest.mark.slow
def test_the_engines_agree_on_fifty_real_images(predictor, shared):
    from cxr_core.imaging import read_radiograph

    paths = sorted((shared / "nih_expert" / "images").iterdir())[:50]
    preparation = predictor.card.input.preparation()
    images = np.stack([prepare(read_radiograph(p.read_bytes()).display, preparation)[0] for p in paths])
    theirs = open_engine(open_model("second-read-mini"), "tensorflow").infer(images).logits
    ours = np.concatenate([predictor.engine.infer(image[None]).logits for image in images])
    np.testing.assert_array_less(np.abs(ours - theirs), 1e-4 * np.maximum(1, np.abs(theirs)))


def test_threads_do_not_get_each_others_image(predictor, images):
    from concurrent.futures import ThreadPoolExecutor

    alone = [predictor.engine.infer(image[None]).logits for image in images[:8]]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda image: predictor.engine.infer(image[None]).logits, images[:8]))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_engine_for_many_images_gives_the_same_bits(predictor, images):
    many = open_engine(open_model("second-read-mini"), "openvino", throughput=True)
    for image in images[:10]:
        one, other = predictor.engine.infer(image[None]), many.infer(image[None])
        np.testing.assert_array_equal(one.logits, other.logits)
        np.testing.assert_array_equal(one.features, other.features)


def test_an_unknown_engine_is_named():
    from cxr_core.errors import WrongArguments

    with pytest.raises(WrongArguments, match="Accepted: openvino, tensorflow"):
        open_engine(open_model("second-read-mini"), "onnx")
