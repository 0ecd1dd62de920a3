"""Roles, visitors and the audit trail, to which ``audit.record`` and ``audit.note`` write."""

from . import audit
from .roles import Grant, Role, role_of
from .visitor import (
    LOCAL,
    SERVER,
    Visitor,
    acting_user,
    closed,
    is_forwarded,
    is_local_request,
    on_behalf_of,
    provider_responds,
    signed_out,
    system_user,
    visitor_of,
)

__all__ = [
    "LOCAL",
    "SERVER",
    "Grant",
    "Role",
    "Visitor",
    "acting_user",
    "audit",
    "closed",
    "is_forwarded",
    "is_local_request",
    "on_behalf_of",
    "provider_responds",
    "role_of",
    "signed_out",
    "system_user",
    "visitor_of",
]
