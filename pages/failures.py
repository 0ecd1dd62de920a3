"""The page "Failures": the worst false negatives and false positives."""

from cxr_core.ui.guard import guard

guard(__file__)

from cxr_core.ui.failures import failures  # noqa: E402
from cxr_core.ui.run_page import open_run  # noqa: E402

failures(open_run("Failures", numbers=False))
