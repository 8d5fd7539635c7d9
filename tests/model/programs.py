"""What runs in the model: the product's own code, stopped before each call to AWS and told what came of it.

Nothing is rewritten for that. A program is run from its beginning with the answers that it has had so far, and stops at
the first call for which there is none. Since it depends on nothing but those answers, that is where it is.
"""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from botocore.exceptions import BotoCoreError

from services.store.clients import is_transient
from services.uploads.bucket import Bucket
from services.uploads.confirm import Confirmer
from services.uploads.decision import Limits
from services.uploads.strategies import STRATEGIES
from services.uploads.sweep.report import Outcome
from services.uploads.sweep.sweeper import Sweeper
from services.uploads.users import Users
from tests.model.clients import S3, DynamoDB
from tests.model.world import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from services.store.keys import UploadId
    from tests.model.clients import Carry

LIMITS = Limits(max_bytes=5_000_000, max_width=8192, max_height=8192, form_seconds=300, confirm_seconds=3600)
MARGIN_SECONDS = 3600

CLOCK = Call("Clock")
ANSWER = "Answer"


@dataclass(frozen=True)
class Code:
    """The code under test. A mutant has other classes, or another margin."""

    confirmer: Any = Confirmer
    sweeper: Any = Sweeper
    bucket: Any = Bucket
    users: Any = Users
    settle_seconds: int = LIMITS.confirm_seconds + MARGIN_SECONDS


class Program(Protocol):
    def run(self, code: Code, carry: Carry) -> None:
        """Do it all. `carry` is asked for every call to AWS, for the clock, and told of the answer to the client."""
        ...


@dataclass(frozen=True)
class Confirm:
    """A client's third call, and what follows its answer."""

    username: str
    upload_id: UploadId
    strategy: str
    """Under which it was presigned."""
    object_first: bool = True
    """Which of the two parallel reads is the first."""
    service: str | None = None
    """The strategy of the service by now, if it is another one."""

    @property
    def key(self) -> str:
        return STRATEGIES[self.strategy].posted_key(self.upload_id)

    def run(self, code: Code, carry: Carry) -> None:
        strategy = STRATEGIES[self.service or self.strategy]
        confirmer = code.confirmer(
            code.bucket(cast("Any", S3(carry)), "bucket"),
            code.users(cast("Any", DynamoDB(carry)), "table"),
            strategy,
            LIMITS,
            lambda: carry(CLOCK),
            Eager() if self.object_first else Lazy(),
        )
        token = make_token(self.upload_id) if strategy.with_token else None
        leftovers: tuple[str, ...] = ()
        try:
            confirmed = confirmer.confirm(self.username, self.key, token)
            outcome, leftovers = "Confirmed", confirmed.leftovers
        except Exception as error:  # noqa: BLE001 - each is an answer of the service, and the explorer's to judge
            outcome = "Unavailable" if is_transient(error) else type(error).__name__
        carry(Call(ANSWER, (outcome,)))
        confirmer.discard(leftovers)


@dataclass(frozen=True)
class Sweep:
    def run(self, code: Code, carry: Carry) -> None:
        sweeper = code.sweeper(
            code.bucket(cast("Any", S3(carry)), "bucket"),
            code.users(cast("Any", DynamoDB(carry)), "table"),
            LIMITS,
            code.settle_seconds,
            1000,
            lambda: carry(CLOCK),
            Eager(),
        )
        try:
            report = sweeper.sweep()
            outcome = "Failed" if report.counts[Outcome.FAILED] else "Swept"
        except BotoCoreError:
            outcome = "Failed"
        carry(Call(ANSWER, (outcome,)))


class Eager(Executor):
    """Does a thing at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return _Done(lambda: fn(*args, **kwargs), at_once=True)

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **_: Any) -> Iterator[Any]:
        return map(fn, *iterables)


class Lazy(Eager):
    """Does a thing when its result is wanted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return _Done(lambda: fn(*args, **kwargs), at_once=False)


class _Done(Future[Any]):
    def __init__(self, compute: Callable[[], Any], *, at_once: bool) -> None:
        super().__init__()
        self._compute = compute
        if at_once:
            self._keep()

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            self._keep()
        return super().result(timeout)

    def _keep(self) -> None:
        try:
            self.set_result(self._compute())
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the future
            self.set_exception(error)


class NextCall(BaseException):
    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.call = call


def find_next(program: Program, code: Code, answers: tuple[Any, ...]) -> Call | None:
    """The call that the program makes after these answers; None when it has come to its end."""
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
    """Runs a program to its end, alone in a world; `outcome`: what a client was answered."""

    call: Callable[[Call], Any]
    now: float
    outcome: str = ""
    calls: list[Call] = field(default_factory=list[Call])

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


def make_token(upload_id: UploadId) -> str:
    return f"token of {upload_id.text}"
