from __future__ import annotations

import pytest

from services.state import State, find_state


@pytest.mark.parametrize(
    ("key", "tags", "owners_avatar", "state"),
    [
        ("avatars/1", {}, "avatars/1", State.LIVE),
        # A second post marks the live object pending again; it is live all the same.
        ("avatars/1", {"Status": "Pending"}, "avatars/1", State.LIVE),
        ("pending/1", {}, None, State.PENDING),
        ("pending/1", {}, "avatars/1", State.PENDING),
        ("avatars/1", {"Status": "Pending"}, "avatars/2", State.PENDING),
        ("avatars/1", {"Status": "Pending"}, None, State.PENDING),
        ("avatars/1", {}, "avatars/2", State.ORPHAN),
        ("avatars/1", {}, None, State.ORPHAN),
        ("avatars/1", {"Status": "Other"}, None, State.ORPHAN),
        ("avatars/1", {"Other": "Pending"}, None, State.ORPHAN),
        ("avatars/pending/1", {}, None, State.ORPHAN),
    ],
)
def test_an_object_is(key: str, tags: dict[str, str], owners_avatar: str | None, state: State) -> None:
    assert find_state(key, tags, owners_avatar) is state
