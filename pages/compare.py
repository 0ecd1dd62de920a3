"""The page "Compare": two runs on the same images."""

from cxr_core.ui.guard import guard

guard(__file__)

from cxr_core.ui.compare import compare  # noqa: E402
from cxr_core.ui.run_page import open_run  # noqa: E402

compare(open_run("Compare", comparable=True, numbers=False))
