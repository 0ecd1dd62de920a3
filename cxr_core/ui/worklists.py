"""Who owns which worklist, and how long it stays in memory.

A worklist belongs to a person: who has signed in, or without sign-in the browser (:mod:`.server.browser_cookie`). All
tabs of the person show the same one, and a tab that is opened again finds it. A browser that takes no cookies has one
worklist per tab. No two persons share anything here: the name is taken from the signed cookie of the sign-in, or is a
digest of the random cookie.

A worklist is released at a sign-out, and where no tab of the person was connected for ``session_minutes``; one of a tab
alone when its tab can no longer be restored. Worklists without a tab hold at most ``idle_mb`` of files together, and
there are at most as many as there may be tabs; the one that was left longest ago is released first. Their pixels are
unloaded when the last tab has gone.
"""

from __future__ import annotations

import threading
import time

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ..errors import CxrError
from ..model import ModelCard, Predictor
from ..settings import settings
from .chrome import banner, small
from .read_store import UnavailableStore, read_store
from .reading_jobs import WorklistReader
from .server.browser_cookie import reader_name
from .server.page_sessions import is_connected, session_exists
from .session_cleanup import at_every_poll, on_session_end
from .shared_worklist import SharedWorklist, starts_hidden
from .stored_worklist import StoredWorklist
from .visitor import visitor
from .worklist import Worklist

__all__ = [
    "WorklistOwner",
    "older_images",
    "release_worklist",
    "restore_worklist",
    "worklist",
    "worklist_owner",
    "worklists_in_memory",
]


class WorklistOwner:
    """A person with a worklist: the tabs that show it, and what reads its images. Safe to use from any thread.

    Args:
        name: of :func:`.server.browser_cookie.reader_name`; None for one tab alone.

    Attributes:
        shared: the worklist.
        name: as given.
        left: monotonic time since which no tab has been connected; None while one is.
    """

    def __init__(self, name: str | None) -> None:
        self.name, self.shared = name, SharedWorklist()
        self.left: float | None = None
        self._reader: WorklistReader | None = None
        self._tabs: dict[Worklist, str] = {}
        self._lock = threading.Lock()

    def enter(self, images: Worklist, session: str) -> None:
        """Note that a tab, by Streamlit's id of its session, shows the worklist and has seen what it holds now."""
        with self._lock:
            self._tabs[images] = session
            if images not in self.shared.tabs:
                self.shared.tabs.append(images)
        images.seen = self.shared.revision

    def pause(self, images: Worklist) -> None:
        """Note that a tab has lost its connection; where it was the last one, waiting images leave the queue."""
        with self._lock:
            others = [session for tab, session in self._tabs.items() if tab is not images]
            reader = self._reader
        if self.shared.keeper is not None:
            self.shared.keeper.shown(images, None)
        if reader is not None and not any(map(is_connected, others)):
            reader.pause()

    def leave(self, images: Worklist) -> None:
        """Note that a tab has been closed for good."""
        with self._lock:
            self._tabs.pop(images, None)
            if images in self.shared.tabs:
                self.shared.tabs.remove(images)
            if self.shared.tabs:
                return
        if self.name is None:
            self.release()
        else:
            self.shared.unload_pixels()

    def look(self, now: float) -> None:
        """Note which tabs have been closed, and since when none is connected, at a monotonic time."""
        with self._lock:
            tabs = tuple(self._tabs.items())
        for images, session in tabs:
            if not session_exists(session):
                self.leave(images)
        if any(is_connected(session) for _, session in tabs):
            self.left = None
        elif self.left is None:
            self.left = now

    def reader(self, images: Worklist, predictor: Predictor) -> WorklistReader:
        """Return what reads the images of the worklist, one for all tabs."""
        with self._lock:
            if self._reader is None or self._reader.predictor is not predictor:
                self._reader = WorklistReader(images, predictor)
            return self._reader

    def release(self) -> None:
        """Release all images from memory, and the settings; what is stored stays stored."""
        shared = self.shared
        shared.take_all()
        if shared.keeper is not None:
            shared.keeper.stop()
        shared.operating_point, shared.prevalence, shared.read_first = "default", None, starts_hidden()
        shared.revision += 1
        shared.notify()


_OWNERS: dict[str, WorklistOwner] = {}
_CHANGING, _OPENING = threading.Lock(), threading.Lock()
_OWNER = "worklist_owner"


