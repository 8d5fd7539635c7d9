"""Rebuilds rows that were lost or are out of date, from the objects in the bucket and from a restored table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from services.store.keys import USERNAME_FIELD, Upload, UploadId, parse_key
from services.store.kinds import KINDS
from services.store.states import is_marked
from services.store.table import Row, UnknownUserError, Value
from services.uploads.bucket import MissingObjectError
from services.uploads.rows import NotForwardError
from services.uploads.sweep.ledger import Ledger
from services.uploads.sweep.plan import Missing, Rules, Unreferenced, Young, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor

    from services.store.kinds import Kind
    from services.uploads.bucket import Bucket
    from services.uploads.users import Users

LOG_DELAY_SECONDS = 60
"""A removal's log line is written less than this after its mark, which has an earlier time."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about a user's uploads of one kind."""

    kind: Kind
    values: tuple[Value, ...]
    """Those of the row and of the row in the restored table, as far as there is one."""
    removed_at: float | None = None
    """Time of the user's last removal according to the logs, in seconds since the epoch."""
    newest: UploadId | None = None
    """The user's newest confirmed object to which no row refers."""
    there: frozenset[str] = frozenset()
    """The keys of `values` whose objects exist."""


def rebuild_value(known: Known) -> Value:
    """What the user's row should have of this kind.

    The picture is the user's newest object. It is never one that is older than a removal or than a picture that a row
    refers to: such an object was removed or replaced. If there is no newer object, the user has no picture, and no
    older object can become it. The missing one still can, in case it was deleted by mistake and comes back.
    """
    removed = _find_removal(known)
    prefix = known.kind.permanent_prefix
    uploads = [found.text for value in known.values if (found := parse_key(value.key or "", prefix))]
    there = [text for text in uploads if prefix + text in known.there]
    there += [known.newest.text] if known.newest else []
    last, newest = max(uploads, default=""), max(there, default="")
    if newest and newest >= last and newest > (removed or ""):
        rebuilt = Value(prefix + newest, removed)
    else:
        rebuilt = Value(None, max(removed or "", _find_id_before(last) if last else "") or None)
    current = known.values[0]
    # Otherwise the sweep tells the application of the row's new state.
    is_unchanged = (rebuilt.key, rebuilt.removed) == (current.key, current.removed)
    return current if is_unchanged else rebuilt


def _find_id_before(upload_id: str) -> str:
    return str(UUID(int=UUID(upload_id).int - 1))


def _find_removal(known: Known) -> str | None:
    """The last removal: the id that a row has, or one of the time in the logs."""
    marked = max((value.removed for value in known.values if value.removed), default=None)
    if known.removed_at is None:
        return marked
    if marked and UploadId(marked).created > known.removed_at - LOG_DELAY_SECONDS:
        return marked
    return UploadId.latest_at(known.removed_at).text


@dataclass(frozen=True, slots=True)
class Change:
    before: Row | None
    after: Row


@dataclass
class Restored:
    """What a restoration changed, or would change."""

    changes: list[Change] = field(default_factory=list[Change])
    conflicts: list[str] = field(default_factory=list[str])
    """Users whose row changed after it was read, so that it was left as it is."""
    rowless: list[str] = field(default_factory=list[str])
    """Users who have a picture, and no row in either table."""


@dataclass(frozen=True, slots=True)
class Restorer:
    """Safe to run at the same time as the services, and to repeat: a row is changed only if it is as it was read.

    Memory grows with the number of users of the restored table, and of those whose row is out of date.
    """

    bucket: Bucket
    users: Users
    former: Users | None
    """The restored table."""
    removals: Mapping[tuple[str, str], float]
    """The time of the last removal by user and kind, according to the logs."""
    clock: Callable[[], float]
    executor: Executor

    def restore(self, *, dry_run: bool = False) -> Restored:
        newest, dangling = self._compare()
        former = {row.username: row for row in self.former.list_rows()} if self.former else {}

        def find(username: str) -> tuple[Row | None, Row | None]:
            row = self._find_row(username)
            rows = [known for known in (row, former.get(username)) if known]
            if not rows:
                return None, None
            after = Row(username, rows[0].name)
            for kind in KINDS.values():
                values = tuple(known.of(kind) for known in rows)
                place = (username, kind.name)
                there = frozenset(filter(self._is_there, {value.key for value in values if value.key}))
                known = Known(kind, values, self.removals.get(place), newest.get(place), there)
                after = after.replace(kind, rebuild_value(known))
            return row, after

        restored = Restored()
        owners = {username for username, _ in newest}
        usernames = sorted({*owners, *dangling, *former, *(username for username, _ in self.removals)})
        for username, (before, after) in zip(usernames, self.executor.map(find, usernames), strict=True):
            if after is None:
                restored.rowless += [username] if username in owners else []
            elif after != before:
                self._change(Change(before, after), restored, dry_run=dry_run)
        return restored

    def _change(self, change: Change, restored: Restored, *, dry_run: bool) -> None:
        try:
            if not dry_run:
                self.users.restore(change.before, change.after)
        except NotForwardError:
            restored.conflicts.append(change.after.username)
        else:
            restored.changes.append(change)

    def _compare(self) -> tuple[dict[tuple[str, str], UploadId], set[str]]:
        """Find the newest confirmed object to which no row refers, by user and kind, and the users with a row whose
        object is missing.
        """
        unreferenced: list[Upload] = []
        dangling: set[str] = set()
        with Ledger() as ledger:
            ledger.write(self.users.list_rows())
            rules = Rules(self.clock(), settle_seconds=0, full=True)
            for kind in KINDS.values():
                listed = self.bucket.list_objects(kind.permanent_prefix)
                for finding in compare(kind, ledger.read(kind), listed, rules):
                    match finding:
                        case Unreferenced(upload) | Young(upload):
                            unreferenced.append(upload)
                        case Missing(reference):
                            dangling.add(reference.username)
                        case _:
                            pass
        owners = self.executor.map(self._find_owner, unreferenced)
        # The listing is in order of the ids, so each user's last one is the newest.
        found = zip(unreferenced, owners, strict=True)
        return {(owner, upload.kind.name): upload.id for upload, owner in found if owner}, dangling

    def _find_owner(self, upload: Upload) -> str | None:
        """The owner of a confirmed object. None if it has the pending tag, or was deleted since it was listed."""
        key = upload.permanent_key
        try:
            return None if is_marked(self.bucket.read_tags(key)) else self.bucket.describe(key).metadata[USERNAME_FIELD]
        except (MissingObjectError, KeyError):
            return None

    def _is_there(self, key: str) -> bool:
        try:
            return bool(self.bucket.describe(key))
        except MissingObjectError:
            return False

    def _find_row(self, username: str) -> Row | None:
        try:
            return self.users.find_row(username)
        except UnknownUserError:
            return None
