"""The page "Evaluation": performance of a model on the images of a run."""

from cxr_core.ui.guard import guard

guard(__file__)

from cxr_core.ui import evaluation  # noqa: E402
from cxr_core.ui.run_page import open_run  # noqa: E402

run = open_run("Evaluation")
evaluation.all_labels(run)
evaluation.one_label(run)
