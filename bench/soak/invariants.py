"""What must hold of bucket and table: before a sweep, after it, and days later. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from services.store.keys import AVATAR_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench.soak.files import Digests
    from bench.soak.history import History


@dataclass(frozen=True, slots=True)
class Seen:
    """An object. `tagged`: a lifecycle rule will delete it for its tag."""

    owner: str | None
    digest: str
    tagged: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    rows: Mapping[str, str]
    """By user, what the row points at, if at anything."""
    objects: Mapping[str, Seen]


@dataclass(frozen=True, slots=True)
class Known:
    """What a snapshot is held against."""

    strategy: Literal["prefix", "tag"]
    digests: Digests
    seeded: Mapping[str, str]
    """The rows before anything was uploaded."""
    history: History


def find_unsafe(snapshot: Snapshot, known: Known) -> Iterator[str]:
    """What nobody may see at any moment, whatever went wrong."""
    for username, avatar in snapshot.rows.items():
        row = f"{username} -> {avatar}"
        yield from (f"{row}: {wrong}" for wrong in _check_object(username, snapshot.objects.get(avatar)))
        yield from (f"{row}: {wrong}" for wrong in _check_bytes(avatar, snapshot, known))
        if known.history.owners.get(avatar) != username and known.seeded.get(username) != avatar:
            yield f"{row}: no confirm of such an upload was ever sent by this user"
    for username, avatar in {**known.seeded, **known.history.confirmed}.items():
        if snapshot.rows.get(username, "") < avatar:
            yield f"{username} -> {snapshot.rows.get(username)}: the row went back, it was at {avatar}"


def find_unswept(before: Snapshot, after: Snapshot, known: Known) -> Iterator[str]:
    """What a sweep should have put right, and what it should have left alone."""
    yield from find_unsafe(after, known)
    for username in before.rows.keys() | after.rows.keys():
        if before.rows.get(username) != after.rows.get(username):
            yield f"{username} -> {after.rows.get(username)}: the sweep moved the row from {before.rows.get(username)}"
    referenced = frozenset(after.rows.values())
    for key, seen in after.objects.items():
        if key in referenced and seen.tagged:
            yield f"{key}: a row points at it, and a lifecycle rule will delete it"
        elif key.startswith(AVATAR_PREFIX) and not seen.tagged and key not in referenced:
            yield f"{key}: no row points at it, and nothing will ever delete it"
    for key in before.objects.keys() - after.objects.keys():
        if key in referenced or before.objects[key].tagged or not key.startswith(AVATAR_PREFIX):
            yield f"{key}: the sweep deleted it"


def find_remaining(snapshot: Snapshot) -> Iterator[str]:
    """What is there besides the avatars days after a sweep, and what of these is not."""
    referenced = frozenset(snapshot.rows.values())
    yield from (f"{key}: it is still there" for key in sorted(snapshot.objects.keys() - referenced))
    yield from (f"{key}: an avatar is gone" for key in sorted(referenced - snapshot.objects.keys()))


def _check_object(username: str, seen: Seen | None) -> Iterator[str]:
    if seen is None:
        yield "there is no such object"
    elif seen.owner != username:
        yield f"the object is that of {seen.owner}"


def _check_bytes(avatar: str, snapshot: Snapshot, known: Known) -> Iterator[str]:
    seen = snapshot.objects.get(avatar)
    # Under `tag`, what was posted after the confirm is marked until it is healed, and may be anything until then.
    if seen is None or (known.strategy == "tag" and seen.tagged):
        return
    posted = known.history.posted.get(avatar, known.digests.pictures)
    if known.strategy == "tag" and posted - known.digests.pictures and seen.digest == known.digests.blank:
        return
    if seen.digest not in posted & known.digests.pictures:
        yield "the bytes are no picture that was posted there"
