"""Invariants of the bucket and the table: before a sweep, after it, and days later. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.store.kinds import PERMANENT_PREFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench.soak.history import History


@dataclass(frozen=True, slots=True)
class Seen:
    """An object. `tagged` means that a lifecycle rule will delete it because of its tag."""

    owner: str | None
    digest: str
    tagged: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    rows: Mapping[str, str]
    """Avatar keys by user, for the rows that have an avatar."""
    objects: Mapping[str, Seen]


@dataclass(frozen=True, slots=True)
class Known:
    """The facts that a snapshot is compared with."""

    pictures: frozenset[str]
    """Digests that the bytes of an avatar may have."""
    seeded: Mapping[str, str]
    """The rows before the first upload."""
    history: History


def find_unsafe(snapshot: Snapshot, known: Known) -> Iterator[str]:
    """Violations of what must hold at any moment, after any fault."""
    for username, avatar in snapshot.rows.items():
        row = f"{username} -> {avatar}"
        yield from (f"{row}: {wrong}" for wrong in _check_object(username, snapshot.objects.get(avatar)))
        yield from (f"{row}: {wrong}" for wrong in _check_bytes(avatar, snapshot, known))
        if known.history.owners.get(avatar) != username and known.seeded.get(username) != avatar:
            yield f"{row}: this user never sent a confirm of this upload"
    for username, avatar in {**known.seeded, **known.history.confirmed}.items():
        if snapshot.rows.get(username, "") < avatar:
            yield f"{username} -> {snapshot.rows.get(username)}: the row moved back from {avatar}"


def find_unswept(before: Snapshot, after: Snapshot, known: Known) -> Iterator[str]:
    """Violations after a sweep: what it should have repaired or deleted, and what it should have kept."""
    yield from find_unsafe(after, known)
    for username in before.rows.keys() | after.rows.keys():
        if before.rows.get(username) != after.rows.get(username):
            yield f"{username} -> {after.rows.get(username)}: the sweep moved the row from {before.rows.get(username)}"
    referenced = frozenset(after.rows.values())
    for key, seen in after.objects.items():
        if key in referenced and seen.tagged:
            yield f"{key}: a row refers to it, and a lifecycle rule will delete it"
        elif key.startswith(PERMANENT_PREFIXES) and not seen.tagged and key not in referenced:
            yield f"{key}: no row refers to it, and nothing will delete it"
    for key in before.objects.keys() - after.objects.keys():
        if key in referenced or before.objects[key].tagged or not key.startswith(PERMANENT_PREFIXES):
            yield f"{key}: the sweep deleted it"


def find_remaining(snapshot: Snapshot) -> Iterator[str]:
    """Violations some days after a sweep: objects besides the avatars, and missing avatars."""
    referenced = frozenset(snapshot.rows.values())
    yield from (f"{key}: it still exists" for key in sorted(snapshot.objects.keys() - referenced))
    yield from (f"{key}: the avatar is missing" for key in sorted(referenced - snapshot.objects.keys()))


def _check_object(username: str, seen: Seen | None) -> Iterator[str]:
    if seen is None:
        yield "the object is missing"
    elif seen.owner != username:
        yield f"the object belongs to {seen.owner}"


def _check_bytes(avatar: str, snapshot: Snapshot, known: Known) -> Iterator[str]:
    seen = snapshot.objects.get(avatar)
    if seen is None:
        return
    posted = known.history.posted.get(avatar, known.pictures)
    if seen.digest not in posted & known.pictures:
        yield "the bytes are not those of a picture that was posted for this key"
