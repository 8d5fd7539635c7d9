"""The programs of the model: the product's own code, which stops before each call to AWS and receives its answer.

The product's code is not changed for this. A program is run from its beginning with the answers that it has received so
far, and stops at the first call without an answer. It depends on nothing but those answers, so they define its state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from botocore.exceptions import BotoCoreError

from services.store.clients import is_transient
from services.store.kinds import AVATAR, Kind
from services.uploads.bucket import Bucket
from services.uploads.confirm import Confirmer
from services.uploads.decision import Limits
from services.uploads.notifier import Notifier
from services.uploads.picture import limit_kinds
from services.uploads.removal import Remover
from services.uploads.strategies import STRATEGIES
from services.uploads.sweep.report import Outcome
from services.uploads.sweep.sweeper import Sweeper
from services.uploads.users import Users
from tests.fake.clients import S3, Application, DynamoDB
from tests.fake.executors import Eager, Lazy
from tests.fake.world import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.store.keys import Upload
    from services.uploads.message import Message
    from services.uploads.removal import Removed
    from tests.fake.clients import Carry

LIMITS = Limits(limit_kinds(5_000_000, 8192, 8192), form_seconds=300, confirm_seconds=3600)
MARGIN_SECONDS = 3600

CLOCK = Call("Clock")
ANSWER = "Answer"


@dataclass(frozen=True)
class Code:
    """The code under test. A mutant has other classes, or another margin."""

    confirmer: Any = Confirmer
    remover: Any = Remover
    sweeper: Any = Sweeper
    bucket: Any = Bucket
    users: Any = Users
    notifier: Any = Notifier
    settle_seconds: int = LIMITS.confirm_seconds + MARGIN_SECONDS


class Program(Protocol):
    @property
    def tells(self) -> bool:
        """Whether there is an application that is told."""
        ...

    def run(self, code: Code, carry: Carry) -> None:
        """Run to the end. `carry` receives every call to AWS, reading of the clock and response to the client."""
        ...


@dataclass(frozen=True)
class Confirm:
    """A confirm request, and the deletions after its response."""

    username: str
    upload: Upload
    strategy: str
    """The strategy under which the upload was presigned."""
    object_first: bool = True
    """Whether the object is read before the row. The service reads both in parallel."""
    service: str | None = None
    """The strategy of the service now, if it differs."""
    tells: bool = False
    """Whether there is an application that learns of it."""
    creates: bool = False
    """Whether a user without a row gets one."""

    @property
    def key(self) -> str:
        return STRATEGIES[self.strategy].posted_key(self.upload)

    def run(self, code: Code, carry: Carry) -> None:
        strategy = STRATEGIES[self.service or self.strategy]
        bucket = code.bucket(cast("Any", S3(carry)), "bucket")
        users = code.users(cast("Any", DynamoDB(carry)), "table", self.creates)
        confirmer = code.confirmer(
            bucket,
            users,
            strategy,
            LIMITS,
            lambda: carry(CLOCK),
            Eager() if self.object_first else Lazy(),
        )
        token = make_token(self.upload) if strategy.with_token else None
        leftovers: tuple[str, ...] = ()
        message: Message | None = None
        try:
            confirmed = confirmer.confirm(self.username, self.key, token)
            outcome, leftovers, message = "Confirmed", confirmed.leftovers, confirmed.message
        except Exception as error:  # noqa: BLE001 - each is a response of the service, which the explorer judges
            outcome = "Unavailable" if is_transient(error) else type(error).__name__
        carry(Call(ANSWER, (outcome,)))
        bucket.discard(leftovers)
        if message and self.tells:
            code.notifier(Application(carry), users, bucket, LIMITS.pictures).tell(message)


@dataclass(frozen=True)
class Remove:
    """A removal request, and the deletion after its response."""

    username: str
    kind: Kind = AVATAR
    seconds_behind: float = 0
    """How far the clock of its task is behind."""
    tells: bool = False
    creates: bool = False

    def run(self, code: Code, carry: Carry) -> None:
        bucket = code.bucket(cast("Any", S3(carry)), "bucket")
        users = code.users(cast("Any", DynamoDB(carry)), "table", self.creates)
        remover = code.remover(users, lambda: carry(CLOCK) - self.seconds_behind)
        removed: Removed | None = None
        try:
            removed = remover.remove(self.username, self.kind)
            outcome = "Removed"
        except Exception as error:  # noqa: BLE001 - each is a response of the service, which the explorer judges
            outcome = "Unavailable" if is_transient(error) else type(error).__name__
        carry(Call(ANSWER, (outcome,)))
        bucket.discard(removed.keys if removed else ())
        if removed and self.tells:
            code.notifier(Application(carry), users, bucket, LIMITS.pictures).tell(removed.message)


@dataclass(frozen=True)
class Sweep:
    tells: bool = False

    def run(self, code: Code, carry: Carry) -> None:
        bucket = code.bucket(cast("Any", S3(carry)), "bucket")
        users = code.users(cast("Any", DynamoDB(carry)), "table")
        sweeper = code.sweeper(
            bucket,
            users,
            LIMITS.pictures,
            code.settle_seconds,
            1000,
            1.0,
            lambda: carry(CLOCK),
            Eager(),
            notifier=code.notifier(Application(carry), users, bucket, LIMITS.pictures) if self.tells else None,
        )
        try:
            report = sweeper.sweep()
            outcome = "Failed" if report.counts[Outcome.FAILED] or report.counts[Outcome.UNTOLD] else "Swept"
        except BotoCoreError:
            outcome = "Failed"
        carry(Call(ANSWER, (outcome,)))


class NextCall(BaseException):
    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.call = call


def find_next(program: Program, code: Code, answers: tuple[Any, ...]) -> Call | None:
    """The call that the program makes after these answers; None if it ends."""
    given = iter(answers)

    def carry(call: Call) -> Any:
        for answer in given:
            return answer
        raise NextCall(call)

    try:
        program.run(code, carry)
    except NextCall as stopped:
        return stopped.call
    return None


@dataclass
class Direct:
    """Runs a program to its end without others. `outcome`: the response to the client."""

    call: Callable[[Call], Any]
    now: float
    outcome: str = ""

    def run(self, program: Program, code: Code) -> str:
        program.run(code, self._carry)
        return self.outcome

    def _carry(self, call: Call) -> Any:
        if call == CLOCK:
            return self.now
        if call.operation == ANSWER:
            (self.outcome,) = call.given
            return None
        return self.call(call)


def make_token(upload: Upload) -> str:
    return f"token of {upload.id.text}"
