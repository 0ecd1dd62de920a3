"""Configuration of Sphinx for the site of docs: ``make docs`` builds it into ``build/docs``."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent

project = "Second Read"
release = version = re.search(r'^version = "(.+)"$', (PROJECT / "pyproject.toml").read_text(), re.MULTILINE)[1]

extensions = ["myst_parser", "autoapi.extension", "sphinx.ext.napoleon"]
# the pages are Markdown; those of the API are made as reStructuredText
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
# links to sections as GitHub has them: evaluation.md#choice-of-interval
myst_heading_anchors = 4

# blocks that name no language are commands or text
highlight_language = "none"

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"Second Read {release}"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
# an excerpt is fetched from its page, which a browser does not do where the site is opened as files
html_show_search_summary = False

PUBLIC = {
    "cxr_core",
    "cxr_core.errors",
    "cxr_core.evaluation",
    "cxr_core.explain",
    "cxr_core.imaging",
    "cxr_core.metrics",
    "cxr_core.model",
    "cxr_core.monitoring",
    "cxr_core.reading",
    "cxr_core.report",
    "cxr_core.store",
    "cxr_core.studies",
}
"""Modules and packages of the Python API, each with what it exports."""

_UNREAD = (
    "access",
    "archive",
    "bundled",
    "calibration",
    "cli",
    "displays",
    "pacs",
    "pretrained",
    "quantisation",
    "training",
    "ui",
)
"""Rooms from which no public package exports anything."""

# the API is read from the source: nothing of the package is imported, so its libraries are not needed here
autoapi_dirs = [str(PROJECT / "cxr_core")]
autoapi_ignore = [f"*/cxr_core/{room}/*" for room in _UNREAD]
autoapi_root = "api"
autoapi_add_toctree_entry = False
autoapi_options = ["members", "imported-members", "show-module-summary"]
autoapi_member_order = "alphabetical"
# an import that is not followed, into those rooms or of a constant; tests/test_docs.py finds every public name
suppress_warnings = ["autoapi.python_import_resolution"]
# what an array of a result is like, (n, labels) float, is no class to link to
napoleon_use_rtype = False
napoleon_numpy_docstring = False


def setup(app) -> None:
    """Leave out of the API what is not public, and have in it what a package imports on first use."""
    # a library of the site alone, where other readers of this file do not have it
    import astroid

    def lift_imports_for_types(module: astroid.nodes.Module) -> None:
        body = []
        for node in module.body:
            is_for_types = isinstance(node, astroid.nodes.If) and node.test.as_string() == "TYPE_CHECKING"
            body += node.body if is_for_types else [node]
        module.body = body

    astroid.MANAGER.register_transform(astroid.nodes.Module, lift_imports_for_types, lambda module: module.package)
    app.connect("autoapi-skip-member", _is_skipped)


def _is_skipped(app, what: str, name: str, obj, skip: bool, options) -> bool:
    return skip or (what in ("module", "package") and name not in PUBLIC)
