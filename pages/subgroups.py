"""The page "Subgroups": error rates by sex, age and view."""

from cxr_core.ui.guard import guard

guard(__file__)

from cxr_core.ui.run_page import open_run  # noqa: E402
from cxr_core.ui.subgroups import subgroups  # noqa: E402

subgroups(open_run("Subgroups", numbers=False))
