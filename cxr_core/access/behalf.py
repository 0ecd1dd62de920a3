"""A command that a page starts acts for the person at the page, and the trail says so."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from .roles import Role
from .visitor import LOCAL, Visitor

__all__ = ["VARIABLE", "asked_by", "on_behalf_of"]

VARIABLE = "SECOND_READ_ASKED_BY"
"""Environment variable between the app and the commands that it starts."""


def on_behalf_of(visitor: Visitor) -> dict[str, str]:
    """Return what a command's environment needs, so that it acts for this visitor."""
    return {VARIABLE: json.dumps([visitor.subject, visitor.issuer, str(visitor.role or "")])}


def asked_by(environment: Mapping[str, str] = os.environ) -> Visitor:
    """Return for whom this command acts: whoever runs it (``local``), or the person at the page that started it."""
    try:
        subject, issuer, role = json.loads(environment[VARIABLE])
        return Visitor("signed_in", str(subject), str(issuer), role=Role[str(role).upper()])
    except (KeyError, ValueError, TypeError):
        return LOCAL
