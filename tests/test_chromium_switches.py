"""Chromium of the tests is started without all features that Playwright switches off, in whichever version it is."""

import re
from pathlib import Path

import playwright

from tests.browser import _WITHOUT


def test_the_features_that_playwright_switches_off_stay_off():
    # the last argument of the name alone counts, and that is the one of tests/browser.py
    bundle = Path(playwright.__file__).parent / "driver" / "package" / "lib" / "coreBundle.js"
    features = re.search(r"disabledFeatures = \[(.*?)\n *\]", bundle.read_text(), re.S)[1]
    of_playwright = set(re.findall(r'"(\w+)"', re.sub(r"//.*", "", features)))
    assert len(of_playwright) > 5
    # of Edge, and of Windows
    others = {name for name in of_playwright if name.startswith("ms") or name.endswith("Win")}
    assert of_playwright - others <= set(_WITHOUT.split(","))
