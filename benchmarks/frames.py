"""How fast the viewer draws while a reader drags on an image of 3,000 x 3,000 pixels of 16 bits.

Run by ``make bench``. Chromium draws on the processor. A frame counts if the viewer drew in it; its time is that since
the frame before, as ``requestAnimationFrame`` says.
"""

from __future__ import annotations

import itertools
import math
import shutil
import sys

import numpy as np

from cxr_core.imaging import phantom, phantom_dicom
from tests.browser import browsing, open_front_page, serving, upload

SIDE = 3000
SECONDS = 4
DRAGS = (
    ("window, whole image", "fit", "left", ()),
    ("window, 1:1", "one", "left", ()),
    ("pan, 1:1", "one", "middle", ()),
    ("zoom", "fit", "right", ()),
    ("window, heat map in colour", "fit", "left", ('[data-style="colour"]',)),
)

RECORD = """(canvas, seconds) => {
  const frames = [], start = performance.now();
  let last = start, renders = canvas.dataset.renders;
  window.framesOfDrag = null;
  const step = now => {
    if (canvas.dataset.renders !== renders) frames.push(now - last);
    [renders, last] = [canvas.dataset.renders, now];
    if (now - start < 1000 * seconds) requestAnimationFrame(step); else window.framesOfDrag = frames;
  };
  requestAnimationFrame(step);
}"""


def main() -> int:
    """Print the figures."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("Chromium is not installed", file=sys.stderr)
        return 4
    print(f"frames while dragging on {SIDE} x {SIDE} pixels of 16 bits, canvas of the window at 1440 x 900, no GPU")
    with serving() as address, browsing(chromium) as page:
        open_front_page(page, address)
        upload(page, ("large.dcm", _image()))
        page.wait_for_selector('canvas.radiograph[data-pixels="full"]:not([data-label=""])')
        page.wait_for_timeout(5000)
        for name, zoom, button, clicks in DRAGS:
            for selector in (f'[data-do="{zoom}"]', *clicks):
                page.locator(selector).click()
            page.wait_for_timeout(500)
            times = _drag(page, button)
            median, slow = np.percentile(times, [50, 95])
            print(f"{name}: median {median:.1f} ms, 95th percentile {slow:.1f} ms of {len(times)} frames")
    return 0


def _image() -> bytes:
    """Return a radiograph whose values use 16 bits."""
    values = phantom(SIDE, SIDE).astype(np.uint16) * 16 + (np.arange(SIDE, dtype=np.uint16) % 16)
    elements = {"BitsStored": 16, "BitsAllocated": 16, "HighBit": 15, "WindowCenter": 32768, "WindowWidth": 65536}
    return phantom_dicom(values=values, **elements)


def _drag(page, button: str) -> np.ndarray:
    """Return the milliseconds of each frame that was drawn while the pointer goes round in a circle."""
    canvas = page.locator("canvas.radiograph")
    box = canvas.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(middle[0] + 60, middle[1])
    page.mouse.down(button=button)
    canvas.evaluate(RECORD, SECONDS)
    for turn in itertools.count():
        page.mouse.move(middle[0] + 60 * math.cos(turn / 12), middle[1] + 60 * math.sin(turn / 12))
        if turn % 20 == 0 and page.evaluate("() => window.framesOfDrag !== null"):
            break
    page.mouse.up(button=button)
    return np.array(page.evaluate("() => window.framesOfDrag"))


if __name__ == "__main__":
    sys.exit(main())