def worklist() -> Worklist:
    """Return the worklist of the person as this tab shows it; it survives page switches and reloads."""
    owner = worklist_owner()
    images: Worklist | None = st.session_state.get("worklist")
    if images is None or images.shared is not owner.shared:
        images = st.session_state["worklist"] = Worklist(owner.shared)
    context = get_script_run_ctx()
    owner.enter(images, context.session_id if context is not None else "")
    on_session_end(lambda: owner.leave(images), on_disconnect=lambda: owner.pause(images))
    return images


def worklist_owner() -> WorklistOwner:
    """Return whose worklist this tab shows."""
    name = reader_name()
    owner: WorklistOwner | None = st.session_state.get(_OWNER)
    if owner is not None and owner.name == name and (name is None or _OWNERS.get(name) is owner):
        return owner
    if owner is not None and (images := st.session_state.get("worklist")) is not None:
        # signed in as another person, or released meanwhile
        owner.leave(images)
    if name is None:
        owner = WorklistOwner(None)
    else:
        with _CHANGING:
            owner = _OWNERS.setdefault(name, WorklistOwner(name))
            # before anybody looks for worklists to release
            owner.left = None
    st.session_state[_OWNER] = owner
    return owner


def worklists_in_memory() -> tuple[int, int]:
    """Return the number of worklists of persons, and the bytes of files that they hold in memory."""
    with _CHANGING:
        owners = list(_OWNERS.values())
    return len(owners), sum(owner.shared.used_bytes() for owner in owners)


def restore_worklist(images: Worklist, card: ModelCard) -> None:
    """Bring the worklist of the person and the store together, where the setting says so; say what is not stored."""
    if settings().keep != "store":
        return
    name = reader_name()
    if name is None:
        banner("Not stored.", "This browser sends no cookie, so its images are kept until the tab is closed.")
        return
    stays = f"Images are kept in memory until {settings().session_minutes:g} minutes after the last tab was closed."
    try:
        with _OPENING:
            keeper = images.keeper
            if not isinstance(keeper, StoredWorklist):
                keeper = StoredWorklist(images, read_store(), name, visitor(), card)
        keeper.card = card
        keeper.refresh()
        # what follows in this script run draws it
        images.seen = images.shared.revision
    except CxrError as error:
        if not isinstance(images.keeper, StoredWorklist):
            images.keeper = UnavailableStore(images, name, str(error))
        banner("Not stored.", f"{error} {stays}")
        return
    if keeper.deleted:
        images_were = "1 image was" if keeper.deleted == 1 else f"{keeper.deleted} images were"
        keeper.deleted = 0
        st.toast(
            f"{images_were} deleted from the store, with reads and opinions: on request elsewhere, or after "
            f"{settings().keep_days} days.",
            icon=":material/delete:",
            duration="infinite",
        )
    if keeper.problem:
        banner("Not stored.", f"{keeper.problem} {stays}")


def older_images(images: Worklist) -> None:
    """Say how many stored images the worklist does not list, if any."""
    older = images.keeper.older.count(images.images) if isinstance(images.keeper, StoredWorklist) else 0
    if older:
        small(
            f"{older:,} older stored image{'s are' if older > 1 else ' is'} not listed here, but on the page History."
        )


def release_worklist() -> None:
    """Release the worklist of the person of this tab at once, for all tabs: at a sign-out.

    The tab may have shown other pages alone.
    """
    owner: WorklistOwner | None = _OWNERS.get(reader_name() or "") or st.session_state.get(_OWNER)
    if owner is not None:
        owner.release()


@at_every_poll
def release_idle() -> int:
    """Release the worklists that nobody has shown for too long, or that are too many; return their number."""
    limits, now = settings(), time.monotonic()
    with _CHANGING:
        for owner in _OWNERS.values():
            owner.look(now)
        idle = [owner for owner in _OWNERS.values() if owner.left is not None]
        idle.sort(key=lambda owner: owner.left or now)
        used, ended = sum(owner.shared.used_bytes() for owner in idle), []
        for number, owner in enumerate(idle):
            expired = now - (owner.left or now) > 60 * limits.session_minutes
            if expired or used > limits.idle_mb * 10**6 or len(idle) - number > limits.max_sessions:
                used -= owner.shared.used_bytes()
                ended.append(owner)
                del _OWNERS[owner.name or ""]
    for owner in ended:
        owner.release()
    return len(ended)
