"""The page "Operations": state of the app, models, settings of the server, and the audit trail, for administrators."""

from cxr_core.ui.guard import guard

guard(__file__)

from cxr_core.ui.operations import operations_page  # noqa: E402

operations_page()
