import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxr_core.imaging import phantom
from cxr_core.labels import LABELS
from cxr_core.settings import settings


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """An empty folder of runs."""
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    settings.cache_clear()
    yield tmp_path / "runs"
    settings.cache_clear()


@pytest.fixture(scope="session")
def made_up_set(tmp_path_factory):
    """A folder of images with a table in NIH's format, a second reference standard for some, and three readers."""
    folder = tmp_path_factory.mktemp("images")
    images = folder / "images"
    images.mkdir()
    rng = np.random.default_rng(1)
    rows, readers = [], []
    for number in range(20):
        name = f"{number // 2:08d}_{number % 2:03d}.png"
        grey = (phantom(96, 84, seed=number) >> 4).astype(np.uint8)
        Image.fromarray(grey).save(images / name)
        positive = [label for label in LABELS[:4] if rng.random() < 0.4]
        rows.append((name, "|".join(positive) or "No Finding", number // 2, 40 + number, "MF"[number % 2], "PA"))
        for reader in (7, 8, 9):
            answers = {label.replace("_", " "): "YES" if rng.random() < 0.3 else "NO" for label in LABELS}
            readers.append({"Image ID": name, "Reader ID": reader} | answers)
    columns = ["Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "table.csv", index=False)
    pd.DataFrame(rows[:15], columns=columns).assign(**{"Finding Labels": "Effusion"}).to_csv(
        folder / "second.csv", index=False
    )
    pd.DataFrame(readers).to_csv(folder / "readers.csv", index=False)
    (images / "00000099_000.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    pd.DataFrame([*rows, ("00000099_000.png", "Hernia", 99, 50, "M", "PA")], columns=columns).to_csv(
        folder / "with_broken.csv", index=False
    )
    return folder
