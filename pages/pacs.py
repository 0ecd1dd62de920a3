"""The page "PACS": whether each PACS answers, what waits, what was parked and why, and how much goes through."""

from cxr_core.ui.guard import guard

guard(__file__)

from cxr_core.ui.pacs import pacs_page  # noqa: E402

pacs_page()
