"""Sweeps the bucket: gathers references and objects, lets `plan` compare them, inspects and repairs what it finds, and
deletes orphans after all of them were counted.
"""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from services.store.clients import AWS_ERRORS
from services.store.keys import USERNAME_FIELD, Upload
from services.store.kinds import KINDS, PENDING_PREFIXES, Kind
from services.store.states import State, find_value_state, is_marked
from services.store.table import UnknownUserError
from services.uploads.bucket import Bucket, ChangedError, MissingObjectError, NotDeletedError, OtherBytesError
from services.uploads.decision import Replace, decide_repair
from services.uploads.strategies import STRATEGIES
from services.uploads.sweep.ledger import Ledger
from services.uploads.sweep.plan import (
    Deferred,
    Finding,
    Foreign,
    Live,
    Missing,
    Orphan,
    Rules,
    Unread,
    Unreferenced,
    Young,
    compare,
    decide_orphan,
    decide_unless_unread,
    find_excess,
    is_full_hour,
)
from services.uploads.sweep.report import Outcome, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Executor

    from services.store.kinds import PictureLimits
    from services.store.table import Row
    from services.uploads.notifier import Notifier
    from services.uploads.rows import Rows

logger = logging.getLogger(__name__)

BATCH = 1000
"""Number of findings that are inspected together; S3 deletes as many objects in one call."""

TOLD_BATCH = 100
"""Number of rows of whose state the application is told together."""

MAX_TOLD = 100_000
"""Number of rows of whose state one sweep tells the application. If a message takes a second, they take 52 minutes with
32 threads, and the next sweep starts after an hour.
"""

