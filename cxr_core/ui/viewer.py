"""The film viewer: window and level, zoom, maps, all in the browser."""

from __future__ import annotations

import streamlit as st

from ..imaging import Radiograph
from .chrome import asset
from .loaders import film_message

__all__ = ["alt_text", "film_viewer"]

# registered once, at import: registering the same name again would replace it under a mounted viewer
_VIEWER = st.components.v2.component(
    "second_read_viewer",
    html=asset("viewer.html"),
    css=asset("viewer.css"),
    js="\n".join(asset(name) for name in ("store.js", "film.js", "overlay.js", "viewer.js")),
)


def alt_text(radiograph: Radiograph) -> str:
    """Describe the picture for those who do not see it; without a name and without a finding."""
    return (
        f"Chest radiograph, {radiograph.columns} by {radiograph.rows} pixels, "
        f"from a {radiograph.kind.upper()} file, in the file's own window"
    )


def film_viewer(radiograph: Radiograph) -> None:
    """Show a film.

    Maps are not part of the message: the findings bring them, so that a film whose findings are hidden
    has no maps in the browser either.
    """
    _VIEWER(key="viewer", data=film_message(radiograph, alt_text(radiograph)))
