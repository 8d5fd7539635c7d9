"""The soak finds each violation of an invariant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.soak.history import History
from bench.soak.invariants import Known, Seen, Snapshot, find_remaining, find_unsafe, find_unswept
from services.store.kinds import AVATAR

OLD, FIRST, SECOND, OTHERS = "avatars/0", "avatars/1", "avatars/2", "avatars/3"
ROWS = {"Ann": SECOND, "Bob": OTHERS}
OBJECTS = {SECOND: Seen("Ann", "red"), OTHERS: Seen("Bob", "blue")}
CLEAN = Snapshot(ROWS, OBJECTS)


def make_known() -> Known:
    """Ann had a portrait and confirmed two uploads. Bob's only confirm has no response yet."""
    history = History()
    for username, key, digest in (("Ann", FIRST, "blue"), ("Ann", SECOND, "red"), ("Bob", OTHERS, "blue")):
        history.post(key, digest)
        history.begin_confirm(username, key)
    history.confirm("Ann", FIRST)
    history.confirm("Ann", SECOND)
    return Known(frozenset({"red", "blue", "portrait"}), {"Ann": OLD}, history)


def unsafe(rows: dict[str, str], objects: dict[str, Seen], known: Known | None = None) -> list[str]:
    return list(find_unsafe(Snapshot(ROWS | rows, OBJECTS | objects), known or make_known()))


def unswept(objects: dict[str, Seen]) -> list[str]:
    snapshot = Snapshot(ROWS, OBJECTS | objects)
    return list(find_unswept(snapshot, snapshot, make_known()))


def test_a_correct_snapshot_has_no_violation() -> None:
    assert unsafe({}, {}) == []
    assert unswept({}) == []
    assert list(find_remaining(CLEAN)) == []
    # Before a sweep other objects may exist.
    assert unsafe({}, {FIRST: Seen("Ann", "blue"), f"{AVATAR.pending_prefix}9": Seen("Ann", "text")}) == []
    # What waits is left to the lifecycle rules.
    assert (
        unswept({f"{AVATAR.pending_prefix}9": Seen("Ann", "text"), "avatars/9": Seen("Ann", "text", tagged=True)}) == []
    )


def test_a_row_with_a_missing_object_is_found() -> None:
    dangling = Snapshot(ROWS, {OTHERS: OBJECTS[OTHERS]})
    assert list(find_unsafe(dangling, make_known())) == [f"Ann -> {SECOND}: the object is missing"]
    assert list(find_remaining(dangling)) == [f"{SECOND}: the avatar is missing"]


def test_a_row_with_another_users_object_is_found() -> None:
    assert unsafe({}, {SECOND: Seen("Bob", "red")}) == [f"Ann -> {SECOND}: the object belongs to Bob"]


def test_a_row_that_moved_back_is_found() -> None:
    wrong = unsafe({"Ann": FIRST}, {FIRST: Seen("Ann", "blue")})
    assert wrong == [f"Ann -> {FIRST}: the row moved back from {SECOND}"]
    lost = Snapshot({"Bob": OTHERS}, OBJECTS)
    assert list(find_unsafe(lost, make_known())) == [f"Ann -> None: the row moved back from {SECOND}"]


def test_an_unconfirmed_avatar_is_found() -> None:
    wrong = unsafe({"Ann": "avatars/9"}, {"avatars/9": Seen("Ann", "red")})
    assert wrong == ["Ann -> avatars/9: this user never sent a confirm of this upload"]


@pytest.mark.parametrize("digest", ["text", "blue", "blank"])
def test_bytes_that_were_not_posted_for_the_key_are_found(digest: str) -> None:
    wrong = f"Ann -> {SECOND}: the bytes are not those of a picture that was posted for this key"
    assert unsafe({}, {SECOND: Seen("Ann", digest)}) == [wrong]
    assert unsafe({}, {SECOND: Seen("Ann", digest, tagged=True)}) == [wrong]


def test_a_seeded_portrait_is_allowed() -> None:
    known = replace(make_known(), history=History(), seeded={"Ann": OLD})
    assert list(find_unsafe(Snapshot({"Ann": OLD}, {OLD: Seen("Ann", "portrait")}), known)) == []


def test_an_orphan_is_found() -> None:
    assert unswept({FIRST: Seen("Ann", "blue")}) == [f"{FIRST}: no row refers to it, and nothing will delete it"]


def test_an_avatar_that_is_not_restored_is_found() -> None:
    assert unswept({SECOND: Seen("Ann", "red", tagged=True)}) == [
        f"{SECOND}: a row refers to it, and a lifecycle rule will delete it"
    ]


def test_a_sweep_that_changes_too_much_is_found() -> None:
    known = make_known()
    pending = {f"{AVATAR.pending_prefix}9": Seen("Ann", "red"), "avatars/9": Seen("Ann", "red", tagged=True)}
    orphan = {FIRST: Seen("Ann", "blue")}
    before = Snapshot(ROWS, OBJECTS | pending | orphan)
    assert sorted(find_unswept(before, CLEAN, known)) == [f"{key}: the sweep deleted it" for key in sorted(pending)]
    moved = Snapshot({**ROWS, "Bob": SECOND}, OBJECTS)
    assert f"Bob -> {SECOND}: the sweep moved the row from {OTHERS}" in list(find_unswept(CLEAN, moved, known))


def test_an_object_that_remains_for_days_is_found() -> None:
    assert list(find_remaining(Snapshot(ROWS, OBJECTS | {f"{AVATAR.pending_prefix}9": Seen("Ann", "red")}))) == [
        f"{AVATAR.pending_prefix}9: it still exists"
    ]
