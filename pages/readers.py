"""The page "Readers": individual radiologists on the images of a run."""

from cxr_core.ui.guard import guard

guard(__file__)

from cxr_core.store import StoredRun  # noqa: E402
from cxr_core.ui.readers import readers  # noqa: E402
from cxr_core.ui.run_page import open_run  # noqa: E402

readers(open_run("Readers", suits=StoredRun.has_readers))
