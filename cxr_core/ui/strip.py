"""The films that were dropped, as a strip to choose from."""

from __future__ import annotations

import streamlit as st

from .chrome import asset
from .worklist import Film, Worklist

__all__ = ["film_strip"]

_STRIP = st.components.v2.component(
    "second_read_strip",
    html='<div class="strip" role="listbox" aria-label="Films"></div>',
    css=asset("strip.css"),
    js="\n".join(asset(name) for name in ("store.js", "strip.js")),
)


def film_strip(films: Worklist, *, film_first: bool) -> None:
    """Show the films with what became of each; a click chooses one.

    With ``film_first`` nothing is said of findings that were not asked for.
    """

    def picked() -> None:
        pick = st.session_state["strip"].pick
        if pick:
            films.choose(pick)

    data = {
        "chosen": films.chosen,
        "films": [
            {
                "id": film.digest,
                "name": film.name,
                "status": film.status,
                "words": _words(film, film_first and not film.shown),
            }
            for film in films.films.values()
        ],
    }
    _STRIP(key="strip", data=data, on_pick_change=picked)


def _words(film: Film, hidden: bool) -> str:
    if film.status == "waiting":
        return "waiting"
    if film.reasons():
        return film.reasons()[0]
    if hidden:
        return "read: findings hidden"
    above, unsure = (sum(finding.state == state for finding in film.reading.findings) for state in ("above", "unsure"))
    concerns = len(film.reading.quality.reasons)
    words = f"read: {above} at or over" + (f", {unsure} unsure" if unsure else "")
    return words + (f", {concerns} to distrust" if concerns else "")
