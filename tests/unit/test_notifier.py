"""What the application is told, and when a row is marked as told, with S3, DynamoDB and the application in memory."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from services.store.keys import REQUEST_FIELD
from services.store.kinds import AVATAR, BANNER
from services.store.table import UnknownUserError, Value, find_untold
from services.uploads.bucket import MissingObjectError
from services.uploads.message import Message, describe_confirmed, describe_removed, find_replaced
from services.uploads.notifier import Notifier
from services.uploads.objects import Stored
from services.uploads.outbox import Outbox
from services.uploads.picture import limit_kinds
from services.uploads.sweep.report import Outcome
from services.uploads.sweep.sweeper import MAX_TOLD, TOLD_BATCH, Sweeper
from services.uploads.webhook import NotAcceptedError
from services.web.metrics import Metrics
from tests.eventually import PATIENCE_SECONDS
from tests.fake.aws import Aws, fail, refuse
from tests.fake.world import DIGESTS, GOOD, Object, World
from tests.rows import make_upload

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from services.uploads.sweep.report import Report

pytestmark = pytest.mark.anyio

OLD, UPLOAD, LATER = (make_upload(f"019b0000-0000-7000-8000-00000000000{number}") for number in (1, 2, 3))
REMOVED = "019b0000-0001-7fff-bfff-ffffffffffff"
PICTURE = Object("good", (("request-id", "r-1"), ("sha256", DIGESTS["good"]), ("username", "ada")))
LIMITS = limit_kinds(5_000_000, 4200, 4200)
STORED = Stored('"e"', 123, "image/png", {REQUEST_FIELD: "r-1"}, "digest", "image/png", (8, 6))
MESSAGE = describe_confirmed("ada", UPLOAD, STORED, OLD.permanent_key)


@dataclass
class Application:
    """Records the messages. `accepts`: whether it accepts them. `unknown`: users whose messages it always refuses."""

    accepts: bool = True
    unknown: frozenset[str] = frozenset()
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])

    def send(self, message_id: str, body: bytes) -> None:
        self.received.append((message_id, msgspec.json.decode(body)))
        if not self.accepts or self.received[-1][1]["data"]["username"] in self.unknown:
            raise NotAcceptedError("The status code is 500")


@pytest.fixture
def aws() -> Aws:
    """Ada's avatar is `UPLOAD`. The application was not told of it."""
    aws = Aws(World(1_800_000_000))
    aws.put(UPLOAD.permanent_key, PICTURE)
    aws.point("ada", UPLOAD.permanent_key)
    return aws


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def notifier(aws: Aws, application: Application) -> Notifier:
    return Notifier(application, aws.users, aws.bucket, LIMITS)


def find_told(aws: Aws, username: str = "ada") -> str | None:
    return aws.world.find_value(username, AVATAR).told


def test_the_message_of_a_confirm_has_all_about_the_upload() -> None:
    assert msgspec.json.decode(MESSAGE.encode()) == {
        "type": "upload.confirmed",
        "data": {
            "id": UPLOAD.id.text,
            "username": "ada",
            "kind": "avatar",
            "key": UPLOAD.permanent_key,
            "size": 123,
            "content_type": "image/png",
            "width": 8,
            "height": 6,
            "replaced": OLD.permanent_key,
            "request_id": "r-1",
        },
    }


def test_the_message_of_a_removal_has_its_id() -> None:
    message = describe_removed("ada", AVATAR, REMOVED, None, "r-2")
    assert message.id == REMOVED
    assert msgspec.json.decode(message.encode()) == {
        "type": "upload.removed",
        "data": {"id": REMOVED, "username": "ada", "kind": "avatar", "replaced": None, "request_id": "r-2"},
    }


def test_two_messages_never_have_one_webhook_id() -> None:
    places = [(username, kind) for username in ("ada", "bob") for kind in (AVATAR, BANNER)]
    ids = {describe_removed(username, kind, REMOVED, None).webhook_id for username, kind in places}
    assert len(ids) == len(places)
    assert all(webhook_id.startswith(REMOVED) for webhook_id in ids)
    assert MESSAGE.webhook_id == UPLOAD.id.text


def test_a_repeat_of_a_message_has_the_same_webhook_id() -> None:
    first = describe_removed("ada", AVATAR, REMOVED, UPLOAD.permanent_key, "r-2")
    assert describe_removed("ada", AVATAR, REMOVED, None).webhook_id == first.webhook_id


@pytest.mark.parametrize(
    ("before", "replaced"),
    [
        (Value(), None),
        (Value(OLD.permanent_key), OLD.permanent_key),
        (Value(OLD.permanent_key, told=OLD.id.text), OLD.permanent_key),
        pytest.param(Value(UPLOAD.permanent_key, told=OLD.id.text), OLD.permanent_key, id="the last one was skipped"),
        pytest.param(Value(None, REMOVED, told=OLD.id.text), OLD.permanent_key, id="the removal was skipped"),
        pytest.param(Value(None, REMOVED, told=REMOVED), None, id="told of the removal"),
        pytest.param(
            Value(UPLOAD.permanent_key, OLD.id.text, told=OLD.id.text), None, id="told of a removal that was inferred"
        ),
    ],
)
def test_what_was_replaced_is_what_the_application_knows(before: Value, replaced: str | None) -> None:
    assert find_replaced(AVATAR, before) == replaced


