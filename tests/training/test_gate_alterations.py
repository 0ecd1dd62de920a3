import numpy as np
import pytest
from PIL import Image

from cxr_core.datasets.table import ImageTable
from cxr_core.imaging import phantom
from cxr_core.imaging.gate import tone
from cxr_core.imaging.gate.decision import block_means
from cxr_core.imaging.gate.view_classifier import class_scores
from cxr_core.training.gate_alterations import crop, fit_tone, original_ratios, stretch


def test_crops_and_stretches_by_hand():
    image = np.arange(200, dtype=np.float32).reshape(10, 20) / 200
    np.testing.assert_array_equal(crop(image, (0.1, 0.2, 0.25, 0)), image[1:8, 5:])
    assert stretch(image, 1.5).shape == (10, 30)
    assert stretch(image, 0.5).shape == (20, 20)
    np.testing.assert_array_equal(stretch(image, 1), image)


def test_ratios_of_the_originals_are_those_of_nihs_table(tmp_path):
    (tmp_path / "nih.csv").write_text("Image Index,OriginalImage[Width,Height]\na.png,2500,2048\nb.png,2048,2500\n")
    (tmp_path / "other.csv").write_text("Image Index\nc.png\n")
    ratios = original_ratios(tmp_path.glob("*.csv"), np.array(["b.png", "a.png", "c.png"]))
    np.testing.assert_allclose(ratios, [2048 / 2500, 2500 / 2048, 1])


@pytest.mark.slow
def test_what_is_fitted_tells_flattened_phantoms_from_others(tmp_path):
    images = [phantom(128, 112, seed=number).astype(np.float32) / 4095 for number in range(60)]
    paths = [tmp_path / f"{number}.png" for number in range(60)]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(np.rint(image * 255).astype(np.uint8)).save(path)
    text, count = np.full(60, ""), 60
    table = ImageTable(
        (), text, np.array(paths, dtype=object), np.zeros((count, 0), dtype=bool), np.arange(count),
        np.full(count, 50.0), text, np.where(np.arange(count) % 2, "PA", "AP"), text, text,
    )  # fmt: skip
    bounds = fit_tone(table, tmp_path / "tone.npz")
    with np.load(tmp_path / "tone.npz") as file:
        weights = [file[f"weights_{i}"] for i in range(6)]
        assert float(file["ordinary"]) == pytest.approx(bounds["ordinary"])

    def ordinary(change):
        features = np.stack([tone.tone_features(block_means(change(image).astype(np.float32))) for image in images])
        return class_scores(features, weights)[:, 0] >= bounds["ordinary"]

    assert ordinary(lambda image: image).mean() > 0.9
    assert ordinary(lambda image: 0.3 + 0.4 * image).mean() < 0.1
