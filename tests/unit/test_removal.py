"""Removal over the fake of S3 and DynamoDB (`tests/fake`). `tests/model` tries every order of events."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from services.store.kinds import AVATAR, Kind
from services.store.table import UnknownUserError, Value
from services.uploads.deadline import LAST_CALL_SECONDS, DeadlineExceededError
from services.uploads.refusals import KeepsChangingError
from services.uploads.removal import MAX_TRIES, Remover
from services.uploads.remove import run
from tests.fake.aws import Aws, do_nothing, fail, once, refuse
from tests.fake.world import Call, World
from tests.rows import make_upload
from tests.unit.conftest import REGION

EARLIER, NOW, LATER, LAST = (make_upload(f"019b0000-000{number}-7000-8000-000000000000") for number in (1, 2, 3, 4))
"""Ids of successive milliseconds."""

UP_TO_NOW = "019b0000-0002-7fff-bfff-ffffffffffff"


@pytest.fixture
def aws() -> Aws:
    """Ada has an avatar."""
    return Aws(World(NOW.id.created + 0.0005).point("ada", EARLIER.permanent_key).point("bob", EARLIER.permanent_key))


@pytest.fixture
def remover(aws: Aws) -> Remover:
    return Remover(aws.users, lambda: aws.now)


def find_removed(aws: Aws) -> str | None:
    row = aws.world.find_row("ada")
    assert row
    return row.of(AVATAR).removed


def test_a_removal_returns_the_key_of_the_picture(remover: Remover, aws: Aws) -> None:
    assert remover.remove("ada", AVATAR).keys == (EARLIER.permanent_key,)
    assert aws.avatars == {"ada": None, "bob": EARLIER.permanent_key}
    assert find_removed(aws) == UP_TO_NOW
    # The caller deletes the picture.
    assert aws.operations == ["GetItem", "UpdateItem"]


def test_a_removal_without_an_avatar_refuses_later_confirms_too(remover: Remover, aws: Aws) -> None:
    aws.point("ada", None)
    assert remover.remove("ada", AVATAR).keys == ()
    assert find_removed(aws) == UP_TO_NOW


def test_a_repeat_removes_nothing(remover: Remover, aws: Aws) -> None:
    remover.remove("ada", AVATAR)
    assert remover.remove("ada", AVATAR).keys == ()
    assert find_removed(aws) == UP_TO_NOW


def test_nothing_is_removed_from_a_user_without_a_row(remover: Remover, aws: Aws) -> None:
    with pytest.raises(UnknownUserError):
        remover.remove("nobody", AVATAR)
    assert not aws.writes
    aws.before = once("UpdateItem", aws.remove_rows)
    with pytest.raises(UnknownUserError):
        remover.remove("ada", AVATAR)
    assert not aws.avatars


def test_an_avatar_of_a_clock_that_is_ahead_is_removed(remover: Remover, aws: Aws) -> None:
    aws.point("ada", LATER.permanent_key)
    assert remover.remove("ada", AVATAR).keys == (LATER.permanent_key,)
    assert find_removed(aws) == LATER.id.latest_of_its_time().text


@pytest.mark.parametrize("avatar", [EARLIER.permanent_key, None])
def test_a_removal_is_not_below_one_of_a_clock_that_is_ahead(remover: Remover, aws: Aws, avatar: str | None) -> None:
    aws.world = aws.world.set_value("ada", AVATAR, Value(None, LATER.id.text))
    aws.point("ada", avatar)
    assert remover.remove("ada", AVATAR).keys == ((avatar,) if avatar else ())
    assert find_removed(aws) == LATER.id.text


@pytest.mark.parametrize("before", [EARLIER.permanent_key, None])
def test_an_avatar_that_is_confirmed_during_the_removal_is_removed_too(
    remover: Remover, aws: Aws, before: str | None
) -> None:
    aws.point("ada", before)
    aws.before = once("UpdateItem", lambda: aws.point("ada", LATER.permanent_key))
    assert remover.remove("ada", AVATAR).keys == ((before, LATER.permanent_key) if before else (LATER.permanent_key,))
    assert aws.avatars["ada"] is None
    assert find_removed(aws) == LATER.id.latest_of_its_time().text


def test_a_removal_at_the_same_time_by_a_clock_that_is_ahead_is_kept(remover: Remover, aws: Aws) -> None:
    def remove_first() -> None:
        aws.world = aws.world.set_value("ada", AVATAR, Value(None, LATER.id.text))

    aws.before = once("UpdateItem", remove_first)
    # Both removals return the key. A key that is deleted twice is no error.
    assert remover.remove("ada", AVATAR).keys == (EARLIER.permanent_key,)
    assert find_removed(aws) == LATER.id.text


def test_a_removal_gives_up_after_its_last_try_if_the_avatar_keeps_changing(remover: Remover, aws: Aws) -> None:
    remaining = [LAST, LATER, NOW]

    def confirm_another(call: Call) -> None:
        if call.operation == "UpdateItem":
            aws.point("ada", remaining.pop().permanent_key)

    aws.before = confirm_another
    with pytest.raises(KeepsChangingError):
        remover.remove("ada", AVATAR)
    assert aws.operations == ["GetItem", "UpdateItem"] * MAX_TRIES
    assert aws.avatars["ada"] == LAST.permanent_key
    assert find_removed(aws) is None


@pytest.mark.parametrize(("slow", "operations"), [("GetItem", ["GetItem"]), ("UpdateItem", ["GetItem", "UpdateItem"])])
def test_a_removal_past_its_deadline_makes_no_further_call_and_a_repeat_finishes_it(
    remover: Remover, aws: Aws, slow: str, operations: list[str]
) -> None:
    def confirm_slowly() -> None:
        aws.wait(LAST_CALL_SECONDS + 1)
        aws.point("ada", LATER.permanent_key)

    aws.before = once(slow, confirm_slowly)
    with pytest.raises(DeadlineExceededError):
        remover.remove("ada", AVATAR)
    assert aws.operations == operations
    assert aws.avatars["ada"] == LATER.permanent_key
    assert remover.remove("ada", AVATAR).keys == (LATER.permanent_key,)


def test_a_removal_whose_response_is_lost_still_returns_the_key(remover: Remover, aws: Aws) -> None:
    """The SDK repeats the update. Its condition fails, since the first one took effect."""

    def lose_response() -> object:
        [update] = [call for call in aws.calls if call.operation == "UpdateItem"]
        aws.carry_out(update)
        return aws.carry_out(update)

    aws.before = once("UpdateItem", lose_response)
    assert remover.remove("ada", AVATAR).keys == (EARLIER.permanent_key,)
    assert aws.operations == ["GetItem", "UpdateItem"] * 2
    assert aws.avatars["ada"] is None


def test_a_removal_without_a_response_can_be_repeated(remover: Remover, aws: Aws) -> None:
    aws.before = fail("UpdateItem", ReadTimeoutError(endpoint_url="https://dynamodb"))
    with pytest.raises(ReadTimeoutError):
        remover.remove("ada", AVATAR)
    assert aws.avatars["ada"] == EARLIER.permanent_key
    assert remover.remove("ada", AVATAR).keys == (EARLIER.permanent_key,)


@pytest.mark.parametrize("operation", ["GetItem", "UpdateItem"])
def test_an_error_of_aws_surfaces_and_the_avatar_stays(remover: Remover, aws: Aws, operation: str) -> None:
    aws.before = refuse(operation)
    with pytest.raises(ClientError, match="AccessDenied"):
        remover.remove("ada", AVATAR)
    aws.before = do_nothing
    assert aws.avatars["ada"] == EARLIER.permanent_key


class TestCommand:
    """What `tests/integration/test_removal_command.py` can't show with a running system."""

    @pytest.mark.parametrize(
        "error",
        [
            KeepsChangingError("The avatar was changed."),
            DeadlineExceededError("Try again."),
            ReadTimeoutError(endpoint_url="https://dynamodb"),
        ],
    )
    def test_an_unfinished_removal_is_reported(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
    ) -> None:
        def fail(_remover: Remover, _username: str, _kind: Kind) -> None:
            raise error

        monkeypatch.setattr(Remover, "remove", fail)
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        assert run(["ada"], {"BUCKET": "pictures", "TABLE": "users"}) == 1
        expected = f"The avatar may still be there. Run the command again. {error}\n"
        assert capsys.readouterr() == ("", expected)

    def test_the_help_explains_the_exit_status(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as exited:
            run(["--help"], {})
        assert exited.value.code == 0
        assert "Exit status" in capsys.readouterr().out

    @pytest.mark.parametrize("arguments", [[], ["ada", "bob"], ["ada", "--all"]])
    def test_the_command_takes_one_username(self, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
        with pytest.raises(SystemExit) as exited:
            run(arguments, {})
        assert exited.value.code == 2
        assert capsys.readouterr().err.startswith("usage: python -m services.uploads.remove")
