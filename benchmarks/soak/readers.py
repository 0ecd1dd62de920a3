"""Many readers at once: 40 tabs, each with another image every ten seconds, for five minutes. Run by ``make soak``.

A few tabs are Chromium, the others ask the routes of the page and run its script (:mod:`tests.protocol`). No image
comes twice. What it is to give was worked out beforehand: a tab fails where its image, its maps or its words are not
exactly those. The tabs and the server share the processors; the time that the tabs take is in the answers' times.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import random
import resource
import shutil
import statistics
import sys
import time
from dataclasses import dataclass, field
from functools import lru_cache

import httpx
import numpy as np

from benchmarks.soak.server import Server, served
from cxr_core.imaging import phantom, phantom_dicom
from cxr_core.model import shared_predictor
from cxr_core.reading import read_image
from cxr_core.ui.findings import findings_message
from cxr_core.ui.viewer import alt_text, encode_image
from tests.protocol import Reader

EVERY = 10.0
"""Seconds between two images of a tab."""
KEPT_SECONDS = 20
"""For so long the server keeps a closed tab here; two minutes are the default."""
SHAPE = 1024, 896


@dataclass(frozen=True)
class Answer:
    """What an image is to give: digests of the viewer's message and of the findings with their maps."""

    image: str
    picture: str
    findings: str


@dataclass
class Tally:
    """What the tabs have seen."""

    seconds: list[float] = field(default_factory=list)
    in_browsers: list[float] = field(default_factory=list)
    waits: int = 0
    busy: int = 0
    wrong: list[str] = field(default_factory=list)


