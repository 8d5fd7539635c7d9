"""Removes each safeguard from the code in turn and proves that the model finds a violation."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from services.store.keys import DIGEST_FIELD, UploadId
from services.store.table import make_key, read_value
from services.uploads.bucket import Bucket, OtherBytesError
from services.uploads.confirm import Confirmed, Confirmer
from services.uploads.decision import Decision, Facts, Promote, decide
from services.uploads.message import describe_confirmed, describe_removed
from services.uploads.notifier import Notifier
from services.uploads.refusals import SupersededError
from services.uploads.removal import Removed, Remover
from services.uploads.rows import NotForwardError
from services.uploads.sweep.report import Outcome
from services.uploads.sweep.sweeper import Sweeper
from services.uploads.users import ADVANCE, Users
from tests.fake.clients import Application
from tests.model.explore import Explorer, ViolationError
from tests.model.programs import LIMITS, Code, Sweep
from tests.model.scenarios import OLDEST, make_scenarios, make_telling_scenarios

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from services.store.keys import Upload
    from services.store.kinds import Kind
    from services.store.table import Value
    from services.uploads.deadline import Deadline
    from services.uploads.message import Message
    from services.uploads.objects import Copy, Listed, Stored
    from services.uploads.sweep.ledger import Ledger
    from services.uploads.sweep.plan import Live, Rules
    from services.uploads.sweep.report import Report
    from services.uploads.sweep.sweeper import ShowProgress
    from tests.model.scenarios import Scenario

PREFIX, TAG, BOTH = ("prefix",), ("tag",), ("prefix", "tag")


@dataclass(frozen=True)
class Mutant:
    """Code without a safeguard, the strategies that need the safeguard, and the invariant that breaks."""

    name: str
    code: Code
    strategies: tuple[str, ...]
    broken: str


class AdvancesFirst(Confirmer):
    def _apply(
        self, username: str, upload: Upload, decision: Decision, deadline: Deadline, stored: Stored | None
    ) -> Confirmed:
        if not isinstance(decision, Promote):
            return super()._apply(username, upload, decision, deadline, stored)
        confirmed = self._advance(username, upload, decision.stored)
        self.bucket.copy(decision.copy)
        return confirmed


class DeletesOldPictureFirst(Confirmer):
    def _advance(self, username: str, upload: Upload, stored: Stored) -> Confirmed:
        if old := self.users.find_row(username).of(upload.kind).key:
            self.bucket.discard((old,))
        return super()._advance(username, upload, stored)


class DeletesPendingObjectFirst(Confirmer):
    def _advance(self, username: str, upload: Upload, stored: Stored) -> Confirmed:
        self.bucket.discard(self.strategy.leftovers(upload))
        return super()._advance(username, upload, stored)


class DeletesCopyOfRepeat(Confirmer):
    def _advance(self, username: str, upload: Upload, stored: Stored) -> Confirmed:  # noqa: ARG002
        try:
            replaced = self.users.advance(username, upload).key
        except NotForwardError as error:
            self.bucket.discard((upload.permanent_key, *self.strategy.leftovers(upload)))
            raise SupersededError from error
        leftovers = self.strategy.leftovers(upload)
        return Confirmed(upload, (replaced, *leftovers) if replaced else leftovers)


class IgnoresOwner(Confirmer):
    def _gather(self, username: str, upload: Upload, token: str | None, deadline: Deadline) -> Facts:  # noqa: ARG002
        key = self.strategy.posted_key(upload)
        inspection = self.executor.submit(
            self.bucket.inspect, key, self.limits.pictures[upload.kind.name].max_bytes, deadline
        )
        return Facts(self.clock(), self.users.find_row(username), inspection.result())


class NeverExpires(Confirmer):
    def _decide(self, username: str, upload: Upload, facts: Facts, deadline: Deadline) -> Decision:
        return super()._decide(username, upload, replace(facts, now=upload.id.created), deadline)


class ReadsRowOnce(Confirmer):
    def _decide(self, username: str, upload: Upload, facts: Facts, deadline: Deadline) -> Decision:  # noqa: ARG002
        return decide(upload, facts, self.limits, self.strategy)


class UnconditionalUsers(Users):
    def advance(self, username: str, upload: Upload) -> Value:
        answer = self.dynamodb.update_item(
            TableName=self.table,
            Key=make_key(username),
            UpdateExpression=ADVANCE,
            ExpressionAttributeNames={"#key": upload.kind.attribute, "#removed": upload.kind.removed_attribute},
            ExpressionAttributeValues={":new": {"S": upload.permanent_key}, ":id": {"S": upload.id.text}},
            ReturnValues="ALL_OLD",
        )
        return read_value(upload.kind, answer.get("Attributes", {}))


class MarksNothing(Users):
    """Removes the avatar and lets any later confirm set one."""

    def remove(self, username: str, kind: Kind, removed: str, key: str | None) -> None:  # noqa: ARG002
        super().remove(username, kind, OLDEST.id.text, key)


class RemovesUpToItsOwnClock(Remover):
    def remove(self, username: str, kind: Kind, request_id: str | None = None) -> Removed:  # noqa: ARG002
        removed = UploadId.latest_at(self.clock()).text
        return remove_up_to(self, username, kind, removed)


class RemovesWithTheUploadsId(Remover):
    """Gives the removal the id of the picture if the clock is behind."""

    def remove(self, username: str, kind: Kind, request_id: str | None = None) -> Removed:  # noqa: ARG002
        upload_id = (self.users.find_row(username).of(kind).key or "").removeprefix(kind.permanent_prefix)
        try:
            return remove_up_to(self, username, kind, max(UploadId.latest_at(self.clock()).text, upload_id))
        except NotForwardError:
            return self.remove(username, kind)


def remove_up_to(remover: Remover, username: str, kind: Kind, removed: str) -> Removed:
    key = remover.users.find_row(username).of(kind).key
    remover.users.remove(username, kind, removed, key)
    return Removed((key,) if key else (), describe_removed(username, kind, removed, None))


class MarksNoNewUser(Users):
    """Leaves a user without a row as they are."""

    def remove(self, username: str, kind: Kind, removed: str, key: str | None) -> None:
        if key is not None:
            super().remove(username, kind, removed, key)


class TellsFirst(Confirmer):
    """Tells the application before the row refers to the object."""

    def _advance(self, username: str, upload: Upload, stored: Stored) -> Confirmed:
        carry = cast("Any", self.users).dynamodb.carry
        Application(carry).send(upload.id.text, describe_confirmed(username, upload, stored, None).encode())
        return super()._advance(username, upload, stored)


class MarksFirst(Notifier):
    def tell(self, message: Message) -> bool:
        self.users.mark_told(message.username, message.kind, message.id)
        return super().tell(message)


class TellsNothing(Sweeper):
    def _tell_application(self, ledger: Ledger, report: Report, show_progress: ShowProgress) -> None:
        pass


class UnconditionalCopy(Bucket):
    def copy(self, step: Copy, deadline: Deadline | None = None) -> None:
        super().copy(replace(step, etag=cast("str", None)), deadline)


class OverwritingCopy(Bucket):
    def copy(self, step: Copy, deadline: Deadline | None = None) -> None:
        super().copy(replace(step, if_absent=False), deadline)


class UncomparedCopy(Bucket):
    """Believes every copy."""

    def copy(self, step: Copy, deadline: Deadline | None = None) -> None:
        with contextlib.suppress(OtherBytesError):
            super().copy(step, deadline)

    def blank(self, key: str, etag: str, metadata: Mapping[str, str]) -> None:
        pass


class UncheckedBytes(Bucket):
    """Describes every object as a small picture of the declared type."""

    def inspect(self, key: str, max_bytes: int, deadline: Deadline | None = None) -> Stored | None:
        stored = super().inspect(key, max_bytes, deadline)
        return replace(stored, format=stored.content_type, dimensions=(1, 1)) if stored else None


class UncomparedDigest(Bucket):
    """Describes every object as the declared file."""

    def inspect(self, key: str, max_bytes: int, deadline: Deadline | None = None) -> Stored | None:
        stored = super().inspect(key, max_bytes, deadline)
        return replace(stored, sha256=stored.metadata.get(DIGEST_FIELD)) if stored else None


class UndatedListing(Bucket):
    """Lists every object as written in 1970."""

    def list_objects(self, prefix: str) -> Iterator[Listed]:
        return (replace(listed, modified=0) for listed in super().list_objects(prefix))


class DeletesNothing(Sweeper):
    def _delete(self, keys: Sequence[str]) -> set[str]:  # noqa: ARG002
        return set()


class RepairsNothing(Sweeper):
    def _inspect_live(self, live: Live, *, dry_run: bool) -> Outcome:  # noqa: ARG002
        return Outcome.LIVE


class ReadsRecentTags(Sweeper):
    def _make_rules(self, now: float) -> Rules:
        return replace(super()._make_rules(now), full=False)


MUTANTS = [
    Mutant("the row is updated before the copy", Code(confirmer=AdvancesFirst), PREFIX, "I1"),
    Mutant("the old picture is deleted before the row is updated", Code(confirmer=DeletesOldPictureFirst), BOTH, "I1"),
    Mutant(
        "the pending object is deleted before the row is updated",
        Code(confirmer=DeletesPendingObjectFirst),
        PREFIX,
        "I6",
    ),
    Mutant("the row is updated without a condition", Code(users=UnconditionalUsers), BOTH, "I1"),
    Mutant("a concurrent repeat deletes the copy", Code(confirmer=DeletesCopyOfRepeat), BOTH, "I[16]"),
    Mutant("the copy has no condition on the ETag", Code(bucket=UnconditionalCopy), TAG, "I3"),
    Mutant("the copy's digest is not compared", Code(bucket=UncomparedCopy), BOTH, "I[13]"),
    Mutant("the copy overwrites an earlier one", Code(bucket=OverwritingCopy), PREFIX, "I3"),
    Mutant("the digest of the bytes is not compared", Code(bucket=UncomparedDigest), BOTH, "I[36]"),
    Mutant("the bytes are not checked", Code(bucket=UncheckedBytes), BOTH, "I3"),
    Mutant("a removal marks nothing", Code(users=MarksNothing), BOTH, "I[67]"),
    Mutant("a removal trusts its own clock", Code(remover=RemovesUpToItsOwnClock), BOTH, "I7"),
    Mutant("the owner of the object is not checked", Code(confirmer=IgnoresOwner), BOTH, "I2"),
    Mutant("an upload can be confirmed at any time", Code(confirmer=NeverExpires), PREFIX, "I[16]"),
    Mutant("the row is not read again where the object is missing", Code(confirmer=ReadsRowOnce), BOTH, "I6"),
    Mutant("the sweep has no margin", Code(bucket=UndatedListing, settle_seconds=LIMITS.confirm_seconds), PREFIX, "I1"),
    Mutant("the sweep doesn't wait for the confirm window", Code(settle_seconds=0), PREFIX, "I1"),
    Mutant("the sweep deletes nothing", Code(sweeper=DeletesNothing), BOTH, "I5"),
    Mutant("the sweep removes no tag", Code(sweeper=RepairsNothing), TAG, "I1"),
    Mutant("the sweep reads the tags of recent objects only", Code(sweeper=ReadsRecentTags), TAG, "I1"),
]


TELLING_MUTANTS = [
    Mutant("the application is told before the row is updated", Code(confirmer=TellsFirst), BOTH, "I9"),
    Mutant("the row is marked before the application is told", Code(notifier=MarksFirst), BOTH, "I9"),
    Mutant("the sweep tells nothing", Code(sweeper=TellsNothing), BOTH, "I9"),
    Mutant("a removal has the id of the upload", Code(remover=RemovesWithTheUploadsId), BOTH, "I9"),
    Mutant("a removal leaves no mark for a user without a row", Code(users=MarksNoNewUser), BOTH, "I7"),
]


@pytest.mark.parametrize("mutant", TELLING_MUTANTS, ids=[mutant.name for mutant in TELLING_MUTANTS])
def test_without_a_safeguard_the_application_hears_something_wrong(
    mutant: Mutant, covered: Callable[[str], None]
) -> None:
    check_mutant(mutant, make_telling_scenarios, covered)


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_without_a_safeguard_an_invariant_breaks(mutant: Mutant, covered: Callable[[str], None]) -> None:
    check_mutant(mutant, make_scenarios, covered)


def check_mutant(mutant: Mutant, make: Callable[[str], Iterable[Scenario]], covered: Callable[[str], None]) -> None:
    for strategy in mutant.strategies:
        problem = find_violation(make(strategy), mutant.code)
        assert problem, f"The model finds no violation under {strategy}"
        assert re.search(mutant.broken, problem.splitlines()[0])
    covered(f"model: caught that {mutant.name}")


def test_the_margin_alone_is_enough() -> None:
    with_sweeps = [scenario for scenario in make_scenarios("prefix") if Sweep() in scenario.programs]
    assert find_violation(with_sweeps, Code(bucket=UndatedListing)) is None


def find_violation(scenarios: Iterable[Scenario], code: Code) -> str | None:
    for scenario in scenarios:
        try:
            Explorer(scenario, code).explore()
        except ViolationError as violation:
            return str(violation)
    return None
