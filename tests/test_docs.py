"""The site of docs: what checks a built site, and what the built one asks of a browser."""

import importlib.util
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import PROJECT, missing

DOCS, SITE = PROJECT / "docs", PROJECT / "build" / "docs"


@pytest.fixture(scope="module")
def check():
    """The script that make docs runs over the built site."""
    spec = importlib.util.spec_from_file_location("check_site", DOCS / "check_site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("a.html", '<link rel="stylesheet" href="https://fonts.example.org/css">'),
        ("a.html", '<link rel="preconnect" href="//fonts.example.org">'),
        ("a.html", '<script src="//cdn.example.org/a.js"></script>'),
        ("a.html", '<img srcset="a.png 1x, https://example.org/b.png 2x">'),
        ("a.html", '<img src="http://example.org/a.png">'),
        ("a.html", '<iframe src="https://example.org"></iframe>'),
        ("a.html", '<object data="https://example.org"></object>'),
        ("a.html", '<form action="https://example.org"></form>'),
        ("a.html", '<p style="background: url(https://example.org/a.png)">'),
        ("a.html", '<style>@import "https://example.org/a.css";</style>'),
        ("a.html", '<script>fetch("https://example.org")</script>'),
        ("a.html", "<script>new WebSocket(`wss://example.org`)</script>"),
        ("a.html", '<svg><image href="https://example.org/a.png"/></svg>'),
        ("a.html", '<meta http-equiv="refresh" content="0; url=https://example.org">'),
        ("a.html", '<base href="https://example.org">'),
        ("a.css", "@font-face { src: url('https://fonts.example.org/a.woff2') }"),
        ("a.js", 'import("https://cdn.example.org/a.js")'),
        ("a.js", "import { a } from 'https://cdn.example.org/a.js'"),
        ("a.js", 'request.open("GET", "https://example.org")'),
        ("a.svg", '<svg><image xlink:href="https://example.org/a.png"/></svg>'),
    ],
)
def test_what_a_page_would_load_from_elsewhere_is_named(tmp_path, check, capsys, file, content):
    (tmp_path / "index.html").write_text('<a href="https://example.org">a link is no load</a>')
    assert check.main(tmp_path) == 0
    (tmp_path / "a.png").touch()
    (tmp_path / file).write_text(content)
    capsys.readouterr()
    assert check.main(tmp_path) == 1
    out = capsys.readouterr().out
    assert f"{file}: loads " in out
    assert "example.org" in out


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nothing.html", "no such file"),
        ("b.html#nowhere", "no such place"),
        ("#nowhere", "no such place"),
        ("../outside.html", "no such file"),
        ("folder/", "no such file"),
    ],
)
def test_a_link_that_leads_nowhere_is_named(tmp_path, check, capsys, address, words):
    site = tmp_path / "site"
    (site / "folder").mkdir(parents=True)
    (tmp_path / "outside.html").touch()
    (site / "b.html").write_text('<h1 id="here">b</h1><a href="a.html"></a><a href="#here"></a>')
    (site / "a.html").write_text('<a href="b.html#here"></a><a href="b.html"></a><a href="mailto:a@example.org"></a>')
    assert check.main(site) == 0
    assert "2 pages" in capsys.readouterr().out
    (site / "a.html").write_text(f'<a href="{address}"></a>')
    assert check.main(site) == 1
    assert f"a.html: {address}: {words}" in capsys.readouterr().out


def test_a_folder_without_a_page_is_no_site(tmp_path, check, capsys):
    assert check.main(tmp_path) == 1
    assert "no page" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted([*DOCS.glob("*.png"), *DOCS.glob("*.webp")]), ids=lambda path: path.name)
def test_a_picture_is_small_described_and_shown(path):
    assert path.stat().st_size < 200_000 or path.name.startswith("pixels-")
    with Image.open(path) as image:
        assert image.width <= 1440
    shown = [
        words
        for page in DOCS.glob("*.md")
        for words, name in re.findall(r"!\[([^\]]*)\]\(([\w-]+\.(?:png|webp))\)", page.read_text())
        if name == path.name
    ]
    assert shown
    assert all(len(words.split()) > 5 for words in shown)


def test_the_examples_of_the_python_api_run(tmp_path, monkeypatch, capsys):
    from cxr_core.imaging import phantom_dicom

    monkeypatch.chdir(tmp_path)
    (tmp_path / "image.dcm").write_bytes(phantom_dicom(256, 224))
    examples = re.findall(r"^```python\n(.*?)^```", (DOCS / "python-api.md").read_text(), re.S | re.M)
    assert len(examples) == 2
    for example in examples:
        exec(compile(example, "python-api.md", "exec"), {})
    out = capsys.readouterr().out
    assert re.search(r"^Effusion 0\.\d+ (above|below|not_evaluated)$", out, re.M)
    assert "Estimate(value=0." in out


@pytest.fixture
def site():
    """The folder of the built site."""
    if not (SITE / "index.html").is_file():
        missing("docs", "the site is not built (make docs)")
    return SITE


def test_every_public_name_of_the_api_is_on_the_built_site(site):
    spec = importlib.util.spec_from_file_location("conf", DOCS / "conf.py")
    conf = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conf)
    listed = (DOCS / "python-api.md").read_text()
    for name in sorted(conf.PUBLIC - {"cxr_core"}):
        assert f"{{py:mod}}`{name}`" in listed
        page = (site / "api" / Path(*name.split(".")) / "index.html").read_text()
        lacking = [each for each in importlib.import_module(name).__all__ if f'id="{name}.{each}"' not in page]
        assert lacking == [], name


@pytest.mark.e2e
def test_the_built_site_asks_for_nothing_from_elsewhere(chromium, site):
    """Every page is opened, its search too, and scripts run."""
    from tests.browser import browsing

    asked = []
    with browsing(chromium) as page:
        page.on("request", lambda request: asked.append(request.url))
        for file in sorted(site.glob("*.html")):
            page.goto(file.as_uri())
        page.goto(f"{(site / 'search.html').as_uri()}?q=threshold")
        page.wait_for_selector("#search-results li a")
    elsewhere = [url for url in asked if not url.startswith((site.as_uri(), "data:"))]
    assert elsewhere == []
    assert len(asked) > 100
