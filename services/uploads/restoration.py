"""Rebuilds rows that were lost or are out of date, from the objects in the bucket and from a restored table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from uuid import UUID

from services.store.keys import AVATAR_PREFIX, USERNAME_FIELD, UploadId, parse_key
from services.store.states import is_marked
from services.store.table import Row, UnknownUserError
from services.uploads.bucket import MissingObjectError
from services.uploads.sweep.ledger import Ledger
from services.uploads.sweep.plan import Missing, Rules, Unreferenced, Young, compare
from services.uploads.users import NotForwardError, Users

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor

    from services.uploads.bucket import Bucket

LOG_DELAY_SECONDS = 60
"""A removal's log line is written less than this after its mark, which has an earlier time."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about a user."""

    row: Row | None
    former: Row | None = None
    """The row in the restored table."""
    removed_at: float | None = None
    """Time of the user's last removal according to the logs, in seconds since the epoch."""
    newest: UploadId | None = None
    """The user's newest confirmed object to which no row refers."""
    there: frozenset[str] = frozenset()
    """The avatars of both rows whose objects exist."""

    @property
    def rows(self) -> list[Row]:
        return [row for row in (self.row, self.former) if row]


def rebuild_row(known: Known) -> Row | None:
    """The row that the user should have. None if neither table has a row of this user.

    The avatar is the user's newest object. It is never one that is older than a removal or than an avatar that a row
    refers to: such an object was removed or replaced. If there is no newer object, the user has no avatar, and no
    older object can become it. The missing one still can, in case it was deleted by mistake and comes back.
    """
    if not known.rows:
        return None
    username, name = known.rows[0].username, known.rows[0].name
    removed = _find_removal(known)
    uploads = [found.text for row in known.rows if (found := parse_key(row.avatar or "", AVATAR_PREFIX))]
    there = [text for text in uploads if UploadId(text).avatar_key in known.there]
    there += [known.newest.text] if known.newest else []
    last, newest = max(uploads, default=""), max(there, default="")
    if newest and newest >= last and newest > (removed or ""):
        return Row(username, name, UploadId(newest).avatar_key, removed)
    return Row(username, name, None, max(removed or "", _find_id_before(last) if last else "") or None)


def _find_id_before(upload_id: str) -> str:
    return str(UUID(int=UUID(upload_id).int - 1))


def _find_removal(known: Known) -> str | None:
    """The last removal: the id that a row has, or one of the time in the logs."""
    marked = max((row.removed for row in known.rows if row.removed), default=None)
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
    removals: Mapping[str, float]
    """The time of each user's last removal according to the logs."""
    clock: Callable[[], float]
    executor: Executor

    def restore(self, *, dry_run: bool = False) -> Restored:
        newest, dangling = self._compare()
        former = {row.username: row for row in self.former.list_rows()} if self.former else {}

        def find(username: str) -> Known:
            row = self._find_row(username)
            known = Known(row, former.get(username), self.removals.get(username), newest.get(username))
            avatars = {row.avatar for row in known.rows if row.avatar}
            return replace(known, there=frozenset(filter(self._is_there, avatars)))

        restored = Restored()
        usernames = sorted({*newest, *dangling, *former, *self.removals})
        for username, known in zip(usernames, self.executor.map(find, usernames), strict=True):
            after = rebuild_row(known)
            if after is None:
                restored.rowless += [username] if known.newest else []
            elif after != known.row:
                self._change(Change(known.row, after), restored, dry_run=dry_run)
        return restored

    def _change(self, change: Change, restored: Restored, *, dry_run: bool) -> None:
        try:
            if not dry_run:
                self.users.restore(change.before, change.after)
        except NotForwardError:
            restored.conflicts.append(change.after.username)
        else:
            restored.changes.append(change)

    def _compare(self) -> tuple[dict[str, UploadId], set[str]]:
        """Find each user's newest confirmed object to which no row refers, and the users whose avatar is missing."""
        unreferenced: list[UploadId] = []
        dangling: set[str] = set()
        with Ledger() as ledger:
            ledger.write(self.users.list_rows())
            rules = Rules(self.clock(), settle_seconds=0, full=True)
            for finding in compare(ledger.read(), self.bucket.list_objects(AVATAR_PREFIX), rules):
                match finding:
                    case Unreferenced(upload_id) | Young(upload_id):
                        unreferenced.append(upload_id)
                    case Missing(reference):
                        dangling.add(reference.username)
                    case _:
                        pass
        owners = self.executor.map(self._find_owner, unreferenced)
        # The listing is in order of the ids, so each user's last one is the newest.
        return {owner: upload_id for upload_id, owner in zip(unreferenced, owners, strict=True) if owner}, dangling

    def _find_owner(self, upload_id: UploadId) -> str | None:
        """The owner of a confirmed object. None if it has the pending tag, or was deleted since it was listed."""
        key = upload_id.avatar_key
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
