"""The same picture twice is found; two images that are alike are not taken for it."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr_core.datasets.duplicates import FINGERPRINT_LENGTH, SAME_IMAGE, find_matches, fingerprint, fingerprints
from cxr_core.imaging import phantom, read_radiograph


def image(seed: int, side: int = 192) -> Image.Image:
    """A phantom with a structure of its own."""
    grains = np.random.default_rng(seed).normal(0, 25, (16, 16)).astype(np.float32)
    structure = np.asarray(Image.fromarray(grains).resize((side, side), Image.Resampling.BICUBIC))
    return Image.fromarray(np.clip((phantom(side, side) >> 4) * 0.7 + 40 + structure, 0, 255).astype(np.uint8))


def of(image: Image.Image, kind: str = "PNG", **options) -> np.ndarray:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return fingerprint(read_radiograph(file.getvalue()).display)


COPIES = {
    "JPEG of quality 30": lambda image: of(image, "JPEG", quality=30),
    "half the size, JPEG": lambda image: of(image.resize((96, 96), Image.Resampling.LANCZOS), "JPEG", quality=80),
    "a third of the size": lambda image: of(image.resize((64, 64), Image.Resampling.BILINEAR)),
    "twice the size": lambda image: of(image.resize((384, 384), Image.Resampling.BICUBIC), "JPEG", quality=70),
    "another shape": lambda image: of(image.resize((150, 192))),
    "16 bits": lambda image: of(Image.fromarray(np.asarray(image).astype(np.uint16) * 257)),
    "another window": lambda image: of(image.point(lambda value: min(255, max(0, round(1.2 * (value - 15)))))),
    "mirrored": lambda image: of(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    "inverted": lambda image: of(Image.fromarray(255 - np.asarray(image))),
}


@pytest.mark.parametrize("name", COPIES)
def test_an_image_saved_again_is_found(name):
    images = [of(image(seed)) for seed in range(6)]
    matches = find_matches(np.stack([COPIES[name](image(4))]), np.stack(images))
    assert [(match.first, match.second) for match in matches] == [(0, 4)]


def test_likeness_is_the_sum_of_both_parts_by_hand():
    a, b = (np.random.default_rng(seed).normal(size=FINGERPRINT_LENGTH).astype(np.float32) for seed in (1, 2))
    even = FINGERPRINT_LENGTH // 2
    expected = abs(a[:even] @ b[:even]) + abs(a[even:] @ b[even:])
    (match,) = find_matches(a[None], b[None], similarity=0)
    assert match.similarity == pytest.approx(float(expected), rel=1e-5)


def test_blocks_do_not_matter():
    rng = np.random.default_rng(5)
    first, second = (rng.normal(size=(n, FINGERPRINT_LENGTH)).astype(np.float32) for n in (13, 7))
    whole = {(m.first, m.second) for m in find_matches(first, second, similarity=20)}
    parts = {(m.first, m.second) for m in find_matches(first, second, similarity=20, block=3)}
    assert whole == parts
    assert 0 < len(whole) < 13 * 7


def test_an_image_without_structure_is_like_nothing():
    flat = fingerprint(np.full((40, 40), 0.5, np.float32))
    assert not flat.any()
    assert find_matches(flat[None], flat[None]) == []


def test_fingerprints_are_kept_and_made_anew_where_a_file_changed(tmp_path):
    paths = []
    for seed in range(3):
        image(seed).save(tmp_path / f"{seed}.png")
        paths.append(tmp_path / f"{seed}.png")
    (tmp_path / "text.png").write_bytes(b"no image")
    paths.append(tmp_path / "text.png")
    file, made = tmp_path / "kept" / "prints.npz", []

    def each(function, some):
        made.extend(Path(path).name for path in some)
        return map(function, some)

    first, unreadable = fingerprints(paths, file, each=each)
    assert unreadable == [3]
    assert not first[3].any()
    image(7).save(paths[1])
    again, unreadable = fingerprints(paths, file, each=each)
    assert made == ["0.png", "1.png", "2.png", "text.png", "1.png", "text.png"]
    assert unreadable == [3]
    np.testing.assert_array_equal(first[[0, 2]], again[[0, 2]])
    assert (first[1] != again[1]).any()
    file.write_bytes(b"cut")
    np.testing.assert_array_equal(fingerprints(paths, file)[0], again)


@pytest.mark.needs_shared
def test_images_of_two_patients_are_not_taken_for_one(shared):
    """Every 12th image of nih_128, every 3rd of the others, against one another: 0.6 million pairs."""
    from concurrent.futures import ThreadPoolExecutor

    paths = sorted((shared / "nih_128" / "images").iterdir())[::12]
    for folder in ("nih_384", "nih_expert"):
        paths += sorted((shared / folder / "images").iterdir())[::3]
    with ThreadPoolExecutor(2) as pool:
        prints, unreadable = fingerprints(paths, each=pool.map)
    assert unreadable == []
    patients = np.array([int(path.name[:8]) for path in paths])
    alike = find_matches(prints, prints, similarity=0.5)
    others = [match.similarity for match in alike if patients[match.first] != patients[match.second]]
    assert len(others) > 1000
    assert max(others) < SAME_IMAGE - 0.03
    # and their copies at another size and as JPEG are found, each by its own image alone
    copies = []
    for path in paths[::40]:
        with Image.open(path) as image:
            copies.append(of(image.convert("L").resize((200, 220)), "JPEG", quality=60))
    matches = find_matches(np.stack(copies), prints)
    assert {(match.first, match.second) for match in matches} >= {(i, 40 * i) for i in range(len(copies))}
    assert {patients[40 * match.first] == patients[match.second] for match in matches} == {True}
