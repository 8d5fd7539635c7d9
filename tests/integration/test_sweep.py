"""The sweep against the running system, with the permissions that it has and no others."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import termios
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uuid_utils
from botocore.exceptions import ClientError

from bench.soak.sweeping import open_sweeper, read_clock
from infra.documents.policies import sweep_policy
from infra.documents.table import table_definition
from infra.local.ports import HOST, pick_free_ports
from infra.local.stack import inherit_environ
from services.store.keys import UploadId
from services.uploads.bucket import Bucket as SweptBucket
from services.uploads.strategies import STRATEGIES
from services.uploads.sweep.report import Outcome
from tests.conftest import only_prefix, only_tag, post_form
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.metric_lines import read_counts
from tests.pictures import make_picture
from tests.targets import Trait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from infra.local.clients import Aws
    from infra.local.stack import Stack
    from services.uploads.sweep.report import Report
    from services.uploads.sweep.sweeper import Sweeper
    from tests.conftest import Bucket, User


pytestmark = pytest.mark.every_aws

ROOT = Path(__file__).parents[2]
PICTURE = make_picture()
RUBBISH = b"<script>".ljust(len(PICTURE))


@pytest.fixture
def sweep(stack: Stack) -> Aws:
    return stack.aws.with_credentials(stack.resources.credentials["sweep"])


@pytest.fixture
def s3_clock(stack: Stack) -> Callable[[], float]:
    return read_clock(stack)


@pytest.fixture
def sweeper(stack: Stack) -> Iterator[Sweeper]:
    """Hours later."""
    with open_sweeper(stack) as opened:
        yield opened


def make_id(age: int = 0) -> UploadId:
    return UploadId(str(uuid_utils.uuid7(nanoseconds=time.time_ns() - age * 10**9)))


def put_orphan(bucket: Bucket, username: str, age: int = 0) -> str:
    """What is left where a process is killed between the row and the deletion of the old avatar."""
    key = make_id(age).avatar_key
    bucket.aws.s3.put_object(
        Bucket=bucket.name, Key=key, Body=PICTURE, ContentType="image/png", Metadata={"username": username}
    )
    return key


def confirmed(user: User) -> dict[str, Any]:
    form = user.put_up("image/png", PICTURE)
    user.confirm(form).raise_for_status()
    return form


def is_marked(bucket: Bucket, key: str) -> bool:
    return "pending-tag" in bucket.head(key).get("Expiration", "")


@pytest.fixture
def lost_user(stack: Stack, user: User) -> Iterator[User]:
    """Somebody whose row is broken by the test, and goes with it."""
    yield user
    key: Any = {"Username": {"S": user.username}}
    stack.aws.dynamodb.delete_item(TableName=stack.resources.table, Key=key)


def point_at(user: User, avatar: str) -> None:
    row: Any = {"Username": {"S": user.username}, "Name": {"S": user.name}, "Avatar": {"S": avatar}}
    user.stack.aws.dynamodb.put_item(TableName=user.stack.resources.table, Item=row)


def test_an_orphan_is_deleted_and_the_avatar_stays(sweeper: Sweeper, user: User, bucket: Bucket) -> None:
    orphan = put_orphan(bucket, user.username)
    assert orphan in bucket.keys(user.username)
    report = sweeper.sweep()
    assert bucket.keys(user.username) == [user.avatar]
    assert report.counts[Outcome.DELETED] >= 1
    assert report.counts[Outcome.FAILED] == report.counts[Outcome.SKIPPED] == 0
    assert report.rows >= 1


def test_a_dry_run_tells_of_an_orphan_and_leaves_it(sweeper: Sweeper, user: User, bucket: Bucket) -> None:
    orphan = put_orphan(bucket, user.username)
    planned = sweeper.sweep(dry_run=True)
    assert planned.counts[Outcome.DELETED] >= 1
    assert set(bucket.keys(user.username)) == {user.avatar, orphan}
    assert sweeper.sweep().counts[Outcome.DELETED] == planned.counts[Outcome.DELETED]
    assert bucket.keys(user.username) == [user.avatar]


@pytest.mark.needs(Trait.EXPIRATION)
def test_an_upload_that_was_never_confirmed_is_left_to_the_lifecycle_rule(
    sweeper: Sweeper, user: User, bucket: Bucket
) -> None:
    form = user.put_up("image/png", PICTURE)
    report = sweeper.sweep()
    assert set(bucket.keys(user.username)) == {user.avatar, form["key"]}
    assert report.counts[Outcome.PENDING] >= 1
    assert "Expiration" in bucket.head(form["key"])


def test_a_name_of_no_upload_is_left_alone(sweeper: Sweeper, user: User, bucket: Bucket) -> None:
    key = f"avatars/{user.username}.png"
    bucket.aws.s3.put_object(Bucket=bucket.name, Key=key, Body=PICTURE)
    try:
        assert sweeper.sweep().counts[Outcome.FOREIGN] >= 1
        assert bucket.read(key) == PICTURE
    finally:
        bucket.aws.s3.delete_object(Bucket=bucket.name, Key=key)


@pytest.mark.parametrize("age", [0, 30 * 86_400])
def test_the_sweep_leaves_what_was_just_put_there_under_whatever_id(
    sweeper: Sweeper, s3_clock: Callable[[], float], user: User, bucket: Bucket, age: int
) -> None:
    orphan = put_orphan(bucket, user.username, age)
    report = replace(sweeper, clock=s3_clock).sweep()
    assert set(bucket.keys(user.username)) == {user.avatar, orphan}
    assert report.counts[Outcome.YOUNG] >= 1
    assert report.counts[Outcome.DELETED] == 0


def test_a_sweep_while_a_confirm_is_under_way_takes_nothing_from_it(
    sweeper: Sweeper, s3_clock: Callable[[], float], user: User, bucket: Bucket
) -> None:
    now = replace(sweeper, clock=s3_clock)
    form = user.put_up("image/png", PICTURE)
    before = user.avatar
    now.sweep()
    upload_id = UploadId(form["key"].partition("/")[2])
    strategy = next(strategy for strategy in STRATEGIES.values() if form["key"].startswith(strategy.prefix))
    root = SweptBucket(bucket.aws.s3, bucket.name)
    stored = root.inspect(form["key"])
    assert stored
    # The confirm has got this far, and is slow.
    root.copy(strategy.promotion(upload_id, stored))
    now.sweep()
    assert user.avatar == before
    assert set(bucket.keys(user.username)) == {before, form["key"], upload_id.avatar_key}
    assert user.confirm(form).json() == {"username": user.username, "avatar": upload_id.avatar_key}
    now.sweep()
    eventually(lambda: bucket.keys(user.username) == [upload_id.avatar_key])
    assert bucket.read(upload_id.avatar_key) == PICTURE


def test_what_a_killed_confirm_copied_goes_once_it_is_old(sweeper: Sweeper, user: User, bucket: Bucket) -> None:
    form = user.put_up("image/png", PICTURE)
    upload_id = UploadId(form["key"].partition("/")[2])
    strategy = next(strategy for strategy in STRATEGIES.values() if form["key"].startswith(strategy.prefix))
    root = SweptBucket(bucket.aws.s3, bucket.name)
    stored = root.inspect(form["key"])
    assert stored
    root.copy(strategy.promotion(upload_id, stored))
    sweeper.sweep()
    waiting = {key for key in (form["key"],) if key != upload_id.avatar_key}
    assert set(bucket.keys(user.username)) == {user.avatar, *waiting}


def test_two_sweeps_at_once_do_not_disturb_each_other(sweeper: Sweeper, user: User, bucket: Bucket) -> None:
    for _ in range(5):
        put_orphan(bucket, user.username)
    with ThreadPoolExecutor(2) as executor:
        reports: list[Report] = [future.result() for future in [executor.submit(sweeper.sweep) for _ in range(2)]]
    assert bucket.keys(user.username) == [user.avatar]
    assert [report.counts[Outcome.FAILED] for report in reports] == [0, 0]


@pytest.mark.needs(Trait.EXPIRATION_IN_TIME)
@only_tag
class TestPostedAgain:
    def test_a_picture_is_restored(self, sweeper: Sweeper, user: User, bucket: Bucket) -> None:
        form = confirmed(user)
        avatar = user.avatar or ""
        post_form(form, PICTURE).raise_for_status()
        assert is_marked(bucket, avatar)
        assert sweeper.sweep(dry_run=True).counts[Outcome.RESTORED] >= 1
        assert is_marked(bucket, avatar)
        assert sweeper.sweep().counts[Outcome.RESTORED] >= 1
        assert not is_marked(bucket, avatar)
        assert bucket.read(avatar) == PICTURE
        assert bucket.head(avatar)["ContentType"] == "image/png"
        # Its owner may still repeat the confirm.
        assert user.confirm(form).json() == {"username": user.username, "avatar": avatar}

    def test_rubbish_gives_way_to_a_blank_picture(self, sweeper: Sweeper, user: User, bucket: Bucket) -> None:
        form = confirmed(user)
        avatar = user.avatar or ""
        post_form(form, RUBBISH).raise_for_status()
        assert sweeper.sweep(dry_run=True).counts[Outcome.REPLACED] >= 1
        assert bucket.read(avatar) == RUBBISH
        assert sweeper.sweep().counts[Outcome.REPLACED] >= 1
        assert not is_marked(bucket, avatar)
        assert bucket.read(avatar).startswith(b"\x89PNG")
        assert bucket.owner(avatar) == user.username
        assert user.confirm(form).json() == {"username": user.username, "avatar": avatar}

    def test_a_sweep_of_now_restores_as_well(
        self, sweeper: Sweeper, s3_clock: Callable[[], float], user: User, bucket: Bucket
    ) -> None:
        post_form(confirmed(user), PICTURE).raise_for_status()
        replace(sweeper, clock=s3_clock).sweep()
        assert not is_marked(bucket, user.avatar or "")

    def test_one_that_was_written_long_ago_is_not_looked_at(
        self, sweeper: Sweeper, s3_clock: Callable[[], float], user: User, bucket: Bucket
    ) -> None:
        post_form(confirmed(user), PICTURE).raise_for_status()
        replace(sweeper, clock=lambda: s3_clock() + 5 * 86_400).sweep()
        assert is_marked(bucket, user.avatar or "")


def test_a_row_whose_object_is_missing_is_named(sweeper: Sweeper, lost_user: User, bucket: Bucket) -> None:
    avatar = lost_user.avatar
    bucket.aws.s3.delete_object(Bucket=bucket.name, Key=avatar or "")
    report = sweeper.sweep()
    assert report.needs_attention
    assert f"{lost_user.username} -> {avatar}" in report.names[Outcome.DANGLING]
    assert report.counts[Outcome.FAILED] == 0
    assert lost_user.avatar == avatar


@pytest.mark.parametrize("elsewhere", ["pending/{}", "{}"])
def test_a_row_that_points_elsewhere_than_to_an_avatar_is_named(
    sweeper: Sweeper, lost_user: User, bucket: Bucket, elsewhere: str
) -> None:
    # The sweep may not read there, and so can't tell by S3's answer.
    key = elsewhere.format(make_id().text)
    bucket.aws.s3.put_object(Bucket=bucket.name, Key=key, Body=PICTURE)
    point_at(lost_user, key)
    try:
        report = sweeper.sweep()
    finally:
        bucket.aws.s3.delete_object(Bucket=bucket.name, Key=key)
    assert f"{lost_user.username} -> {key}" in report.names[Outcome.DANGLING]
    assert report.counts[Outcome.FAILED] == 0


REFUSED: dict[str, Callable[[Aws, Stack, str], object]] = {
    "change a row": lambda aws, stack, _: aws.dynamodb.update_item(
        TableName=stack.resources.table,
        Key={"Username": {"S": "nobody"}},
        UpdateExpression="SET Avatar = :new",
        ExpressionAttributeValues={":new": {"S": "avatars/1"}},
    ),
    "put a row": lambda aws, stack, _: aws.dynamodb.put_item(
        TableName=stack.resources.table, Item={"Username": {"S": "nobody"}}
    ),
    "delete a row": lambda aws, stack, _: aws.dynamodb.delete_item(
        TableName=stack.resources.table, Key={"Username": {"S": "nobody"}}
    ),
    "read what is pending": lambda aws, stack, key: aws.s3.get_object(Bucket=stack.resources.bucket, Key=key),
    "look at what is pending": lambda aws, stack, key: aws.s3.head_object(Bucket=stack.resources.bucket, Key=key),
    "delete what is pending": lambda aws, stack, key: aws.s3.delete_object(Bucket=stack.resources.bucket, Key=key),
    "put what is pending": lambda aws, stack, key: aws.s3.put_object(Bucket=stack.resources.bucket, Key=key),
    "change the lifecycle": lambda aws, stack, _: aws.s3.delete_bucket_lifecycle(Bucket=stack.resources.bucket),
    "sign": lambda aws, stack, _: aws.kms.sign(
        KeyId=stack.resources.key_arn, Message=b"x", SigningAlgorithm="ECDSA_SHA_256"
    ),
}


@pytest.mark.needs(Trait.IAM)
@pytest.mark.parametrize("what", REFUSED)
def test_the_sweep_may_not(sweep: Aws, stack: Stack, bucket: Bucket, what: str) -> None:
    key = make_id().pending_key
    bucket.aws.s3.put_object(Bucket=bucket.name, Key=key, Body=PICTURE)
    try:
        with pytest.raises(ClientError) as caught:
            REFUSED[what](sweep, stack, key)
        assert caught.value.response.get("Error", {}).get("Code") in {"403", "AccessDenied", "AccessDeniedException"}
        assert bucket.read(key) == PICTURE
    finally:
        bucket.aws.s3.delete_object(Bucket=bucket.name, Key=key)


@dataclass(frozen=True)
class Place:
    """A bucket and a table that no other test knows of, and a sweep that may do there what it may do in production."""

    root: Aws
    name: str
    environ: Mapping[str, str]

    def add_user(self, username: str, *, body: bytes | None = PICTURE, tagging: str = "") -> str:
        """With this avatar, or with none where the row says that there is one."""
        avatar = make_id().avatar_key
        if body is not None:
            self.root.s3.put_object(
                Bucket=self.name,
                Key=avatar,
                Body=body,
                ContentType="image/png",
                Metadata={"username": username},
                Tagging=tagging,
            )
        self.root.dynamodb.put_item(TableName=self.name, Item={"Username": {"S": username}, "Avatar": {"S": avatar}})
        return avatar

    def tags(self, key: str) -> list[Any]:
        return list(self.root.s3.get_object_tagging(Bucket=self.name, Key=key)["TagSet"])

    def run(self, *arguments: str, **changed: str | None) -> subprocess.CompletedProcess[str]:
        """`changed`: variables to set instead, or to leave out if None."""
        environ = {name: value for name, value in {**self.environ, **changed}.items() if value is not None}
        return run_sweep(environ, *arguments)


def make_environ(aws: Aws, bucket: str, table: str, credentials: Mapping[str, str]) -> dict[str, str]:
    """Neither the real AWS nor a setting of whoever runs the tests is in it."""
    return {
        **inherit_environ(),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_DEFAULT_REGION": aws.region,
        "BUCKET": bucket,
        "TABLE": table,
        **credentials,
    }


def run_sweep(environ: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the command under test
        [sys.executable, "-m", "services.uploads.sweep", *arguments],
        cwd=ROOT,
        env=dict(environ),
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


@pytest.fixture
def place(stack: Stack) -> Place:
    root, name = stack.aws, f"sweep-{uuid.uuid4()}"
    root.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    table: Any = root.dynamodb.create_table(TableName=name, **table_definition())["TableDescription"]
    policy = sweep_policy(bucket_arn=f"arn:aws:s3:::{name}", table_arn=table["TableArn"])
    root.iam.create_user(UserName=name)
    root.iam.put_user_policy(UserName=name, PolicyName="sweep", PolicyDocument=json.dumps(policy))
    key = root.iam.create_access_key(UserName=name)["AccessKey"]
    credentials = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    return Place(root, name, make_environ(root, name, name, credentials))


def test_the_command_runs_with_the_permissions_and_settings_of_the_system(stack: Stack, user: User) -> None:
    resources = stack.resources
    environ = make_environ(stack.aws, resources.bucket, resources.table, resources.credentials["sweep"])
    done = run_sweep(environ, "--dry-run", "--json")
    report = json.loads(done.stdout)
    assert user.avatar
    assert report["dry_run"]
    assert report["rows"] >= 1
    assert report["failed"] == report["skipped"] == 0
    assert done.returncode == (1 if report["dangling"] else 0)
    assert done.stderr == ""


def test_the_help_says_what_the_exit_status_means() -> None:
    done = run_sweep(inherit_environ(), "--help")
    assert done.returncode == 0
    assert "Exit status" in done.stdout


@pytest.mark.one_aws
@only_prefix
class TestCommand:
    """Alone in a place of its own, so that its words are known in full."""

    def test_when_all_is_well_it_says_so_and_succeeds(self, place: Place) -> None:
        place.add_user("ada")
        done = place.run("--json")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count("\n") == 1
        report = json.loads(done.stdout)
        assert (report["rows"], report["live"], report["names"]) == (1, 1, {})
        assert not report["dry_run"]
        text = place.run()
        assert (text.returncode, text.stderr) == (0, "")
        assert text.stdout == "         1 rows with an avatar\n         1 live: a row refers to them\n"

    def test_where_there_is_nothing_it_succeeds(self, place: Place) -> None:
        done = place.run()
        assert (done.returncode, done.stdout, done.stderr) == (0, "         0 rows with an avatar\n", "")

    def test_a_dangling_row_is_named_and_fails(self, place: Place) -> None:
        place.add_user("ada")
        avatar = place.add_user("bob", body=None)
        done = place.run("--json")
        assert (done.returncode, done.stderr) == (1, "")
        report = json.loads(done.stdout)
        assert (report["live"], report["dangling"]) == (1, 1)
        assert report["names"] == {"dangling": [f"bob -> {avatar}"]}
        text = place.run()
        assert text.returncode == 1
        assert f"dangling: bob -> {avatar}\n" in text.stdout

    def test_it_writes_its_metrics_where_it_is_told_to(self, place: Place) -> None:
        place.add_user("ada")
        place.add_user("bob", body=None)
        metrics, report = place.run("--json", METRICS="true").stdout.splitlines()
        counts = read_counts([metrics])
        assert counts["Swept", ("Service", "sweep")] == 1
        assert counts["Live", ("Service", "sweep")] == json.loads(report)["live"] == 1
        assert counts["Dangling", ("Service", "sweep")] == json.loads(report)["dangling"] == 1

    def test_a_sweep_that_changes_nothing_or_comes_to_no_end_writes_no_metrics(self, place: Place) -> None:
        place.add_user("ada")
        [report] = place.run("--json", "--dry-run", METRICS="true").stdout.splitlines()
        assert json.loads(report)["dry_run"]
        assert place.run(METRICS="true", TABLE="three-phase-upload").stdout == ""

    def test_a_dry_run_only_says_what_it_would_do(self, place: Place) -> None:
        avatar = place.add_user("ada", tagging="Status=Pending")
        rubbish = place.add_user("bob", body=RUBBISH, tagging="Status=Pending")
        done = place.run("--dry-run")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith("Dry run: nothing was changed.\n")
        assert place.tags(avatar)
        assert place.tags(rubbish)
        planned, did = (json.loads(place.run(*arguments, "--json").stdout) for arguments in (("--dry-run",), ()))
        assert (planned["restored"], planned["replaced"]) == (1, 1)
        assert planned == did | {"dry_run": True}
        assert not place.tags(avatar)
        assert not place.tags(rubbish)
        assert json.loads(place.run("--json").stdout)["live"] == 2

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("BUCKET", "", "Missing from the environment: BUCKET"),
            ("MARGIN_SECONDS", "2699", "In the environment: MARGIN_SECONDS: Expected `int` >= 2700"),
            ("MAX_DELETIONS", "many", "In the environment: MAX_DELETIONS: Expected `int`, got `str`"),
            # Those of boto3.
            ("AWS_DEFAULT_REGION", None, "You must specify a region."),
            ("AWS_ENDPOINT_URL", "nonsense", "Invalid endpoint: nonsense"),
            ("AWS_PROFILE", "nobody", "The config profile (nobody) could not be found"),
        ],
    )
    def test_a_wrong_setting_is_one_clear_line(self, place: Place, name: str, value: str | None, said: str) -> None:
        done = place.run(**{name: value})
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{said}\n")

    def test_an_unknown_option_is_told(self, place: Place) -> None:
        done = place.run("--delete-everything")
        assert (done.returncode, done.stdout) == (2, "")
        assert "--delete-everything" in done.stderr.splitlines()[-1]

    def test_aws_out_of_reach_is_one_clear_line(self, place: Place) -> None:
        [port] = pick_free_ports(1)
        done = place.run(AWS_ENDPOINT_URL=f"http://{HOST}:{port}")
        assert (done.returncode, done.stdout) == (1, "")
        [line] = done.stderr.splitlines()
        assert line.startswith("The sweep could not continue: Could not connect")

    @pytest.mark.parametrize(
        ("name", "value", "code"),
        [
            ("TABLE", "three-phase-upload", "AccessDenied"),
            ("BUCKET", "three-phase-upload", "AccessDenied"),
            ("AWS_SECRET_ACCESS_KEY", "wrong", "InvalidSignature|SignatureDoesNotMatch"),
        ],
    )
    @pytest.mark.needs(Trait.IAM)
    def test_what_aws_refuses_is_one_clear_line(self, place: Place, name: str, value: str, code: str) -> None:
        place.add_user("ada", tagging="Status=Pending")
        done = place.run(**{name: value})
        assert (done.returncode, done.stdout) == (1, "")
        [line] = done.stderr.splitlines()
        assert line.startswith("The sweep could not continue: ")
        assert any(wanted in line for wanted in code.split("|"))

    def test_on_a_terminal_a_bar_shows_how_far_it_has_come(self, place: Place) -> None:
        place.add_user("ada")
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 100))
        os.set_blocking(ours, False)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "services.uploads.sweep", "--json"],
                cwd=ROOT,
                env=dict(place.environ),
                check=True,
                stdout=subprocess.PIPE,
                stderr=theirs,
                timeout=PATIENCE_SECONDS,
            )
            shown = os.read(ours, 100_000).decode()
        finally:
            os.close(theirs)
            os.close(ours)
        assert "rows: " in shown
        assert "objects: " in shown
        assert json.loads(done.stdout)["live"] == 1
