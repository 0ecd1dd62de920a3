"""Read films for minutes and watch the memory: it must level off. Run by ``make soak``."""

from __future__ import annotations

import resource
import sys
import time

import numpy as np

from cxr_core.errors import InputRefused
from cxr_core.imaging import phantom, phantom_dicom
from cxr_core.model import shared_predictor
from cxr_core.reading import read_film

SECONDS = 180
ALLOWED_GROWTH_MB = 100


def main() -> int:
    """Print films read and memory held; status 1 where it grows after the first third."""
    predictor = shared_predictor()
    rng = np.random.default_rng(0)
    base = phantom(1024, 896)
    start, films, refused, early = time.monotonic(), 0, 0, None
    while (elapsed := time.monotonic() - start) < SECONDS:
        data = phantom_dicom(values=np.roll(base, int(rng.integers(0, 800)), axis=1))
        if films % 10 == 9:
            data = data[: int(rng.integers(1, len(data)))]
        try:
            read_film(data, predictor)
        except InputRefused:
            refused += 1
        films += 1
        if early is None and elapsed > SECONDS / 3:
            early = _peak_mb()
    growth = _peak_mb() - (early or 0)
    print(f"{films} films in {SECONDS} s, {refused} of them cut and refused; peak memory {_peak_mb():.0f} MB, ")
    print(f"grown by {growth:.0f} MB after the first third (at most {ALLOWED_GROWTH_MB} MB allowed)")
    return int(growth > ALLOWED_GROWTH_MB)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