def main() -> int:
    """Print the figures; status 1 where an answer was wrong, or none came."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sessions", type=int, default=40)
    arguments.add_argument("--browsers", type=int, default=2, help="how many of them are Chromium")
    arguments.add_argument("--minutes", type=float, default=5)
    given = arguments.parse_args()
    chromium = shutil.which("chromium")
    if given.browsers and chromium is None:
        print("Chromium is not installed", file=sys.stderr)
        return 4
    each = max(1, round(given.minutes * 60 / EVERY))
    images = [[tab * each + number for number in range(each)] for tab in range(given.sessions)]
    expected, alone = worked_out([number for tab in images for number in tab])
    with served("--server.disconnectedSessionTTL", str(KEPT_SECONDS)) as server:
        tally, figures = asyncio.run(soak(server, images, given.browsers, chromium, expected))
        # five seconds more than Streamlit, and some to do it
        time.sleep(KEPT_SECONDS + 10)
        after = server.memory_mb()
    count, asked = len(tally.seconds), sum(map(len, images))
    slowest = statistics.quantiles(tally.seconds, n=10)[-1] if count > 1 else float("nan")
    rows = (
        ("tabs at once, of which Chromium", f"{given.sessions}, {given.browsers}"),
        ("images uploaded, answers", f"{asked}, {count}"),
        ("errors, answers of another image", str(len(tally.wrong))),
        ("answers for which words of waiting were shown, of a full queue", f"{tally.waits}, {tally.busy}"),
        ("one read, nothing else running", f"{1000 * alone:.0f} ms"),
        ("upload to answer, median", f"{statistics.median(tally.seconds):.2f} s"),
        ("the slowest tenth takes at least", f"{slowest:.2f} s"),
        (f"of {given.sessions} images one after the other", f"{slowest / (given.sessions * alone):.2f} times"),
        ("the slowest", f"{max(tally.seconds):.2f} s"),
        ("in Chromium, until it is drawn, median", f"{statistics.median(tally.in_browsers or [float('nan')]):.2f} s"),
        ("processor of the server, an image", f"{1000 * figures['server'] / max(1, count):.0f} ms"),
        ("processor of the tabs without a browser, an image", f"{1000 * figures['tabs'] / max(1, count):.0f} ms"),
        ("memory of the server after one image, most", f"{figures['before']:.0f}, {figures['most']:.0f} MB"),
        ("memory once the tabs were closed for good", f"{after:.0f} MB"),
    )
    size = f"{SHAPE[0]} x {SHAPE[1]}"
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[1]:.1f}; images of {size}, every {EVERY:g} s a tab")
    for what, figure in rows:
        print(f"| {what} | {figure} |")
    for line in tally.wrong[:20]:
        print(line)
    return int(bool(tally.wrong) or count < asked)


def image(number: int) -> bytes:
    """Return an image that no other number gives: a shadow of its own in one of a few phantoms."""
    rng = np.random.default_rng(number)
    values = _phantom(number % 8).copy()
    rows, columns = SHAPE
    y, x = rng.uniform(0.25, 0.7) * rows, rng.uniform(0.2, 0.8) * columns
    size, height = rng.uniform(20, 90), rng.uniform(-500, 700)
    grid = np.mgrid[0:rows, 0:columns]
    values += height * np.exp(-((grid[0] - y) ** 2 + (grid[1] - x) ** 2) / (2 * size**2))
    return phantom_dicom(values=np.clip(values, 0, 4095).astype(np.uint16))


@lru_cache(maxsize=8)
def _phantom(seed: int) -> np.ndarray:
    return phantom(*SHAPE, seed=seed).astype(np.float64)


def worked_out(numbers: list[int]) -> tuple[dict[int, Answer], float]:
    """Return what each image is to give, and the median time of a read."""
    predictor, answers, seconds = shared_predictor(), {}, []
    for done, number in enumerate(numbers):
        data = image(number)
        start = time.perf_counter()
        radiograph, reading = read_image(data, predictor)
        seconds.append(time.perf_counter() - start)
        message = findings_message(reading, predictor.card, None)
        picture = encode_image(radiograph, alt=alt_text(radiograph))
        answers[number] = Answer(reading.sha256, hashlib.sha256(picture).hexdigest(), canonical(message))
        if done % 50 == 49:
            print(f"worked out {done + 1} of {len(numbers)} images", file=sys.stderr)
    if len({answer.findings for answer in answers.values()}) < len(numbers):
        raise RuntimeError("two images give the same answer, so that one could be taken for the other")
    return answers, statistics.median(seconds)


def canonical(message: dict[str, object]) -> str:
    """Return a digest of a findings message, without the marks of small changes, which come after the answer.

    Numbers count as numbers, in whichever way they are written.
    """
    marks = ("unstable", "unstableText")
    rows = [{key: value for key, value in row.items() if key not in marks} for row in message["rows"]]

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {key: plain(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [plain(part) for part in value]
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    return hashlib.sha256(json.dumps(plain(message | {"rows": rows}), sort_keys=True).encode()).hexdigest()


async def soak(
    server: Server, images: list[list[int]], browsers: int, chromium: str | None, expected: dict[int, Answer]
) -> tuple[Tally, dict[str, float]]:
    """Run all tabs to their end, and return what they saw with the figures of the server."""
    tally = Tally()
    # the model is loaded, and an image read, before anybody is timed
    async with Reader(server.address) as reader:
        read = await reader.read("image.dcm", image(-1 % 2**32))
        await reader.pixels(read["id"])
        await reader.rerun()
        await reader.until(lambda run: run.finished)
    figures = {"before": server.memory_mb()}
    busy, own_seconds = server.processor_seconds(), _own_seconds()
    start = time.monotonic() + 5
    tabs = [tab(server.address, mine, start, expected, tally) for mine in images[browsers:]]
    if browsers:
        tabs.append(in_browsers(server.address, chromium, images[:browsers], start, expected, tally))
    await asyncio.gather(*tabs)
    figures |= {"server": server.processor_seconds() - busy, "tabs": _own_seconds() - own_seconds}
    return tally, figures | {"most": server.memory_mb("VmHWM")}


async def tab(address: str, images: list[int], start: float, expected: dict[int, Answer], tally: Tally) -> None:
    """One tab without a browser."""
    try:
        async with Reader(address) as reader:
            async for number in paced(images, start):
                data = await asyncio.to_thread(image, number)
                began = time.monotonic()
                read = await reader.read("image.dcm", data)
                picture = await reader.pixels(read["id"])
                tally.seconds.append(time.monotonic() - began)
                tally.waits += any(read["waited"])
                tally.busy += any(text.startswith("Server busy") for text in read["waited"])
                tally.wrong += wrong(read, picture, number, expected[number])
                # as the browser does once the answer is on the screen; what the page then reads under small changes is
                # given up when the reader goes on, so that nobody waits for it
                await reader.rerun()
                run = await reader.until(lambda run: run.finished or "Small changes of the image" in run.words(), 120)
                if any(element.WhichOneof("type") == "exception" for element in run.elements.values()):
                    tally.wrong.append(f"image {number}: an exception on the page")
    except httpx.RequestError as error:
        asked = f"{error.request.method} {error.request.url.path[:24]}"
        tally.wrong.append(f"a tab ended at {asked} with {type(error).__name__}: {error.__cause__!r}")
    except Exception as error:
        tally.wrong.append(f"a tab ended with {type(error).__name__}: {error}")


def wrong(read: dict, picture: bytes, number: int, answer: Answer) -> list[str]:
    """Return what is wrong with the answers of the routes for an image."""
    if read["id"] != answer.image or read["findings"]["sha"] != answer.image:
        return [f"image {number}: the findings of another image"]
    if canonical(read["findings"]) != answer.findings or hashlib.sha256(picture).hexdigest() != answer.picture:
        return [f"image {number}: findings, maps or picture are not those of the image"]
    return []


async def in_browsers(
    address: str, chromium: str, images: list[list[int]], start: float, expected: dict[int, Answer], tally: Tally
) -> None:
    """Run tabs of one Chromium."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        tabs = [_browser_tab(browser, address, mine, start, expected, tally) for mine in images]
        await asyncio.gather(*tabs)
        await browser.close()


async def _browser_tab(browser, address, images, start, expected, tally) -> None:
    try:
        page = await browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(120_000)
        page.on("pageerror", lambda error: tally.wrong.append(f"an error in the browser: {error}"))
        await page.goto(address)
        await page.wait_for_selector("text=A second opinion on a chest X-ray")
        async for number in paced(images, start):
            data = await asyncio.to_thread(image, number)
            payload = {"name": "image.dcm", "mimeType": "application/octet-stream", "buffer": data}
            began = time.monotonic()
            await page.locator("input[type=file]").first.set_input_files([payload])
            answer = expected[number]
            await page.wait_for_selector(f'canvas.radiograph[data-sha="{answer.image}"]:not([data-label=""])')
            tally.seconds.append(time.monotonic() - began)
            tally.in_browsers.append(tally.seconds[-1])
            maps = await page.evaluate("sha => window.secondRead.maps.get(sha)", answer.image)
            if canonical(maps) != answer.findings:
                tally.wrong.append(f"image {number}: the browser has other findings")
    except Exception as error:
        tally.wrong.append(f"a browser tab ended with {type(error).__name__}: {error}")


async def paced(images: list[int], start: float):
    """Give out a tab's images, one every ten seconds from a moment of its own; at once where it is late."""
    at = start + random.Random(images[0]).uniform(0, EVERY)
    for number in images:
        await asyncio.sleep(max(0, at - time.monotonic()))
        yield number
        at += EVERY


def _own_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
