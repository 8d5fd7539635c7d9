"""The state of an object in the bucket, and of the avatar that a row refers to. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from services.store.keys import AVATAR_PREFIX, PENDING_PREFIXES, PENDING_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(StrEnum):
    LIVE = "live"
    """A row refers to the object."""
    PENDING = "pending"
    """The upload is not confirmed. If it never is, a lifecycle rule deletes the object."""
    ORPHAN = "orphan"
    """No row refers to the object and no lifecycle rule deletes it: a confirm is running, or stopped before its
    deletion.
    """
    DANGLING = "dangling"
    """A row refers to an object that does not exist."""


def find_state(key: str, tags: Mapping[str, str], owners_avatar: str | None) -> State:
    """`owners_avatar`: the avatar of the user whom the object's metadata names."""
    if key == owners_avatar:
        return State.LIVE
    return State.PENDING if key.startswith(PENDING_PREFIXES) or is_marked(tags) else State.ORPHAN


def find_avatar_state(avatar: str, *, is_there: bool) -> State:
    """The state of what a row refers to. A key outside `avatars/` counts as missing: it will be deleted soon."""
    return State.LIVE if is_there and avatar.startswith(AVATAR_PREFIX) else State.DANGLING


def is_marked(tags: Mapping[str, str]) -> bool:
    """Whether a lifecycle rule will delete the object because of its tags."""
    name, value = PENDING_TAG
    return tags.get(name) == value
