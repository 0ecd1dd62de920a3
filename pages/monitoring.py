"""The page "Monitoring": stored reads over time beside the model's validation images."""

from cxr_core.ui.guard import guard

guard(__file__)

from cxr_core.ui.monitoring import monitoring_page  # noqa: E402

monitoring_page()
