"""The page "Evaluation": performance of a model on the images of a run."""

from cxr_core.ui.guard import guard

guard(__file__)

from cxr_core.ui.run_page import open_run  # noqa: E402

run = open_run("Evaluation")

# the libraries of figures are imported while the numbers are computed
from cxr_core.ui import evaluation  # noqa: E402

evaluation.all_labels(run)
evaluation.one_label(run)
