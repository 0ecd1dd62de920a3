"""The page "Localisation": agreement of heat maps with bounding boxes."""

from cxr_core.ui.guard import guard

guard(__file__)

from cxr_core.ui.localisation import localisation, made_for_boxes  # noqa: E402
from cxr_core.ui.run_page import open_run  # noqa: E402

localisation(open_run("Localisation", suits=made_for_boxes))
