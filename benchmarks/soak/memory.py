"""Read images for minutes and watch the memory: it must level off. Run by ``make soak``.

First the reading alone, in this process; then the app, asked by a few tabs through Streamlit's own protocol.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time

import numpy as np

from benchmarks.soak.readers import image
from benchmarks.soak.server import Server, served
from cxr_core.errors import InputRefused
from cxr_core.imaging import phantom, phantom_dicom
from cxr_core.model import shared_predictor
from cxr_core.reading import read_image
from tests.protocol import Reader

SECONDS = 180
ALLOWED_GROWTH_MB = 100

TABS, EARLY, IMAGES = 4, 20, 200
MAX_GROWTH, MOST_MB = 1.1, 900


def main() -> int:
    """Print images read and memory held; status 1 where it grows."""
    return reading_alone() | the_app()


def the_app() -> int:
    """Print the memory of the app's process after a few and after many images; status 1 where it is too much."""
    with served("--server.disconnectedSessionTTL", "5") as server:
        early, late = asyncio.run(_read_in_tabs(server))
        time.sleep(15)
        after = server.memory_mb()
    print(
        f"the app, {TABS} tabs: {early:.0f} MB after {EARLY} images, {late:.0f} MB after {IMAGES}, "
        f"{late / early:.2f} times (at most {MAX_GROWTH} times and {MOST_MB} MB); {after:.0f} MB once they were closed"
    )
    return int(late > MAX_GROWTH * early or late > MOST_MB)


async def _read_in_tabs(server: Server) -> tuple[float, float]:
    tabs = [await Reader(server.address).__aenter__() for _ in range(TABS)]
    for number in range(IMAGES):
        tab = tabs[number % TABS]
        read = await tab.read("image.dcm", image(number))
        await tab.pixels(read["id"])
        await tab.rerun()
        await tab.until(lambda run: run.finished)
        if number + 1 == EARLY:
            early = server.memory_mb()
    late = server.memory_mb()
    for tab in tabs:
        await tab.__aexit__()
    return early, late


def reading_alone() -> int:
    """Print images read and memory held; status 1 where it grows after the first third."""
    predictor = shared_predictor()
    rng = np.random.default_rng(0)
    base = phantom(1024, 896)
    start, images, refused, early = time.monotonic(), 0, 0, None
    while (elapsed := time.monotonic() - start) < SECONDS:
        data = phantom_dicom(values=np.roll(base, int(rng.integers(0, 800)), axis=1))
        if images % 10 == 9:
            data = data[: int(rng.integers(1, len(data)))]
        try:
            read_image(data, predictor)
        except InputRefused:
            refused += 1
        images += 1
        if early is None and elapsed > SECONDS / 3:
            early = _peak_mb()
    growth = _peak_mb() - (early or 0)
    print(f"{images} images in {SECONDS} s, {refused} of them cut and refused; peak memory {_peak_mb():.0f} MB, ")
    print(f"grown by {growth:.0f} MB after the first third (at most {ALLOWED_GROWTH_MB} MB allowed)")
    return int(growth > ALLOWED_GROWTH_MB)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
