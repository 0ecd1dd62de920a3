"""Photograph the screens that docs/ shows: ``python docs/make_screens.py [NAME ...]``. Needs Chromium and Playwright.

The app is served with a folder of its own. Images are phantoms, patients are made up; runs are those that come with the
program. Each picture is a WEBP file under 200 kB.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.stored_pages import make_store
from cxr_core.imaging import phantom, phantom_dicom
from cxr_core.settings import settings
from cxr_core.store.pacs_store import PacsStore
from tests.browser import browsing, open_front_page, serving, upload, wait_until_drawn
from tests.received import built, order, received

FOLDER = Path(__file__).resolve().parent
QUALITY = 88
"""Of WEBP: letters are sharp, and the colour of a heat map has no steps."""
PATIENTS = (("Doe^Jane", "4711", "F"), ("Roe^Richard", "4712", "M"), ("Poe^Edgar", "4713", "M"))


def main(names: list[str]) -> int:
    """Write the pictures of those names, or all, beside the manual."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("No picture was made: Chromium is not installed.")
    for name in names or SCREENS:
        SCREENS[name](chromium)
    return 0


def reading_page(chromium: str) -> None:
    """Photograph the page "Second opinion" with the first finding of the phantom chosen, after its small changes."""
    with _served() as address, browsing(chromium) as page:
        open_front_page(page, address)
        upload(page, ("phantom.dcm", phantom_dicom(1024, 896)))
        _choose_first_finding(page)
        page.mouse.move(0, 0)
        _save(page, "second-opinion.webp")


def phone(chromium: str) -> None:
    """Photograph the same page on a telephone."""
    with _served() as address, browsing(chromium, 390, 844, has_touch=True, is_mobile=True) as page:
        open_front_page(page, address)
        upload(page, ("phantom.dcm", phantom_dicom(1024, 896)))
        page.wait_for_selector(".findings .row")
        _rest(page)
        _save(page, "screen-phone.webp")


def worklist(chromium: str) -> None:
    """Photograph a worklist of three patients with priors, beside the image of one with its prior."""
    with _served() as address, browsing(chromium) as page:
        open_front_page(page, address)
        upload(page, *_studies())
        page.wait_for_selector(".worklist .entry:is(.read, .refused, .unreadable) >> nth=6")
        _rest(page)
        page.locator(".worklist .entry", has_text="doe-2026.dcm").click()
        page.wait_for_selector('[data-do="compare"]:not([disabled])')
        page.locator("canvas.radiograph").hover()
        page.keyboard.press("v")
        page.wait_for_selector("canvas.prior[data-sha]")
        page.mouse.move(0, 0)
        _rest(page)
        _save(page, "screen-worklist.webp")


def evaluation(chromium: str) -> None:
    """Photograph the page Evaluation with the newest run that comes with the program."""
    with _served() as address, browsing(chromium) as page:
        page.goto(f"{address}/evaluation")
        page.wait_for_selector(".js-plotly-plot .main-svg", timeout=300_000)
        wait_until_drawn(page)
        _save(page, "screen-evaluation.webp")


def monitoring(chromium: str) -> None:
    """Photograph the page Monitoring with made-up reads of some weeks."""
    with _stored(SECOND_READ_KEEP="store", SECOND_READ_KEEP_DAYS="9999") as environment:
        make_store(1200)
        with serving(**environment) as address, browsing(chromium) as page:
            page.goto(f"{address}/monitoring")
            page.wait_for_selector(".js-plotly-plot .main-svg", timeout=300_000)
            wait_until_drawn(page)
            _save(page, "screen-monitoring.webp")


def pacs(chromium: str) -> None:
    """Photograph the page PACS: images that wait, jobs that are done, one that is parked, and an alarm."""
    # nobody listens to port 9
    with _stored(SECOND_READ_PACS="ARCHIVE@127.0.0.1:9") as environment:
        with closing(PacsStore()) as store:
            for number in range(1, 8):
                instance = store.add_instance(received(number), f"AE CR{number % 2 + 1}").instance
                store.plan(instance.sop_instance_uid, [order()])
            for number in range(5):
                _work(store, parked=number == 3)
            store.add_instance(received(2, seed=1), "AE CR1")
        with serving(**environment) as address, browsing(chromium) as page:
            page.goto(f"{address}/pacs")
            page.wait_for_selector("text=Parked")
            wait_until_drawn(page)
            _save(page, "screen-pacs.webp")


SCREENS: dict[str, Callable[[str], None]] = {
    "reading": reading_page,
    "phone": phone,
    "worklist": worklist,
    "evaluation": evaluation,
    "monitoring": monitoring,
    "pacs": pacs,
}


def _studies() -> list[tuple[str, bytes]]:
    """Return the files of three patients, each with a study of this year and one of last year."""
    files = []
    for number, (name, patient, sex) in enumerate(PATIENTS):
        for year in (2025, 2026):
            study = f"1.2.826.0.1.3680043.8.498.{year}.{number}"
            values = phantom(1024 + 64 * number, 896, seed=10 * number + year)
            data = phantom_dicom(
                values=values, PatientName=name, PatientID=patient, PatientSex=sex, StudyDate=f"{year}112{number}",
                StudyDescription="Chest PA", StudyInstanceUID=study, SOPInstanceUID=f"{study}.1",
            )  # fmt: skip
            files.append((f"{name.partition('^')[0].lower()}-{year}.dcm", data))
    return [*files, ("letter.txt", b"no image")]


def _work(store: PacsStore, *, parked: bool) -> None:
    """Do the next job, with a result that is verified; or have it fail for good."""
    job = store.lease("worker-1", 60)
    for state in ("read", "built", "sent", "verified"):
        job = store.advance(job, state, results=[built()] if state == "built" else ())
        if state == "built" and parked:
            store.fail(job, "ARCHIVE@127.0.0.1:9 has this study under another patient.", None)
            return
        for result in store.results(job.id) if state == "built" else ():
            store.mark_result(job, result, "sent")
            store.mark_result(job, result, "verified")


@contextmanager
def _served(**environment: str) -> Iterator[str]:
    """Serve the app with a folder of its own."""
    with _stored(**environment) as own, serving(**own) as address:
        yield address


@contextmanager
def _stored(**environment: str) -> Iterator[dict[str, str]]:
    """Give the environment of an app with a folder of its own, which is this process' environment too."""
    with tempfile.TemporaryDirectory() as home:
        before = dict(os.environ)
        for name in [name for name in before if name.startswith("SECOND_READ_")]:
            del os.environ[name]
        own = {"SECOND_READ_HOME": home, **environment}
        os.environ.update(own)
        settings.cache_clear()
        try:
            yield own
        finally:
            os.environ.clear()
            os.environ.update(before)
            settings.cache_clear()


def _choose_first_finding(page) -> None:
    page.locator(".findings .row").first.click()
    page.wait_for_selector('canvas.radiograph[data-map="on"]')
    page.wait_for_selector("text=Small changes of the image: the state of")
    _rest(page)


def _rest(page) -> None:
    """Wait until nothing moves any more: small changes are read once the answer is on the screen."""
    wait_until_drawn(page)
    page.wait_for_timeout(3000)


def _save(page, name: str) -> None:
    with Image.open(io.BytesIO(page.screenshot())) as image:
        image.convert("RGB").save(FOLDER / name, quality=QUALITY, method=6)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
