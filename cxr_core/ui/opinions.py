"""The reader's opinion of each finding: present, absent or uncertain, with a comment; and the rule of "Read first".

Opinions are only added: the first one of a finding stays, whatever follows. Whether the findings had been shown before
an opinion is taken from the worklist, or from the store where that keeps it, and never from the browser.
"""

from __future__ import annotations

import re

import streamlit as st

from ..errors import InputRefused, WrongArguments
from ..labels import display_name
from ..model import Reading
from ..settings import settings
from ..store.read_record import OPINIONS, Opinion, OpinionValue
from ..store.stored_studies import utc_now
from .worklist import Worklist, WorklistImage

__all__ = [
    "COMMENT_LENGTH",
    "add_opinion",
    "asked_findings",
    "choose_read_first",
    "keep_comment",
    "opinions_message",
    "read_first_switch",
    "reveal",
    "set_read_first",
]

COMMENT_LENGTH = 2000
"""Most characters of a comment."""

# UTF-8 has no half of a surrogate pair, and the text of PostgreSQL no NUL
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def read_first_switch(images: Worklist) -> None:
    """Draw the reader's switch, where the setting leaves the choice: one for all tabs and browsers of the person."""
    if settings().read_first == "choose":
        # another tab may have turned it
        st.session_state["read_first"] = images.read_first
        st.toggle(
            "Read first",
            key="read_first",
            on_change=lambda: choose_read_first(images, st.session_state["read_first"]),
            help="Read the image yourself first: findings and heat maps stay hidden until you show them.",
        )


def add_opinion(images: Worklist, image: WorklistImage, label: str, opinion: str, comment: str = "") -> Opinion:
    """Add the reader's opinion of a finding; where a store keeps the image, it is on the disk when this returns.

    What equals the last opinion on the finding is not added again. Where a store keeps the image, its last opinion
    counts, which may have been given in another process.

    Args:
        images: the worklist.
        image: one of its images.
        label: of a finding.
        opinion: present, absent or uncertain.
        comment: free text.

    Raises:
        InputRefused: the image has no findings, or is being read.
        WrongArguments: there is no such finding or no such opinion, or the comment is too long or cannot be stored.
        CxrError: it could not be stored; then it is not kept in memory either.
    """
    if image.status != "read":
        raise InputRefused("This image has no findings at the moment.")
    _check_comment(image, label, comment)
    value = _opinion_value(opinion)
    # outside the lock of the worklist: it waits for the disk. Another process may have stored opinions since
    if images.keeper is not None:
        stored = images.keeper.add_opinion(image, label, value, comment)
        with images.unchanged():
            others = [one for one in image.opinions if one not in stored]
            image.opinions = tuple(sorted((*others, *stored), key=lambda one: one.created))
            image.set_comment(label, "")
        images.notify()
        return next(one for one in reversed(stored) if one.label == label)
    with images.unchanged():
        image.set_comment(label, "")
        last = image.last_opinion(label)
        if last is not None and (last.opinion, last.comment) == (value, comment):
            return last
        number = sum(one.label == label for one in image.opinions)
        shown = image.findings_shown or not images.is_hidden(image)
        made = Opinion(label, "", number, "", value, shown, comment, utc_now())
        image.opinions = (*image.opinions, made)
    images.notify()
    return made


def keep_comment(images: Worklist, image: WorklistImage, label: str, comment: str) -> None:
    """Keep what the reader has written on a finding until an opinion is given with it: in memory, with the worklist.

    Raises InputRefused and WrongArguments as :func:`add_opinion`.
    """
    _check_comment(image, label, comment)
    with images.unchanged():
        image.set_comment(label, comment)


def _check_comment(image: WorklistImage, label: str, comment: str) -> None:
    if image.reading is None:
        raise InputRefused("This image has no findings at the moment.")
    if label not in {finding.label for finding in image.reading.findings}:
        raise WrongArguments("The model has no such finding.")
    if len(comment) > COMMENT_LENGTH:
        raise WrongArguments(f"A comment has at most {COMMENT_LENGTH:,} characters.")
    if _UNSTORABLE.search(comment):
        raise WrongArguments("The comment has a character that cannot be stored.")


def _opinion_value(opinion: str) -> OpinionValue:
    for value in OPINIONS:
        if opinion == value:
            return value
    raise WrongArguments(f"An opinion is one of {', '.join(OPINIONS)}.")


def choose_read_first(images: Worklist, on: bool) -> None:
    """Turn the reader's switch: findings are hidden before, or shown after, it is stored."""
    if on:
        set_read_first(images, on)
    if images.keeper is not None:
        images.keeper.read_first_chosen(on)
    set_read_first(images, on)


def set_read_first(images: Worklist, on: bool) -> None:
    """Hide the findings of each image that is not revealed, or show those of all; the setting may leave no choice."""
    if settings().read_first != "choose" or on == images.read_first:
        return
    with images.unchanged():
        # one that was removed may come back
        for image in images.shared.with_removed().values():
            if image.reading is not None and image.reading.findings and not images.is_hidden(image):
                # whatever is hidden now was seen: an opinion from here on is one with the model
                image.findings_shown = True
        images.read_first = on
    images.changed()


def reveal(images: Worklist, image: WorklistImage) -> bool:
    """Show the findings of an image, and return whether they were hidden; a store knows of it before the reader.

    Nothing is done where they are not hidden: who asks may not know yet that "Read first" was turned off.

    Raises:
        InputRefused: the image has not been read yet.
        CxrError: a store cannot note it; then they stay hidden.
    """
    if not images.is_hidden(image) or image.status in ("refused", "unreadable"):
        return False
    if image.status != "read":
        raise InputRefused("This image has not been read yet.")
    if images.keeper is not None:
        images.keeper.revealed(image)
    image.revealed = image.findings_shown = True
    images.changed()
    return True


def opinions_message(image: WorklistImage) -> dict[str, list[dict[str, object]]]:
    """Return what the reader has stated of an image: by label the opinions in their order.

    Each has ``opinion``, ``comment``, ``created`` (UTC, ISO 8601) and ``shown``: whether the findings had been shown.
    """
    given: dict[str, list[dict[str, object]]] = {}
    for one in image.opinions:
        entry = {"opinion": one.opinion, "comment": one.comment, "created": one.created, "shown": one.revealed}
        given.setdefault(one.label, []).append(entry)
    return given


def asked_findings(reading: Reading) -> list[dict[str, object]]:
    """Return the labels of which an opinion is asked while the findings are hidden: nothing of the reading is in it.

    Those that the card evaluates come first, each group in alphabetical order. Which ones are evaluated depends on
    the card and the operating point, and not on the image.
    """
    entries = [
        {"label": f.label, "title": display_name(f.label), "evaluated": f.state != "not_evaluated"}
        for f in reading.findings
    ]
    return sorted(entries, key=lambda entry: (not entry["evaluated"], str(entry["title"]).casefold()))