Item = TypeVar("Item")
Result = TypeVar("Result")


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
    users: Rows
    limits: Mapping[str, PictureLimits]
    """By kind."""
    settle_seconds: int
    """The confirm window plus the margin."""
    max_deletions: int
    max_deleted_share: float
    clock: Callable[[], float]
    executor: Executor
    pending_prefixes: tuple[str, ...] = PENDING_PREFIXES
    full: bool = False
    """Whether every sweep is a full one, whatever the hour."""
    notifier: Notifier | None = None
    """Tells the application, if there is one."""

    def sweep(self, *, dry_run: bool = False, show_progress: ShowProgress = show_no_progress) -> Report:
        """
        Raises:
            ClientError, BotoCoreError, ResponseParserError, HTTPError: the table or the bucket could not be read to the
                end. The complete batches before that are repaired, and nothing is deleted.
        """
        rules = self._make_rules(self.clock())
        report = Report(dry_run)
        with Ledger() as ledger:
            # The whole table is read first. If no row referred to an object by then and one does later, a confirm wrote
            # that row, and a confirm is possible for young objects only.
            report.rows = ledger.write(show_progress(self.users.list_rows(), "rows", None))
            is_doubtful = False
            for kind in KINDS.values():
                objects = self.bucket.list_objects(kind.permanent_prefix)
                listed = show_progress(objects, kind.permanent_prefix, ledger.count(kind))
                findings = compare(kind, ledger.read(kind), listed, rules)
                while batch := list(itertools.islice(findings, BATCH)):
                    is_doubtful |= self._inspect_batch(kind, batch, ledger, report)
            self._treat_orphans(ledger, report, show_progress, is_doubtful=is_doubtful)
            self._tell_application(ledger, report, show_progress)
        pending = itertools.chain.from_iterable(map(self.bucket.list_objects, self.pending_prefixes))
        for entry in show_progress(pending, "pending", None):
            # Lifecycle rules delete these. Their number shows how many uploads are abandoned.
            report.add(Outcome.PENDING if rules.is_settled(entry.modified) else Outcome.YOUNG, entry.key)
        return report

    def _make_rules(self, now: float) -> Rules:
        return Rules(now, self.settle_seconds, full=self.full or is_full_hour(now))

    def _inspect_batch(self, kind: Kind, batch: Sequence[Finding], ledger: Ledger, report: Report) -> bool:
        """Inspect and repair, and note the orphans. Return whether the object of some row is missing, or may be."""

        def inspect(finding: Unread) -> Outcome | Orphan:
            return self._attempt(_name(finding), lambda: self._find_outcome(kind, finding, dry_run=report.dry_run))

        is_doubtful = False
        orphans: list[Orphan] = []
        # Most findings take no call. Handing each of these to a thread would take longer than deciding it.
        decided = [decide_unless_unread(finding) for finding in batch]
        inspected = self.executor.map(inspect, (unread for unread in decided if not isinstance(unread, Outcome)))
        for finding, known in zip(batch, decided, strict=True):
            outcome = known if isinstance(known, Outcome) else next(inspected)
            is_missing = isinstance(finding, Missing)
            report.listed[kind.name] += not is_missing
            if isinstance(outcome, Orphan):
                orphans.append(outcome)
            else:
                report.add(outcome, _name(finding))
                is_doubtful |= is_missing and outcome in {Outcome.DANGLING, Outcome.FAILED}
        ledger.add_orphans(orphans)
        return is_doubtful

    def _treat_orphans(self, ledger: Ledger, report: Report, show_progress: ShowProgress, *, is_doubtful: bool) -> None:
        """Delete the orphans, unless there are too many. Each one's owner is read again right before."""

        def decide(orphan: Orphan) -> Outcome:
            return self._attempt(
                orphan.upload.permanent_key, lambda: self._decide_orphan(orphan, is_doubtful=is_doubtful)
            )

        counts = ledger.count_orphans()
        report.excess = find_excess(counts, report, self.max_deletions, self.max_deleted_share)
        orphans = iter(show_progress(ledger.read_orphans(), "orphans", sum(counts.values())))
        while batch := list(itertools.islice(orphans, BATCH)):
            keys = [orphan.upload.permanent_key for orphan in batch]
            if report.excess:
                outcomes = dict.fromkeys(keys, Outcome.SKIPPED)
            else:
                outcomes = dict(zip(keys, self.executor.map(decide, batch), strict=True))
                if not report.dry_run:
                    failed = self._delete([key for key in keys if outcomes[key] is Outcome.DELETED])
                    outcomes |= dict.fromkeys(failed, Outcome.FAILED)
            for key in keys:
                report.add(outcomes[key], key)

    def _tell_application(self, ledger: Ledger, report: Report, show_progress: ShowProgress) -> None:
        """Tell the application of every row of whose state it was not told. If it accepts no message of a batch, the
        rest is left to the next sweep.
        """
        if self.notifier is None:
            return
        notifier, count, left = self.notifier, ledger.count_untold(), MAX_TOLD

        def tell(kind: Kind, username: str) -> Outcome:
            def act() -> Outcome:
                return Outcome.TOLD if notifier.tell_state(username, kind) else Outcome.UNTOLD

            return Outcome.TOLD if report.dry_run else self._attempt(username, act)

        is_accepting = True
        untold = iter(show_progress(ledger.read_untold(), "untold", count))
        while batch := list(itertools.islice(untold, TOLD_BATCH)):
            if left <= 0 or not is_accepting:
                outcomes = [Outcome.WAITING if is_accepting else Outcome.UNTOLD] * len(batch)
            else:
                outcomes = list(self.executor.map(tell, *zip(*batch, strict=True)))
                is_accepting = not all(outcome is Outcome.UNTOLD for outcome in outcomes)
            left -= len(batch)
            for (kind, username), outcome in zip(batch, outcomes, strict=True):
                report.add(outcome, f"{username} ({kind.name})")

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

    def _attempt(self, name: str, act: Callable[[], Result]) -> Result | Outcome:
        try:
            return act()
        except (MissingObjectError, ChangedError, UnknownUserError):
            return Outcome.GONE
        except AWS_ERRORS as error:
            logger.warning("%s: %s", name, error)
            return Outcome.FAILED
        except Exception:
            # One object must not keep the sweep from the others.
            logger.exception("%s: unexpected error", name)
            return Outcome.FAILED

    def _find_outcome(self, kind: Kind, finding: Unread, *, dry_run: bool) -> Outcome | Orphan:
        match finding:
            case Live():
                return self._inspect_live(finding, dry_run=dry_run)
            case Unreferenced(upload):
                return self._inspect_unreferenced(upload)
            case Missing(reference):
                return self._inspect_missing(kind, reference.key, reference.username)

    def _inspect_live(self, live: Live, *, dry_run: bool) -> Outcome:
        key, limits = live.upload.permanent_key, self.limits[live.upload.kind.name]
        if not is_marked(self.bucket.read_tags(key)) and not (live.read_checksum and self._has_other_bytes(key)):
            return Outcome.LIVE
        stored = self.bucket.inspect(key, limits.max_bytes)
        if stored is None:
            raise MissingObjectError(key)
        # Not the configured strategy: only forms of `tag` can post to a permanent key.
        step = decide_repair(live.upload, stored, limits, STRATEGIES["tag"])
        if not dry_run:
            try:
                self.bucket.repair(step)
            except OtherBytesError:
                return Outcome.REPLACED
        return Outcome.REPLACED if isinstance(step, Replace) else Outcome.RESTORED

    def _has_other_bytes(self, key: str) -> bool:
        return not self.bucket.describe(key).is_declared

    def _inspect_unreferenced(self, upload: Upload) -> Outcome | Orphan:
        key = upload.permanent_key
        if is_marked(self.bucket.read_tags(key)):
            return Outcome.PENDING
        return Orphan(upload, self.bucket.describe(key).metadata.get(USERNAME_FIELD, ""))

    def _decide_orphan(self, orphan: Orphan, *, is_doubtful: bool) -> Outcome:
        kind, row = orphan.upload.kind, self._find_row(orphan.owner)
        key = _find_key(row, kind)
        is_there = key is not None and self._is_there(kind, key)
        if key and not is_there and _find_key(self._find_row(orphan.owner), kind) != key:
            # A confirm replaced the picture between the reads.
            return Outcome.GONE
        return decide_orphan(orphan, row, is_there=is_there, is_doubtful=is_doubtful)

    def _inspect_missing(self, kind: Kind, key: str, username: str) -> Outcome:
        is_there = self._is_there(kind, key)
        # The row is read after the object: in the other order a confirm could replace the picture between the reads.
        if _find_key(self._find_row(username), kind) != key:
            return Outcome.GONE
        state = find_value_state(kind, key, is_there=is_there)
        return Outcome.DANGLING if state is State.DANGLING else Outcome.LIVE

    def _is_there(self, kind: Kind, key: str) -> bool:
        # The sweep has permission for keys under permanent prefixes only.
        if not key.startswith(kind.permanent_prefix):
            return False
        try:
            self.bucket.describe(key)
        except MissingObjectError:
            return False
        return True

    def _find_row(self, username: str) -> Row | None:
        try:
            return self.users.find_row(username) if username else None
        except UnknownUserError:
            return None


def _find_key(row: Row | None, kind: Kind) -> str | None:
    return row.of(kind).key if row else None


def _name(finding: Finding) -> str:
    match finding:
        case Live(upload) | Unreferenced(upload) | Deferred(upload) | Young(upload):
            return upload.permanent_key
        case Missing(reference):
            return f"{reference.username} -> {reference.key}"
        case Foreign(key):
            return key
