"""The page "Concordance": readers and model on stored opinions."""

from cxr_core.ui.guard import guard

guard(__file__)

from cxr_core.ui.concordance import concordance_page  # noqa: E402

concordance_page()
