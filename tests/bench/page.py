"""What the page adds to the engine: from the upload of a second film to findings and maps on the screen.

Run by ``make bench``. The engine's time is that of the forward pass inside the same reading.
"""

from __future__ import annotations

import hashlib
import shutil
import statistics
import sys
import time

from cxr_core.imaging import phantom, phantom_dicom
from cxr_core.model import shared_predictor
from cxr_core.reading import read_film
from cxr_core.ui.findings import findings_message
from cxr_core.ui.pixels import film_bytes
from tests.browser import browsing, open_front_page, serving, upload

RUNS = 9


def main() -> int:
    """Print the figures."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("Chromium is not installed", file=sys.stderr)
        return 4
    predictor = shared_predictor()
    films = [phantom_dicom(values=phantom(1024, 896, seed=seed)) for seed in range(RUNS + 1)]
    engine, own = _in_process(predictor, films)
    screen = _on_screen(chromium, films)
    print(f"median of {RUNS} films of 1024 x 896 pixels")
    print(f"engine, one forward pass: {1000 * engine:.0f} ms = 1")
    print(f"page's own work on the server (decode, prepare, maps, messages): {own / engine:.2f}")
    print(f"upload to findings and maps on the screen, less the engine: {(screen - engine) / engine:.2f}")
    print(f"upload to findings and maps on the screen: {1000 * screen:.0f} ms")
    return 0


def _in_process(predictor, films: list[bytes]) -> tuple[float, float]:
    """Return the medians of the engine's time and of everything else, both of the same readings."""
    engine, own = [], []
    infer = predictor.engine.infer

    def timed(prepared):
        start = time.perf_counter()
        answer = infer(prepared)
        engine.append(time.perf_counter() - start)
        return answer

    predictor.engine.infer = timed
    for data in films:
        start = time.perf_counter()
        radiograph, reading = read_film(data, predictor)
        findings_message(reading, predictor.card, None)
        film_bytes(radiograph, alt="")
        own.append(time.perf_counter() - start - engine[-1])
    predictor.engine.infer = infer
    return statistics.median(engine[1:]), statistics.median(own[1:])


def _on_screen(chromium: str, films: list[bytes]) -> float:
    seconds = []
    with serving() as address, browsing(chromium) as page:
        open_front_page(page, address)
        for number, data in enumerate(films):
            if number:
                page.locator("text=Add films").click()
                page.locator("input[type=file]").first.wait_for(state="attached")
                page.wait_for_timeout(500)
            digest = hashlib.sha256(data).hexdigest()
            start = time.perf_counter()
            upload(page, (f"film{number}.dcm", data))
            page.wait_for_selector(f'canvas.film[data-sha="{digest}"]:not([data-label=""])')
            seconds.append(time.perf_counter() - start)
            page.keyboard.press("Escape")
            page.wait_for_timeout(1000)
    return statistics.median(seconds[1:])


if __name__ == "__main__":
    sys.exit(main())
