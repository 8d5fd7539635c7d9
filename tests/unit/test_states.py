from __future__ import annotations

import pytest

from services.store.kinds import AVATAR
from services.store.states import State, find_state, find_value_state, is_marked
from tests.rows import make_row


@pytest.mark.parametrize(
    ("key", "tags", "owners_avatar", "state"),
    [
        ("avatars/1", {}, "avatars/1", State.LIVE),
        # A second post gives the live object the pending tag again. It stays live.
        ("avatars/1", {"Status": "Pending"}, "avatars/1", State.LIVE),
        (f"{AVATAR.pending_prefix}1", {}, None, State.PENDING),
        (f"{AVATAR.pending_prefix}1", {}, "avatars/1", State.PENDING),
        ("avatars/1", {"Status": "Pending"}, "avatars/2", State.PENDING),
        ("avatars/1", {"Status": "Pending"}, None, State.PENDING),
        ("avatars/1", {}, "avatars/2", State.ORPHAN),
        ("avatars/1", {}, None, State.ORPHAN),
        ("avatars/1", {"Status": "Other"}, None, State.ORPHAN),
        ("avatars/1", {"Other": "Pending"}, None, State.ORPHAN),
        ("avatars/pending/1", {}, None, State.ORPHAN),
    ],
)
def test_an_object_has_the_state(key: str, tags: dict[str, str], owners_avatar: str | None, state: State) -> None:
    assert find_state(key, tags, make_row("ada", "Ada", owners_avatar)) is state


@pytest.mark.parametrize(
    ("avatar", "is_there", "state"),
    [
        ("avatars/1", True, State.LIVE),
        ("avatars/1", False, State.DANGLING),
        # A lifecycle rule will delete the object, or there is none.
        (f"{AVATAR.pending_prefix}1", True, State.DANGLING),
        (f"{AVATAR.pending_prefix}1", False, State.DANGLING),
        ("elsewhere", True, State.DANGLING),
        ("avatars", True, State.DANGLING),
        ("", True, State.DANGLING),
    ],
)
def test_the_avatar_of_a_row_has_the_state(avatar: str, is_there: bool, state: State) -> None:  # noqa: FBT001 - a table
    assert find_value_state(AVATAR, avatar, is_there=is_there) is state


@pytest.mark.parametrize(
    ("tags", "marked"),
    [
        ({"Status": "Pending"}, True),
        ({"Status": "Pending", "Other": "Tag"}, True),
        ({}, False),
        ({"Status": ""}, False),
        ({"Status": "pending"}, False),
        ({"status": "Pending"}, False),
        ({"Pending": "Status"}, False),
    ],
)
def test_an_object_is_marked_by_the_pending_tag_alone(tags: dict[str, str], marked: bool) -> None:  # noqa: FBT001 - a table
    assert is_marked(tags) is marked
