"""Whether two identifiers are the same, for whom small and capital letters are."""

from __future__ import annotations

import unicodedata
from typing import Any

__all__ = ["same_name"]


def same_name(one: Any, other: Any) -> bool:
    """Return whether two identifiers are the same but for small and capital letters.

    They are compared after Unicode's normalisation form KC and case folding. Both take different characters for one:
    the Kelvin sign U+212A for a k, a full-width letter for its narrow one, a sharp s for two of s. So a pair that is
    the same by them is refused where it is not the same character by character: where an identifier is not its own
    form KC, where the lengths differ, or where two characters in the same place are not the small and the capital
    form of one letter.

    >>> same_name("Ann@Example.org", "ann@example.ORG")
    True
    >>> same_name("kim@example.org", "\u212aim@example.org")
    False

    Source: Unicode Standard Annex 15 (normalisation forms), and section 3.13 (default caseless matching).
    """
    if not (isinstance(one, str) and isinstance(other, str) and one and len(one) == len(other)):
        return False
    if any(unicodedata.normalize("NFKC", name) != name for name in (one, other)):
        return False
    return all(
        left == right or (left.lower() == right.lower() and left.upper() == right.upper() and len(left.lower()) == 1)
        for left, right in zip(one, other, strict=True)
    ) and _folded(one) == _folded(other)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
