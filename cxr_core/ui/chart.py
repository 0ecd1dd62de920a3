"""Displays on a page: title, figure, notes, and downloads of numbers and figure."""

from __future__ import annotations

from contextlib import nullcontext
from html import escape

import streamlit as st

from ..displays import Display, as_png, as_svg, plotly_figure
from ..displays.marks import Chart
from ..labels import NOTICE
from ..table_files import frame_csv
from .addresses import figure_address, show_if_addressed
from .chrome import small, table
from .downloads import download_button

__all__ = ["show_display", "show_panels"]

_PLAIN = {"displayModeBar": False}


def show_display(display: Display, key: str, chart: Chart | None = None) -> None:
    """Draw a display at full width.

    Args:
        display: the display.
        key: unique on the page; also the name of the downloaded files and of the figure in its address.
        chart: a chart of the display other than its default one.
    """
    chart = display.chart() if chart is None else chart
    _heading(display, chart, key)
    if _is_empty(chart):
        return
    # page.css shows the figure on a wide screen and the table on a narrow one
    with st.container(key=f"sr-wide-{key}") if chart.table_rows else nullcontext():
        st.plotly_chart(plotly_figure(chart), theme=None, config=_PLAIN, alt=chart.alt, key=f"{key}-figure")
    if chart.table_rows:
        with st.container(key=f"sr-narrow-{key}"):
            headings, *rows = chart.table_rows
            table(headings, [tuple(map(escape, row)) for row in rows], numbers=len(headings) - 1)
    _notes(chart)


def show_panels(display: Display, key: str, width: int, height: int | None = None, chart: Chart | None = None) -> None:
    """Draw each panel as a figure of a width and height in pixels, as many per row as fit."""
    chart = display.chart() if chart is None else chart
    _heading(display, chart, key)
    if _is_empty(chart):
        return
    with st.container(horizontal=True, gap="small"):
        for number, panel in enumerate(chart.split()):
            figure = plotly_figure(panel)
            if height is not None:
                figure.update_layout(height=height)
            st.plotly_chart(
                figure,
                theme=None,
                config=_PLAIN,
                # many small panels have a short text alternative each
                alt=panel.title if chart.small else panel.alt,
                width=width,
                key=f"{key}-figure-{number}",
            )
    _notes(chart)


def _is_empty(chart: Chart) -> bool:
    """Return whether no panel has anything to draw; then the reason is written instead of empty axes."""
    if any(panel.marks for panel in chart.panels):
        return False
    messages = dict.fromkeys(panel.message for panel in chart.panels if panel.message)
    small(f"Nothing to draw: {'; '.join(messages) or 'no data'}.".replace("..", "."))
    return True


def _heading(display: Display, chart: Chart, key: str) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small"):
        st.html(f'<h2 class="sr-chart">{escape(chart.title)}</h2>', width="stretch")
        show_if_addressed(key)
        menu = st.popover("Download", type="tertiary", icon=":material/download:", key=f"{key}-download")
    with menu:
        for title, kind, mime, make in (
            ("Numbers, CSV", "csv", "text/csv", lambda: _csv(display, chart)),
            ("Figure, SVG", "svg", "image/svg+xml", lambda: as_svg(chart)),
            ("Figure, PNG", "png", "image/png", lambda: as_png(chart)),
        ):
            download_button(title, make, f"figure-{key}-{kind}", f"{key}.{kind}", mime, required=True)
        small("Link to this figure")
        st.code(figure_address(key), language=None, wrap_lines=True)


def _csv(display: Display, chart: Chart) -> str:
    frame = display.table()
    frame["notes"] = "; ".join(chart.notes)
    frame["notice"] = NOTICE
    return frame_csv(frame)


def _notes(chart: Chart) -> None:
    if lines := chart.footer():
        st.html(f'<div class="sr-small">{"<br>".join(map(escape, lines))}</div>')
