"""The page "Model": the model card, and the import of models."""

from cxr_core.ui.guard import guard

guard(__file__)

from cxr_core.ui.import_panel import import_panel  # noqa: E402
from cxr_core.ui.model_card import select_card, show_card  # noqa: E402

# first, because it is the remedy if no model can be used
import_panel()
show_card(select_card())
