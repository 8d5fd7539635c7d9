"""What an object in the bucket is to the system. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from services.keys import PENDING_PREFIX, PENDING_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(StrEnum):
    LIVE = "live"
    """A row points at it."""
    PENDING = "pending"
    """It waits for its confirm; a lifecycle rule deletes it if that never comes."""
    ORPHAN = "orphan"
    """Nothing points at it and no lifecycle rule will delete it: it is on its way in or out, or was left behind."""


def find_state(key: str, tags: Mapping[str, str], owners_avatar: str | None) -> State:
    """`owners_avatar`: what the row of the user in the object's metadata points at."""
    if key == owners_avatar:
        return State.LIVE
    name, value = PENDING_TAG
    if key.startswith(PENDING_PREFIX) or tags.get(name) == value:
        return State.PENDING
    return State.ORPHAN
