"""Who may see and do what, and the trail of what was done: ``audit.record`` and ``audit.note`` write to it."""

from . import audit
from .actors import asked_by, on_behalf_of, system_user
from .provider import answers
from .roles import Grant, Role, role_of
from .visitor import LOCAL, SERVER, Visitor, asked_from_here, closed, signed_out, visitor_of

__all__ = [
    "LOCAL",
    "SERVER",
    "Grant",
    "Role",
    "Visitor",
    "answers",
    "asked_by",
    "asked_from_here",
    "audit",
    "closed",
    "on_behalf_of",
    "role_of",
    "signed_out",
    "system_user",
    "visitor_of",
]
