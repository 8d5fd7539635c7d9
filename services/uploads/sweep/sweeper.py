"""Gathers what the plan needs, takes a closer look at what it found, and applies."""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from services.store.clients import AWS_ERRORS
from services.store.keys import AVATAR_PREFIX, PENDING_PREFIXES
from services.store.states import State, find_avatar_state, find_state, is_marked
from services.uploads.bucket import Bucket, ChangedError, MissingObjectError, NotDeletedError
from services.uploads.decision import Replace, decide_repair
from services.uploads.strategies import STRATEGIES
from services.uploads.sweep.ledger import Ledger
from services.uploads.sweep.plan import Finding, Foreign, Live, Missing, Rules, Unreferenced, Young, compare
from services.uploads.sweep.report import Outcome, Report
from services.uploads.users import UnknownUserError, Users

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Executor

    from services.store.keys import UploadId
    from services.uploads.picture import PictureLimits

logger = logging.getLogger(__name__)

BATCH = 1000
"""Findings looked at together; as many as S3 deletes in one call."""

Item = TypeVar("Item")


class Track(Protocol):
    """Hands the items through, and shows somebody how far it has come."""

    def __call__(self, items: Iterable[Item], what: str, total: int | None) -> Iterable[Item]: ...


def track_nothing(items: Iterable[Item], what: str, total: int | None) -> Iterable[Item]:  # noqa: ARG001
    return items


@dataclass(frozen=True, slots=True)
class Sweeper:
    """Safe beside confirms, lifecycle rules and other sweeps, and safe to stop at any moment."""

    bucket: Bucket
    users: Users
    limits: PictureLimits
    settle_seconds: int
    """The confirm window and the margin."""
    max_deletions: int
    clock: Callable[[], float]
    executor: Executor
    pending_prefixes: tuple[str, ...] = PENDING_PREFIXES

    def sweep(self, *, dry_run: bool = False, track: Track = track_nothing) -> Report:
        """
        Raises:
            ClientError, BotoCoreError, ResponseParserError: the table or the bucket could not be read to the end.
                What was read in full before that has been dealt with, and nothing else.
        """
        rules = Rules(self.clock(), self.settle_seconds)
        report = Report(dry_run)
        with Ledger() as ledger:
            # The table first, and to its end: an object that is listed after that and was not referenced by then can
            # have become so only in a confirm, for which it would have to be young.
            report.rows = ledger.write(track(self.users.list_references(), "rows", None))
            listed = track(self.bucket.list_objects(AVATAR_PREFIX), "objects", report.rows)
            findings = compare(ledger.read(), listed, rules)
            while batch := list(itertools.islice(findings, BATCH)):
                self._treat(batch, report)
        pending = itertools.chain.from_iterable(map(self.bucket.list_objects, self.pending_prefixes))
        for entry in track(pending, "pending", None):
            # Lifecycle rules delete these. Their number shows how many uploads are abandoned.
            report.add(Outcome.PENDING if rules.is_settled(entry.modified) else Outcome.YOUNG, entry.key)
        return report

    def _treat(self, batch: Sequence[Finding], report: Report) -> None:
        orphans: list[str] = []
        looked = self.executor.map(self._look, batch, itertools.repeat(report.dry_run))
        for finding, outcome in zip(batch, looked, strict=True):
            name = _name(finding)
            if outcome is not Outcome.DELETED:
                report.add(outcome, name)
            elif self._may_delete(report):
                report.tried += 1
                orphans.append(name)
            else:
                report.add(Outcome.SKIPPED, name)
        kept = set[str]() if report.dry_run else self._delete(orphans)
        for key in orphans:
            report.add(Outcome.FAILED if key in kept else Outcome.DELETED, key)

    def _may_delete(self, report: Report) -> bool:
        """A table without a single avatar is more likely the wrong table than one that has lost them all."""
        return report.rows > 0 and report.tried < self.max_deletions

    def _delete(self, keys: Sequence[str]) -> set[str]:
        """Those that were not deleted."""
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

    def _look(self, finding: Finding, dry_run: bool) -> Outcome:  # noqa: FBT001 - handed on by map
        """What is to be said of it, after a closer look at what needs one. `DELETED` is left to be done."""
        try:
            return self._find_outcome(finding, dry_run=dry_run)
        except (MissingObjectError, ChangedError):
            return Outcome.GONE
        except AWS_ERRORS as error:
            logger.warning("%s: %s", _name(finding), error)
            return Outcome.FAILED

    def _find_outcome(self, finding: Finding, *, dry_run: bool) -> Outcome:
        match finding:
            case Live(upload_id, recent):
                return self._look_at_live(upload_id, dry_run=dry_run) if recent else Outcome.LIVE
            case Unreferenced(upload_id):
                return self._look_at_unreferenced(upload_id)
            case Missing(reference):
                return self._look_at_missing(reference.avatar, reference.username)
            case Young():
                return Outcome.YOUNG
            case Foreign():
                return Outcome.FOREIGN

    def _look_at_live(self, upload_id: UploadId, *, dry_run: bool) -> Outcome:
        key = upload_id.avatar_key
        if not is_marked(self.bucket.read_tags(key)):
            return Outcome.LIVE
        stored = self.bucket.inspect(key)
        if stored is None:
            raise MissingObjectError(key)
        # Whichever strategy is on now: only this one's forms ever reach an avatar.
        step = decide_repair(upload_id, stored, self.limits, STRATEGIES["tag"])
        if not dry_run:
            self.bucket.repair(step)
        return Outcome.REPLACED if isinstance(step, Replace) else Outcome.RESTORED

    def _look_at_unreferenced(self, upload_id: UploadId) -> Outcome:
        key = upload_id.avatar_key
        owner = self.bucket.find_owner(key)
        match find_state(key, self.bucket.read_tags(key), self._find_avatar(owner)):
            case State.PENDING:
                return Outcome.PENDING
            case State.ORPHAN:
                return Outcome.DELETED
            case _:
                return Outcome.LIVE

    def _look_at_missing(self, avatar: str, username: str) -> Outcome:
        # What is no avatar is nothing that the sweep may look at: S3 would refuse it, whether it is there or not.
        is_there = avatar.startswith(AVATAR_PREFIX) and self._is_there(avatar)
        # Only now the row again: had it been asked first, a confirm could have replaced the picture in between.
        if self._find_avatar(username) != avatar:
            return Outcome.GONE
        state = find_avatar_state(avatar, is_there=is_there)
        return Outcome.DANGLING if state is State.DANGLING else Outcome.LIVE

    def _is_there(self, key: str) -> bool:
        try:
            self.bucket.find_owner(key)
        except MissingObjectError:
            return False
        return True

    def _find_avatar(self, username: str | None) -> str | None:
        try:
            return self.users.find_avatar(username) if username else None
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
