"""Check the pages of a built site: ``python docs/check_site.py build/docs``; part of ``make docs``.

Whoever reads the site tells nobody: a page loads nothing from another address, neither fonts nor scripts, styles or
images. And every link within the site leads to a page, and to a place on it, that is there.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADING = {"src", "srcset", "data", "poster", "action", "formaction", "background", "ping", "manifest"}
"""Attributes of which a browser loads, or sends to, the address. ``href`` does so in ``link``, and waits in ``a``."""

NOTHING_LOADED = {"canonical", "next", "prev", "author", "search", "index"}
"""Relations of a ``link`` that is for programs: a browser does not follow it."""

_IN_STYLES = re.compile(r"""(?:url\(|@import)\s*["']?([^"')\s;]+)""")
_IN_SCRIPTS = re.compile(
    r"""(?:fetch|import|importScripts|sendBeacon|WebSocket|EventSource|open)\s*\(\s*["'`](?:\w+["'`]\s*,\s*["'`])?"""
    r"""((?:https?:|wss?:)?//[^"'`]+)|\bfrom\s*["']((?:https?:)?//[^"']+)"""
)


def main(folder: Path) -> int:
    """Print what is wrong with a site, one line each; 1 where anything is."""
    pages = sorted(folder.rglob("*.html"))
    problems = sorted({*loaded_from_elsewhere(folder), *broken_links(folder)})
    for problem in problems:
        print(problem)
    if not pages:
        print(f"{folder}: no page")
    if not problems and pages:
        print(f"{folder}: {len(pages)} pages; every link within leads somewhere, nothing is loaded from elsewhere")
    return int(bool(problems) or not pages)


class Page(HTMLParser):
    """What a page loads, where it links to, and the places on it.

    Attributes:
        loads: addresses that a browser loads while it shows the page.
        links: addresses that a reader may follow.
        places: ids, and names of anchors.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses and ids of an element."""
        values = {name: value or "" for name, value in attrs}
        self._inside = tag
        self.places |= {values[name] for name in ("id", "name") if name in values}
        self.loads += [address for name in LOADING & values.keys() for address in _addresses(name, values[name])]
        self.loads += _IN_STYLES.findall(values.get("style", ""))
        if tag == "link" and not set(values.get("rel", "").split()) <= NOTHING_LOADED:
            self.loads.append(values.get("href", ""))
        elif tag in ("a", "area", "link") and "href" in values:
            self.links.append(values["href"])
        elif tag in ("use", "image") and {"href", "xlink:href"} & values.keys():
            self.loads.append(values.get("href") or values.get("xlink:href", ""))
        elif tag == "meta" and values.get("http-equiv", "").lower() == "refresh":
            self.loads.append(values.get("content", "").partition("=")[2])
        elif tag == "base":
            self.loads.append(values.get("href", ""))

    def handle_data(self, data: str) -> None:
        """Note the addresses in styles and scripts that stand in the page."""
        if self._inside == "style":
            self.loads += _IN_STYLES.findall(data)
        elif self._inside == "script":
            self.loads += _of_script(data)

    def handle_endtag(self, tag: str) -> None:
        """Leave a style or script."""
        self._inside = ""


def loaded_from_elsewhere(folder: Path) -> Iterator[str]:
    """Yield a line for each address outside the site that a page, a style or a script of it loads."""
    for file in sorted(folder.rglob("*")):
        if file.suffix in (".html", ".svg"):
            found = Page(file.read_text()).loads
        elif file.suffix == ".css":
            found = _IN_STYLES.findall(file.read_text())
        elif file.suffix == ".js":
            found = _of_script(file.read_text())
        else:
            continue
        for address in found:
            parts = urlsplit(address)
            if parts.netloc or parts.scheme not in ("", "data"):
                yield f"{file.relative_to(folder)}: loads {address}"


def broken_links(folder: Path) -> Iterator[str]:
    """Yield a line for each link, or file that is loaded, that leads nowhere within the site."""
    pages = {file.resolve(): Page(file.read_text()) for file in folder.rglob("*.html")}
    for file, page in pages.items():
        for address in {*page.links, *page.loads}:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            name = f"{file.relative_to(folder.resolve())}: {address}"
            if not target.is_relative_to(folder.resolve()) or not target.is_file():
                yield f"{name}: no such file"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].places:
                yield f"{name}: no such place on the page"


def _addresses(attribute: str, value: str) -> list[str]:
    return [each.split()[0] for each in value.split(",") if each.strip()] if attribute == "srcset" else [value]


def _of_script(text: str) -> list[str]:
    return [called or imported for called, imported in _IN_SCRIPTS.findall(text)]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
