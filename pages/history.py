"""The page "History": stored reads, and each as it was shown."""

from cxr_core.ui.guard import guard

guard(__file__)

from cxr_core.ui.history import history  # noqa: E402

history()
