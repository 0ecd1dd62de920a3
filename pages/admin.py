"""The page "Admin": a run and the training of its model."""

from cxr_core.ui.guard import guard

guard(__file__)

from cxr_core.ui.run_page import open_run  # noqa: E402

run = open_run("Admin")

# the libraries of figures are imported while the numbers are computed
from cxr_core.ui import administration  # noqa: E402

administration.overview(run)
administration.page_links(run)
