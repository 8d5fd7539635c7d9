"""Sweeps the bucket: gathers references and objects, lets `plan` compare them, inspects the findings, and applies."""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from services.store.clients import AWS_ERRORS
from services.store.keys import AVATAR_PREFIX, PENDING_PREFIXES, USERNAME_FIELD
from services.store.states import State, find_avatar_state, find_state, is_marked
from services.store.table import UnknownUserError
from services.uploads.bucket import Bucket, ChangedError, MissingObjectError, NotDeletedError, OtherBytesError
from services.uploads.decision import Replace, decide_repair
from services.uploads.strategies import STRATEGIES
from services.uploads.sweep.ledger import Ledger
from services.uploads.sweep.plan import Finding, Foreign, Live, Missing, Rules, Unreferenced, Young, compare
from services.uploads.sweep.report import Outcome, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Executor

    from services.store.keys import UploadId
    from services.uploads.picture import PictureLimits
    from services.uploads.users import Users

logger = logging.getLogger(__name__)

BATCH = 1000
"""Number of findings that are inspected together; S3 deletes as many objects in one call."""

Item = TypeVar("Item")


class ShowProgress(Protocol):
    """Returns the items unchanged and shows how many were taken, of `total` if that is known."""

    def __call__(self, items: Iterable[Item], label: str, total: int | None) -> Iterable[Item]: ...


def show_no_progress(items: Iterable[Item], label: str, total: int | None) -> Iterable[Item]:  # noqa: ARG001
    return items


