"""What an object in the bucket is to the system. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from services.store.keys import AVATAR_PREFIX, PENDING_PREFIX, PENDING_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(StrEnum):
    LIVE = "live"
    """A row points at it."""
    PENDING = "pending"
    """It waits for its confirm; a lifecycle rule deletes it if that never comes."""
    ORPHAN = "orphan"
    """Nothing points at it and no lifecycle rule will delete it: it is on its way in or out, or was left behind."""
    DANGLING = "dangling"
    """A row points at it, and it is not there."""


def find_state(key: str, tags: Mapping[str, str], owners_avatar: str | None) -> State:
    """`owners_avatar`: what the row of the user in the object's metadata points at."""
    if key == owners_avatar:
        return State.LIVE
    return State.PENDING if key.startswith(PENDING_PREFIX) or is_marked(tags) else State.ORPHAN


def find_avatar_state(avatar: str, *, is_there: bool) -> State:
    """Of what a row points at. What is not among the avatars will not be there for long."""
    return State.LIVE if is_there and avatar.startswith(AVATAR_PREFIX) else State.DANGLING


def is_marked(tags: Mapping[str, str]) -> bool:
    """Whether a lifecycle rule will delete the object for its tags."""
    name, value = PENDING_TAG
    return tags.get(name) == value