@pytest.mark.parametrize(
    ("value", "untold"),
    [
        (Value(), None),
        (Value(UPLOAD.permanent_key), UPLOAD.id.text),
        (Value(UPLOAD.permanent_key, told=OLD.id.text), UPLOAD.id.text),
        (Value(UPLOAD.permanent_key, told=UPLOAD.id.text), None),
        (Value(UPLOAD.permanent_key, OLD.id.text, OLD.id.text), UPLOAD.id.text),
        (Value(None, REMOVED), REMOVED),
        (Value(None, REMOVED, UPLOAD.id.text), REMOVED),
        (Value(None, REMOVED, REMOVED), None),
        pytest.param(Value("elsewhere/1", REMOVED), None, id="no upload"),
    ],
)
def test_a_state_is_untold_until_its_id_is_marked(value: Value, untold: str | None) -> None:
    assert find_untold(AVATAR, value) == untold


def test_the_row_is_marked_after_the_application_accepted_the_message(
    notifier: Notifier, application: Application, aws: Aws
) -> None:
    assert notifier.tell(MESSAGE)
    assert application.received == [(UPLOAD.id.text, msgspec.json.decode(MESSAGE.encode()))]
    assert find_told(aws) == UPLOAD.id.text


def test_a_row_is_not_marked_if_the_application_refused_the_message(
    notifier: Notifier, application: Application, aws: Aws
) -> None:
    application.accepts = False
    assert not notifier.tell(MESSAGE)
    assert find_told(aws) is None