@dataclass(frozen=True, slots=True)
class Sweeper:
    """A sweep is safe to run at the same time as confirms, lifecycle rules and other sweeps, and safe to stop at any
    time.
    """

    bucket: Bucket
    users: Users
    limits: PictureLimits
    settle_seconds: int
    """The confirm window plus the margin."""
    max_deletions: int
    clock: Callable[[], float]
    executor: Executor
    pending_prefixes: tuple[str, ...] = PENDING_PREFIXES

    def sweep(self, *, dry_run: bool = False, show_progress: ShowProgress = show_no_progress) -> Report:
        """
        Raises:
            ClientError, BotoCoreError, ResponseParserError, HTTPError: the table or the bucket could not be read to the
                end. The complete batches before that are applied.
        """
        rules = Rules(self.clock(), self.settle_seconds)
        report = Report(dry_run)
        with Ledger() as ledger:
            # The whole table is read first. If no row referred to an object by then and one does later, a confirm wrote
            # that row, and a confirm is possible for young objects only.
            report.rows = ledger.write(show_progress(self.users.list_rows(), "rows", None))
            listed = show_progress(self.bucket.list_objects(AVATAR_PREFIX), "objects", report.rows)
            findings = compare(ledger.read(), listed, rules)
            while batch := list(itertools.islice(findings, BATCH)):
                self._apply(batch, report)
        pending = itertools.chain.from_iterable(map(self.bucket.list_objects, self.pending_prefixes))
        for entry in show_progress(pending, "pending", None):
            # Lifecycle rules delete these. Their number shows how many uploads are abandoned.
            report.add(Outcome.PENDING if rules.is_settled(entry.modified) else Outcome.YOUNG, entry.key)
        return report

    def _apply(self, batch: Sequence[Finding], report: Report) -> None:
        orphans: list[str] = []
        outcomes = self.executor.map(self._inspect, batch, itertools.repeat(report.dry_run))
        for finding, outcome in zip(batch, outcomes, strict=True):
            name = _name(finding)
            if outcome is not Outcome.DELETED:
                report.add(outcome, name)
            elif self._may_delete(report):
                report.tried += 1
                orphans.append(name)
            else:
                report.add(Outcome.SKIPPED, name)
        failed = set[str]() if report.dry_run else self._delete(orphans)
        for key in orphans:
            report.add(Outcome.FAILED if key in failed else Outcome.DELETED, key)

    def _may_delete(self, report: Report) -> bool:
        """If no row has or had an avatar, nothing is deleted: `TABLE` probably names another table."""
        return report.rows > 0 and report.tried < self.max_deletions

    def _delete(self, keys: Sequence[str]) -> set[str]:
        """Delete these objects and return the keys that were not deleted."""
        try:
            if keys:
                self.bucket.delete(keys)
        except NotDeletedError as error:
            logger.warning("Not deleted: %s", error)
            return set(error.keys)
        except AWS_ERRORS as error:
            logger.warning("Not deleted: %s", error)
            return set(keys)
        return set()

    def _inspect(self, finding: Finding, dry_run: bool) -> Outcome:  # noqa: FBT001 - `map` passes it by position
        """The outcome of the finding. `DELETED` means that the caller must delete the object."""
        try:
            return self._find_outcome(finding, dry_run=dry_run)
        except (MissingObjectError, ChangedError):
            return Outcome.GONE
        except AWS_ERRORS as error:
            logger.warning("%s: %s", _name(finding), error)
            return Outcome.FAILED
        except Exception:
            # One object must not keep the sweep from the others.
            logger.exception("%s: unexpected error", _name(finding))
            return Outcome.FAILED

    def _find_outcome(self, finding: Finding, *, dry_run: bool) -> Outcome:
        match finding:
            case Live(upload_id, recent):
                return self._inspect_live(upload_id, dry_run=dry_run) if recent else Outcome.LIVE
            case Unreferenced(upload_id):
                return self._inspect_unreferenced(upload_id)
            case Missing(reference):
                return self._inspect_missing(reference.avatar, reference.username)
            case Young():
                return Outcome.YOUNG
            case Foreign():
                return Outcome.FOREIGN

    def _inspect_live(self, upload_id: UploadId, *, dry_run: bool) -> Outcome:
        key = upload_id.avatar_key
        if not is_marked(self.bucket.read_tags(key)) and self.bucket.describe(key).is_declared:
            return Outcome.LIVE
        stored = self.bucket.inspect(key, self.limits.max_bytes)
        if stored is None:
            raise MissingObjectError(key)
        # Not the configured strategy: only forms of `tag` can post to an avatar's key.
        step = decide_repair(upload_id, stored, self.limits, STRATEGIES["tag"])
        if not dry_run:
            try:
                self.bucket.repair(step)
            except OtherBytesError:
                return Outcome.REPLACED
        return Outcome.REPLACED if isinstance(step, Replace) else Outcome.RESTORED

    def _inspect_unreferenced(self, upload_id: UploadId) -> Outcome:
        key = upload_id.avatar_key
        owner = self.bucket.describe(key).metadata.get(USERNAME_FIELD)
        match find_state(key, self.bucket.read_tags(key), self._find_avatar(owner)):
            case State.PENDING:
                return Outcome.PENDING
            case State.ORPHAN:
                return Outcome.DELETED
            case _:
                return Outcome.LIVE

    def _inspect_missing(self, avatar: str, username: str) -> Outcome:
        # The sweep has permission for keys under `avatars/` only.
        is_there = avatar.startswith(AVATAR_PREFIX) and self._is_there(avatar)
        # The row is read after the object: in the other order a confirm could replace the picture between the reads.
        if self._find_avatar(username) != avatar:
            return Outcome.GONE
        state = find_avatar_state(avatar, is_there=is_there)
        return Outcome.DANGLING if state is State.DANGLING else Outcome.LIVE

    def _is_there(self, key: str) -> bool:
        try:
            self.bucket.describe(key)
        except MissingObjectError:
            return False
        return True

    def _find_avatar(self, username: str | None) -> str | None:
        try:
            return self.users.find_row(username).avatar if username else None
        except UnknownUserError:
            return None


def _name(finding: Finding) -> str:
    match finding:
        case Live(upload_id) | Unreferenced(upload_id) | Young(upload_id):
            return upload_id.avatar_key
        case Missing(reference):
            return f"{reference.username} -> {reference.avatar}"
        case Foreign(key):
            return key
