"""Uploaded files, taken over from Streamlit.

Streamlit keeps what was uploaded until the session ends, whatever the page does with it: a film that is taken off the
list would stay in memory. So its copy is given back as soon as the page has the bytes.
"""

from __future__ import annotations

from collections.abc import Iterable

from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import DeletedFile, UploadedFile

__all__ = ["taken_over"]


def taken_over(files: Iterable[UploadedFile | DeletedFile]) -> list[tuple[str, bytes]]:
    """Return (name, bytes) of each file, which is then Streamlit's no more.

    A run that was cut short tells of its files again in the next one; those are here already, and left out.
    """
    context = get_script_run_ctx()
    there = [file for file in files if not isinstance(file, DeletedFile)]
    taken = [(file.name, file.getvalue()) for file in there]
    for file in there:
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)
    return taken