def test_a_failed_mark_is_no_error(notifier: Notifier, aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    aws.before = refuse("UpdateItem")
    assert notifier.tell(MESSAGE)
    assert find_told(aws) is None
    assert "the row is not marked" in caplog.text


def test_an_earlier_message_does_not_move_the_mark_back(notifier: Notifier, aws: Aws) -> None:
    aws.world = aws.world.set_value("ada", AVATAR, Value(LATER.permanent_key, told=LATER.id.text))
    assert notifier.tell(MESSAGE)
    assert find_told(aws) == LATER.id.text


def test_the_state_of_a_row_is_described_from_the_object(notifier: Notifier, application: Application) -> None:
    assert notifier.tell_state("ada", AVATAR)
    (received,) = application.received
    assert received[1]["data"] == {
        "id": UPLOAD.id.text,
        "username": "ada",
        "kind": "avatar",
        "key": UPLOAD.permanent_key,
        "size": len(GOOD),
        "content_type": "image/png",
        "width": 8,
        "height": 8,
        "replaced": None,
        "request_id": "r-1",
    }


def test_the_state_after_a_removal_is_described(notifier: Notifier, application: Application, aws: Aws) -> None:
    aws.world = aws.world.set_value("ada", AVATAR, Value(None, REMOVED, UPLOAD.id.text))
    assert notifier.tell_state("ada", AVATAR)
    assert application.received[0][1]["data"]["replaced"] == UPLOAD.permanent_key
    assert find_told(aws) == REMOVED


def test_a_told_state_is_not_told_again(notifier: Notifier, application: Application) -> None:
    assert notifier.tell_state("ada", AVATAR)
    assert notifier.tell_state("ada", AVATAR)
    assert len(application.received) == 1


def test_the_state_of_a_missing_row_or_object_can_t_be_told(notifier: Notifier, aws: Aws) -> None:
    with pytest.raises(UnknownUserError):
        notifier.tell_state("nobody", AVATAR)
    aws.remove(UPLOAD.permanent_key)
    with pytest.raises(MissingObjectError):
        notifier.tell_state("ada", AVATAR)


def sweep(aws: Aws, executor: Executor, notifier: Notifier | None, *, dry_run: bool = False) -> Report:
    sweeper = Sweeper(aws.bucket, aws.users, LIMITS, 7200, 1000, 1.0, lambda: aws.now, executor, notifier=notifier)
    return sweeper.sweep(dry_run=dry_run)


def test_a_sweep_tells_what_stands_untold(
    aws: Aws, executor: Executor, notifier: Notifier, application: Application
) -> None:
    aws.world = aws.world.set_value("bob", AVATAR, Value(None, REMOVED))
    aws.world = aws.world.set_value("cleo", AVATAR, Value(None, REMOVED, REMOVED))
    report = sweep(aws, executor, notifier)
    assert report.counts[Outcome.TOLD] == 2
    assert not report.needs_attention
    assert [message["data"]["username"] for _, message in application.received] == ["bob", "ada"]
    assert (find_told(aws), find_told(aws, "bob")) == (UPLOAD.id.text, REMOVED)
    assert sweep(aws, executor, notifier).counts[Outcome.TOLD] == 0


def test_a_sweep_without_an_application_tells_nothing(aws: Aws, executor: Executor) -> None:
    report = sweep(aws, executor, None)
    assert (report.counts[Outcome.TOLD], report.counts[Outcome.UNTOLD]) == (0, 0)
    assert "UpdateItem" not in aws.operations


def test_a_dry_run_tells_nothing(aws: Aws, executor: Executor, notifier: Notifier, application: Application) -> None:
    assert sweep(aws, executor, notifier, dry_run=True).counts[Outcome.TOLD] == 1
    assert application.received == []


def test_a_sweep_stops_telling_an_application_that_accepts_nothing(
    aws: Aws, executor: Executor, notifier: Notifier, application: Application
) -> None:
    for number in range(2 * TOLD_BATCH):
        aws.world = aws.world.set_value(f"user-{number:03}", AVATAR, Value(None, REMOVED))
    application.accepts = False
    report = sweep(aws, executor, notifier)
    assert len(application.received) == TOLD_BATCH
    assert report.counts[Outcome.UNTOLD] == 2 * TOLD_BATCH + 1
    assert report.needs_attention


def test_states_that_the_application_always_refuses_do_not_keep_later_ones_from_being_told(
    aws: Aws, executor: Executor, notifier: Notifier, application: Application
) -> None:
    application.unknown = frozenset(f"a-former-user-{number:03}" for number in range(2 * TOLD_BATCH))
    for username in sorted(application.unknown):
        aws.world = aws.world.set_value(username, AVATAR, Value(None, OLD.id.text))
    assert sweep(aws, executor, notifier).counts[Outcome.TOLD] == 1
    assert find_told(aws) == UPLOAD.id.text


def test_a_sweep_leaves_what_is_too_much_to_the_next(
    aws: Aws, executor: Executor, notifier: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_TOLD > TOLD_BATCH
    monkeypatch.setattr("services.uploads.sweep.sweeper.MAX_TOLD", 1)
    monkeypatch.setattr("services.uploads.sweep.sweeper.TOLD_BATCH", 1)
    aws.world = aws.world.set_value("bob", AVATAR, Value(None, REMOVED))
    report = sweep(aws, executor, notifier)
    assert (report.counts[Outcome.TOLD], report.counts[Outcome.WAITING]) == (1, 1)
    assert not report.needs_attention
    assert sweep(aws, executor, notifier).counts[Outcome.TOLD] == 1


def test_a_row_that_can_t_be_read_is_a_failure_of_that_row(
    aws: Aws, executor: Executor, notifier: Notifier, application: Application
) -> None:
    aws.world = aws.world.set_value("bob", AVATAR, Value(None, REMOVED))
    aws.before = refuse("GetItem", "bob")
    report = sweep(aws, executor, notifier)
    assert (report.counts[Outcome.TOLD], report.counts[Outcome.FAILED]) == (1, 1)
    assert [message["data"]["username"] for _, message in application.received] == ["ada"]


def test_an_object_that_was_replaced_during_the_sweep_is_no_failure(
    aws: Aws, executor: Executor, notifier: Notifier
) -> None:
    aws.before = fail("GetObject", MissingObjectError(UPLOAD.permanent_key))
    report = sweep(aws, executor, notifier)
    assert (report.counts[Outcome.GONE], report.counts[Outcome.FAILED]) == (1, 0)


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def metrics(lines: list[str]) -> Metrics:
    return Metrics("uploads", write=lines.append)


def find_counted(lines: list[str]) -> list[str]:
    return [name for line in lines for name in ("NotTold", "Told") if f'"{name}":[1]' in line]


@pytest.mark.parametrize(("accepts", "counted"), [(True, "Told"), (False, "NotTold")])
async def test_a_message_in_the_background_is_counted(
    notifier: Notifier, application: Application, metrics: Metrics, lines: list[str], *, accepts: bool, counted: str
) -> None:
    application.accepts = accepts
    outbox = Outbox(notifier, metrics)
    await outbox.send(MESSAGE)
    await outbox.send(None)
    outbox.close()
    assert len(application.received) == 1
    assert find_counted(lines) == [counted]


async def test_without_an_application_nothing_is_sent_or_counted(metrics: Metrics, lines: list[str]) -> None:
    outbox = Outbox(None, metrics)
    await outbox.send(MESSAGE)
    outbox.close()
    assert lines == []


async def test_a_message_beyond_the_maximum_is_left_to_the_sweep(metrics: Metrics, lines: list[str]) -> None:
    over = threading.Event()

    class Slow(Notifier):
        def tell(self, message: Message) -> bool:  # noqa: ARG002
            return over.wait(PATIENCE_SECONDS)

    empty: Any = None
    outbox = Outbox(Slow(empty, empty, empty, {}), metrics, max_waiting=1)
    first = asyncio.create_task(outbox.send(MESSAGE))
    await asyncio.sleep(0)
    await outbox.send(MESSAGE)
    assert find_counted(lines) == ["NotTold"]
    over.set()
    await first
    outbox.close()
    assert find_counted(lines) == ["NotTold", "Told"]
