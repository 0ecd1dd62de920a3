"""Draw docs/rooms.svg, the rooms of ``cxr_core`` and their imports: ``python docs/make_rooms.py``.

An arrow leads from a room to one that it imports. Imports that also follow from a chain of arrows are not drawn.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from xml.sax.saxutils import escape

import grimp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PICTURE = Path(__file__).resolve().parent / "rooms.svg"
PACKAGE = "cxr_core"
SUBJECTS = {
    "access": "roles, audit trail",
    "archive": "many files to readings",
    "calibration": "scores to probabilities",
    "cli": "the commands",
    "datasets": "tables, splits, leakage",
    "displays": "numbers to figures",
    "evaluation": "model and data to runs",
    "explain": "heat maps",
    "imaging": "bytes to radiographs",
    "metrics": "numbers with intervals",
    "model": "radiograph to reading",
    "monitoring": "reads over time",
    "operations": "probes, doctor, metrics",
    "pacs": "DICOM network",
    "pretrained": "published weights",
    "quantisation": "float32 to INT8",
    "reading": "bytes to reading",
    "reading_queue": "whose image is next",
    "report": "readings to files",
    "store": "runs and predictions",
    "studies": "patient, visit, priors",
    "training": "data set to weights",
    "ui": "what pages share",
}
"""Rooms that are drawn, with their subjects; other modules of the package are small tools used by all."""

WIDTH, MARGIN, BOX_WIDTH, BOX_HEIGHT, ROW_HEIGHT, GAP = 960, 16, 168, 46, 92, 20


def main() -> int:
    """Write the picture."""
    PICTURE.write_text(svg(imports()))
    return 0


def imports() -> dict[str, set[str]]:
    """Return for each room the rooms that its modules import."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    found: dict[str, set[str]] = {room: set() for room in SUBJECTS}
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            room, other = _room(module), _room(imported)
            if room in found and other in found and room != other:
                found[room].add(other)
    return found


def _room(module: str) -> str:
    return module.removeprefix(f"{PACKAGE}.").partition(".")[0]


def reduced(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the graph without edges that also follow from a longer path; the graph has no circle."""
    reach: dict[str, set[str]] = {}

    def reachable(room: str) -> set[str]:
        if room not in reach:
            reach[room] = graph[room].union(*(reachable(other) for other in graph[room]))
        return reach[room]

    return {
        room: {other for other in others if not any(other in reachable(via) for via in others - {other})}
        for room, others in graph.items()
    }


def svg(graph: dict[str, set[str]]) -> str:
    """Return the picture; rooms that import no other are on top, so that data flows down."""
    edges = reduced(graph)
    depth: dict[str, int] = {}

    def level(room: str) -> int:
        if room not in depth:
            depth[room] = 1 + max((level(other) for other in edges[room]), default=-1)
        return depth[room]

    rows = defaultdict(list)
    for room in sorted(graph):
        rows[level(room)].append(room)
    place = {}
    for row, rooms in rows.items():
        width = len(rooms) * BOX_WIDTH + (len(rooms) - 1) * GAP
        for number, room in enumerate(rooms):
            place[room] = ((WIDTH - width) / 2 + number * (BOX_WIDTH + GAP), MARGIN + row * ROW_HEIGHT)
    height = 2 * MARGIN + (len(rows) - 1) * ROW_HEIGHT + BOX_HEIGHT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
        "<title>The rooms of cxr_core and their imports</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#0072B2"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for room in sorted(edges):
        for other in sorted(edges[room]):
            (x, y), (to_x, to_y) = place[room], place[other]
            x, to_x, to_y = x + BOX_WIDTH / 2, to_x + BOX_WIDTH / 2, to_y + BOX_HEIGHT
            bend = (y - to_y) / 2
            lines.append(
                f'<path d="M{x:g} {y:g} C{x:g} {y - bend:g} {to_x:g} {to_y + bend:g} {to_x:g} {to_y:g}" '
                'fill="none" stroke="#0072B2" stroke-width="1.3" marker-end="url(#tip)"/>'
            )
    for room, (x, y) in sorted(place.items()):
        middle = x + BOX_WIDTH / 2
        lines += [
            f'<rect x="{x:g}" y="{y:g}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6" fill="#eef4fa" '
            'stroke="#33475b"/>',
            f'<text x="{middle:g}" y="{y + 19:g}" text-anchor="middle" font-size="15" font-weight="bold">'
            f"{escape(room)}</text>",
            f'<text x="{middle:g}" y="{y + 36:g}" text-anchor="middle" font-size="12">{escape(SUBJECTS[room])}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    sys.exit(main())
