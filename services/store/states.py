"""The state of an object in the bucket, and of the picture that a row refers to. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from services.store.keys import PENDING_TAG
from services.store.kinds import PENDING_PREFIXES, find_permanent_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.store.kinds import Kind
    from services.store.table import Row


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


def find_state(key: str, tags: Mapping[str, str], owner: Row | None) -> State:
    """`owner`: the row of the user whom the object's metadata names."""
    kind = find_permanent_kind(key)
    if owner and kind and key == owner.of(kind).key:
        return State.LIVE
    return State.PENDING if key.startswith(PENDING_PREFIXES) or is_marked(tags) else State.ORPHAN


def find_value_state(kind: Kind, key: str, *, is_there: bool) -> State:
    """The state of what a row refers to. A key outside the kind's permanent prefix counts as missing: a lifecycle rule
    deletes the object soon, or it is a picture of another kind.
    """
    return State.LIVE if is_there and key.startswith(kind.permanent_prefix) else State.DANGLING


def is_marked(tags: Mapping[str, str]) -> bool:
    """Whether a lifecycle rule will delete the object because of its tags."""
    name, value = PENDING_TAG
    return tags.get(name) == value
