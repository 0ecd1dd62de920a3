"""Names from outside, as a person is shown them."""

from __future__ import annotations

import unicodedata

__all__ = ["shown_name"]


def shown_name(name: str) -> str:
    """Return a file's name with every character that is not seen, or turns others around, as an escape.

    A right-to-left override makes ``exe.dcm`` of ``mcd.exe`` on the screen, a return overwrites what a terminal shows
    before it. So control and format characters, line and paragraph separators, and bytes that are no text are written
    as Python writes them. Letters of any script stay as they are.

    >>> shown_name("a\\u202emcd.exe")
    'a\\\\u202emcd.exe'

    Source: Unicode Technical Report 36, section 2 (bidirectional text spoofing); general categories C, Zl and Zp.
    """
    return "".join(letter if _seen(letter) else letter.encode("unicode_escape").decode() for letter in name)


def _seen(letter: str) -> bool:
    category = unicodedata.category(letter)
    return category[0] != "C" and category not in ("Zl", "Zp")
