"""What the page adds to the engine: from the drop of a second image to findings, maps and pixels on the screen.

Run by ``make bench``. The engine is timed between the drops, so that both see the same load of the machine. Files are
made in the browser beforehand and dropped on the page by an event; the clock is the browser's.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import shutil
import statistics
import sys
import time

from PIL import Image

from benchmarks.processor_time import processor_ms
from cxr_core.imaging import phantom, phantom_dicom
from cxr_core.model import prepare_input, shared_predictor
from cxr_core.reading import open_image
from tests.browser import browsing, open_front_page, serving, upload

RUNS, DROP = 20, 60
QUIET_MS = 4000
"""Pause before a drop, in which the small changes of the image before are read."""

PROCESSES = {"streamlit": "server", "killable_worker": "decoder", "chrom": "Chromium"}
"""Whose time on a processor is stated."""

_MAKE_FILES = """files => {
  window.made = files.map(([name, data]) => {
    const binary = atob(data);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
    return new File([bytes], name);
  });
}"""

_DROP = """sha => new Promise((resolve) => {
  const store = window.secondRead;
  const inside = (root, query) => {
    const node = root.querySelector(query);
    if (node) return node;
    for (const element of root.querySelectorAll("*")) {
      const found = element.shadowRoot && inside(element.shadowRoot, query);
      if (found) return found;
    }
    return null;
  };
  const [canvas, panel] = ["canvas.radiograph", ".panel"].map((query) => inside(document, query));
  const transfer = new DataTransfer();
  for (const file of window.made) transfer.items.add(file);
  const marks = {};
  const start = performance.now();
  const mark = (name, seen) => { if (seen && !(name in marks)) marks[name] = performance.now() - start; };
  // when it happens, and not in each frame: whoever asks in each frame has each one drawn
  const look = () => {
    const there = store.pixelsNow(sha);
    mark("sent", store.current === sha);
    mark("pixels", there);
    mark("full", there && !there.reduced);
    mark("reading", store.images.get(sha)?.findings);
    // the rows of the list say which image they are of
    mark("findings", panel.dataset.id === sha && panel.querySelector(".row"));
    mark("drawn", canvas.dataset.sha === sha && canvas.dataset.label);
    // what was drawn outside a frame is in the next one, which has ended when the one after it begins
    const isDrawn = "drawn" in marks && "findings" in marks;
    if (isDrawn && !frame) frame = requestAnimationFrame(() => requestAnimationFrame(onScreen));
    if (!("screen" in marks && "full" in marks)) return;
    store.listeners.delete(look);
    observer.disconnect();
    resolve(marks);
  };
  let frame = 0;
  const onScreen = () => { mark("screen", true); look(); };
  const observer = new MutationObserver(look);
  for (const node of [canvas, panel]) observer.observe(node, { attributes: true, childList: true, subtree: true });
  store.listeners.add(look);
  const options = { dataTransfer: transfer, bubbles: true, composed: true, cancelable: true };
  canvas.dispatchEvent(new DragEvent("drop", options));
})"""


def main() -> int:
    """Print the figures; status 4 without Chromium."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=RUNS)
    arguments.add_argument(
        "--steps",
        action="store_true",
        help="print medians, and the slowest drop, by step",
    )
    given = arguments.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        print("Chromium is not installed", file=sys.stderr)
        return 4
    kinds = {
        "1,024 x 1,024 PNG": [_png(seed) for seed in range(given.runs)],
        "2,500 x 2,000 DICOM of 16 bits": [_large(seed) for seed in range(given.runs)],
    }
    one: list[float] = []
    with serving() as address, browsing(chromium) as page:
        page.set_default_timeout(120_000)
        open_front_page(page, address)
        first = phantom_dicom(values=phantom(512, 448, seed=999))
        upload(page, ("first.dcm", first))
        page.wait_for_function("sha => window.secondRead.images.get(sha)?.findings", arg=_sha(first))
        for kind, images in kinds.items():
            engine, steps = zip(*(_timed(page, [data]) for data in images), strict=True)
            one = one or [step["screen"] for step in steps]
            _print(kind, engine, steps, given.steps)
        engine, steps = zip(*(_timed(page, _sixty(number)) for number in range(3)), strict=True)
        _print(f"first of a drop of {DROP} PNG", engine, steps, given.steps)
        several = statistics.median(step["screen"] for step in steps) / statistics.median(one)
        print(f"first findings of a drop of {DROP}: {several:.2f} times that of one")
    return 0


def _timed(page, images: list[bytes]) -> tuple[float, dict[str, float]]:
    """Return the engine's time for the first image of a drop, the browser's times of its steps, and the time on the
    processors of each kind of process meanwhile; milliseconds.
    """
    files = [[f"image{number}", base64.b64encode(data).decode()] for number, data in enumerate(images)]
    page.evaluate(_MAKE_FILES, files)
    page.wait_for_function("() => !document.querySelector('[data-testid=stProgress]')")
    page.wait_for_timeout(QUIET_MS)
    engine = _engine_ms(images[0])
    before = processor_ms(PROCESSES)
    steps = page.evaluate(_DROP, _sha(images[0]))
    after = processor_ms(PROCESSES)
    return engine, steps | {name: after[name] - before[name] for name in before}


def _engine_ms(data: bytes) -> float:
    """Return the median time of three forward passes of the engine, in this process."""
    predictor = shared_predictor()
    pixels = prepare_input(open_image(data), predictor.card.input.preparation()).pixels[None]
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        predictor.engine.infer(pixels)
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds)


def _print(kind: str, engine: tuple[float, ...], steps: tuple[dict[str, float], ...], in_steps: bool) -> None:
    one_pass, screen = statistics.median(engine), [step["screen"] for step in steps]
    print(f"{kind}, {len(screen)} drops; one pass of the engine: {one_pass:.0f} ms = 1")
    median, slowest = statistics.median(screen), max(screen)
    print(f"  drop to findings and image on the screen, median: {median / one_pass:.2f} ({median:.0f} ms)")
    print(f"  the slowest: {slowest / one_pass:.2f} ({slowest:.0f} ms)")
    full = statistics.median(step["full"] for step in steps)
    print(f"  drop to every pixel of the image in the browser, median: {full / one_pass:.2f} ({full:.0f} ms)")
    if in_steps:
        at = screen.index(slowest)
        _print_steps("medians", {name: statistics.median(step[name] for step in steps) for name in steps[0]})
        _print_steps(f"the slowest, drop {at + 1}, with a pass of {engine[at]:.0f} ms", steps[at])


def _print_steps(what: str, times: dict[str, float]) -> None:
    names = sorted(times.keys() - set(PROCESSES.values()), key=lambda name: times[name])
    print(f"  {what}: " + ", ".join(f"{name} {times[name]:.0f} ms" for name in names))
    spent = ", ".join(f"{name} {times[name]:.0f} ms" for name in PROCESSES.values())
    print(f"    on the processors until the last of these: {spent}")


def _sixty(number: int) -> list[bytes]:
    return [_png(1000 + DROP * number + place) for place in range(DROP)]


def _png(seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray((phantom(1024, 1024, seed=seed) >> 4).astype("uint8")).save(file, "PNG")
    return file.getvalue()


def _large(seed: int) -> bytes:
    values = 16 * phantom(2500, 2000, seed=seed).astype("uint16")
    elements = {"BitsStored": 16, "HighBit": 15, "WindowCenter": 32768, "WindowWidth": 65536}
    return phantom_dicom(values=values, **elements)


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
