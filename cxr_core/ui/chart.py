"""A display on a page: the figure, what must stand beside it, and what may be taken along of it."""

from __future__ import annotations

from contextlib import nullcontext
from html import escape

import streamlit as st

from ..csv_text import frame_csv
from ..displays import Display, as_png, as_svg, on_screen
from ..displays.marks import Chart
from ..labels import NOTICE
from .audited import audited
from .tables import table

__all__ = ["numbers_table", "show", "show_apart"]

_PLAIN = {"displayModeBar": False}


def show(display: Display, key: str, chart: Chart | None = None) -> None:
    """Draw a display as wide as its place.

    Args:
        display: what is drawn.
        key: unique on the page; names the files that are taken along.
        chart: one of the display's charts, if not the usual one.
    """
    chart = display.chart() if chart is None else chart
    _head(display, chart, key)
    # page.css shows the one or the other
    with st.container(key=f"sr-wide-{key}") if chart.listed else nullcontext():
        st.plotly_chart(on_screen(chart), theme=None, config=_PLAIN, alt=chart.alt, key=f"{key}-figure")
    if chart.listed:
        with st.container(key=f"sr-narrow-{key}"):
            heads, *rows = chart.listed
            table(heads, [tuple(map(escape, row)) for row in rows], numbers=len(heads) - 1)
    _notes(chart)


def show_apart(display: Display, key: str, width: int, height: int | None = None, chart: Chart | None = None) -> None:
    """Draw each panel by itself, of so many pixels, as many in a row as there is room for."""
    chart = display.chart() if chart is None else chart
    _head(display, chart, key)
    with st.container(horizontal=True, gap="small"):
        for number, part in enumerate(chart.apart()):
            figure = on_screen(part)
            if height is not None:
                figure.update_layout(height=height)
            st.plotly_chart(
                figure,
                theme=None,
                config=_PLAIN,
                # of many small ones each is told in few words
                alt=part.title if chart.small else f"{part.title}. {part.alt}",
                width=width,
                key=f"{key}-figure-{number}",
            )
    _notes(chart)


def numbers_table(numbers: dict[str, str]) -> None:
    """Write numbers that are words already, one a line."""
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(words)}</td></tr>" for name, words in numbers.items())
    st.html(f'<table class="sr-table">{rows}</table>')


def _head(display: Display, chart: Chart, key: str) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small"):
        st.html(f'<h3 class="sr-chart">{escape(chart.title)}</h3>', width="content")
        take = st.popover("Take along", type="tertiary", icon=":material/download:", key=f"{key}-take")
    with take:
        for words, name, mime, make in (
            ("Numbers, CSV", "csv", "text/csv", lambda: _csv(display, chart)),
            ("Figure, SVG", "svg", "image/svg+xml", lambda: as_svg(chart)),
            ("Figure, PNG", "png", "image/png", lambda: as_png(chart)),
        ):
            st.download_button(
                words,
                audited(make, f"figure-{key}-{name}", required=True),
                file_name=f"{key}.{name}",
                mime=mime,
                on_click="ignore",
                width="stretch",
                key=f"{key}-{name}",
            )


def _csv(display: Display, chart: Chart) -> str:
    frame = display.table()
    frame["notes"] = "; ".join(chart.notes)
    frame["notice"] = NOTICE
    return frame_csv(frame)


def _notes(chart: Chart) -> None:
    if words := chart.below():
        st.html(f'<div class="sr-small">{"<br>".join(map(escape, words))}</div>')
