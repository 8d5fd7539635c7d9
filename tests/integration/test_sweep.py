"""The sweep of the running system, with its own permissions."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import termios
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uuid_utils

from bench.soak.sweeping import open_sweeper, read_clock
from infra.documents.policies import sweep_policy
from infra.documents.table import table_definition
from infra.local.ports import HOST, pick_free_ports
from infra.local.stack import inherit_environ
from services.store.kinds import AVATAR
from services.store.table import make_key, write_row
from services.uploads.bucket import Bucket as SweptBucket
from services.uploads.bucket import compute_sha256
from services.uploads.strategies import STRATEGIES
from services.uploads.sweep.__main__ import TOO_MANY_ORPHANS, choose_status
from services.uploads.sweep.plan import is_full_hour
from services.uploads.sweep.report import Outcome
from services.uploads.sweep.settings import Settings as SweepSettings
from services.uploads.sweep.sweeper import Sweeper
from services.uploads.users import Users
from tests.conftest import only_prefix, only_tag, post_form
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.metric_lines import read_counts
from tests.pictures import make_picture
from tests.rows import make_row, make_upload
from tests.targets import Trait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from infra.local.clients import Aws
    from infra.local.stack import Stack
    from services.store.keys import Upload
    from services.uploads.sweep.report import Report
    from tests.conftest import Bucket, User


pytestmark = [pytest.mark.every_aws, pytest.mark.needs(Trait.COPY_DIGEST)]

ROOT = Path(__file__).parents[2]
PICTURE = make_picture()
NO_PICTURE = b"<script>".ljust(len(PICTURE))


@pytest.fixture
def s3_clock(stack: Stack) -> Callable[[], float]:
    return read_clock(stack)


@pytest.fixture
def sweeper(stack: Stack) -> Iterator[Sweeper]:
    """A sweeper whose clock is hours ahead."""
    with open_sweeper(stack) as opened:
        yield opened


def make_id(age: int = 0) -> Upload:
    return make_upload(str(uuid_utils.uuid7(nanoseconds=time.time_ns() - age * 10**9)))


def put_orphan(bucket: Bucket, username: str, age: int = 0) -> str:
    """Put an object as it remains when a process is killed after the row's update and before the deletion."""
    key = make_id(age).permanent_key
    bucket.aws.s3.put_object(
        Bucket=bucket.name, Key=key, Body=PICTURE, ContentType="image/png", Metadata={"username": username}
    )
    return key


def upload_and_confirm(user: User) -> dict[str, Any]:
    form = user.upload_unconfirmed("image/png", PICTURE)
    user.confirm(form).raise_for_status()
    return form


def is_pending(bucket: Bucket, key: str) -> bool:
    return "pending-tag" in bucket.head(key).get("Expiration", "")


@pytest.fixture
def broken_user(stack: Stack, user: User) -> Iterator[User]:
    """A user whose row the test breaks. The row is deleted after the test."""
    yield user
    key = make_key(user.username)
    stack.aws.dynamodb.delete_item(TableName=stack.resources.table, Key=key)


def set_avatar(user: User, avatar: str) -> None:
    row = write_row(make_row(user.username, user.name, avatar))
    user.stack.aws.dynamodb.put_item(TableName=user.stack.resources.table, Item=row)


def test_an_orphan_is_deleted_and_the_avatar_stays(sweeper: Sweeper, user: User, bucket: Bucket) -> None:
    orphan = put_orphan(bucket, user.username)
    assert orphan in bucket.keys(user.username)
    report = sweeper.sweep()
    assert bucket.keys(user.username) == [user.avatar]
    assert report.counts[Outcome.DELETED] >= 1
    assert report.counts[Outcome.FAILED] == report.counts[Outcome.SKIPPED] == 0
    assert report.rows >= 1


def test_a_dry_run_reports_an_orphan_and_keeps_it(sweeper: Sweeper, user: User, bucket: Bucket) -> None:
    orphan = put_orphan(bucket, user.username)
    planned = sweeper.sweep(dry_run=True)
    assert planned.counts[Outcome.DELETED] >= 1
    assert set(bucket.keys(user.username)) == {user.avatar, orphan}
    assert sweeper.sweep().counts[Outcome.DELETED] == planned.counts[Outcome.DELETED]
    assert bucket.keys(user.username) == [user.avatar]


@pytest.mark.needs(Trait.EXPIRATION)
def test_an_unconfirmed_upload_is_left_to_the_lifecycle_rule(sweeper: Sweeper, user: User, bucket: Bucket) -> None:
    form = user.upload_unconfirmed("image/png", PICTURE)
    report = sweeper.sweep()
    assert set(bucket.keys(user.username)) == {user.avatar, form["key"]}
    assert report.counts[Outcome.PENDING] >= 1
    assert "Expiration" in bucket.head(form["key"])


def test_a_key_that_is_no_upload_is_kept(sweeper: Sweeper, user: User, bucket: Bucket) -> None:
    key = f"avatars/{user.username}.png"
    bucket.aws.s3.put_object(Bucket=bucket.name, Key=key, Body=PICTURE)
    try:
        assert sweeper.sweep().counts[Outcome.FOREIGN] >= 1
        assert bucket.read(key) == PICTURE
    finally:
        bucket.aws.s3.delete_object(Bucket=bucket.name, Key=key)


@pytest.mark.parametrize("age", [0, 30 * 86_400])
def test_a_new_object_is_kept_whatever_the_age_of_its_id(
    sweeper: Sweeper, s3_clock: Callable[[], float], user: User, bucket: Bucket, age: int
) -> None:
    orphan = put_orphan(bucket, user.username, age)
    report = replace(sweeper, clock=s3_clock).sweep()
    assert set(bucket.keys(user.username)) == {user.avatar, orphan}
    assert report.counts[Outcome.YOUNG] >= 1
    assert report.counts[Outcome.DELETED] == 0


def test_a_sweep_during_a_confirm_deletes_nothing_of_it(
    sweeper: Sweeper, s3_clock: Callable[[], float], user: User, bucket: Bucket
) -> None:
    now = replace(sweeper, clock=s3_clock)
    form = user.upload_unconfirmed("image/png", PICTURE)
    before = user.avatar
    now.sweep()
    upload_id = make_upload(form["key"].partition("/")[2])
    strategy = next(
        strategy for strategy in STRATEGIES.values() if form["key"].startswith(strategy.posted_prefix(AVATAR))
    )
    root = SweptBucket(bucket.aws.s3, bucket.name)
    stored = root.inspect(form["key"], 5_000_000)
    assert stored
    # The confirm has copied the object and not yet updated the row.
    root.copy(strategy.promotion(upload_id, stored))
    now.sweep()
    assert user.avatar == before
    assert set(bucket.keys(user.username)) == {before, form["key"], upload_id.permanent_key}
    assert user.confirm(form).json() == user.make_confirmation(upload_id.permanent_key)
    now.sweep()
    eventually(lambda: bucket.keys(user.username) == [upload_id.permanent_key])
    assert bucket.read(upload_id.permanent_key) == PICTURE


def test_the_copy_of_a_killed_confirm_is_deleted_once_it_is_old(sweeper: Sweeper, user: User, bucket: Bucket) -> None:
    form = user.upload_unconfirmed("image/png", PICTURE)
    upload_id = make_upload(form["key"].partition("/")[2])
    strategy = next(
        strategy for strategy in STRATEGIES.values() if form["key"].startswith(strategy.posted_prefix(AVATAR))
    )
    root = SweptBucket(bucket.aws.s3, bucket.name)
    stored = root.inspect(form["key"], 5_000_000)
    assert stored
    root.copy(strategy.promotion(upload_id, stored))
    sweeper.sweep()
    pending = {key for key in (form["key"],) if key != upload_id.permanent_key}
    assert set(bucket.keys(user.username)) == {user.avatar, *pending}


def test_too_many_orphans_are_reported_and_none_is_deleted(sweeper: Sweeper, user: User, bucket: Bucket) -> None:
    orphans = {put_orphan(bucket, user.username) for _ in range(2)}
    report = replace(sweeper, max_deletions=1).sweep()
    assert report.excess
    assert choose_status(report) == TOO_MANY_ORPHANS
    assert orphans <= set(report.names[Outcome.SKIPPED])
    assert report.as_metrics()["Skipped"] >= 2  # the metric of the alarm
    assert set(bucket.keys(user.username)) == {user.avatar, *orphans}
    sweeper.sweep()
    assert bucket.keys(user.username) == [user.avatar]


@dataclass
class CallCounter:
    """Counts the calls of a client by operation."""

    calls: list[str] = field(default_factory=list[str])
    """The operation of each call. Threads append to it, which is atomic."""

    def attach(self, client: Any) -> None:
        client.meta.events.register("before-call", self._count)

    def _count(self, model: Any, **_: Any) -> None:
        self.calls.append(model.name)

    def take(self) -> dict[str, int]:
        """The calls but those that list, since the last time."""
        taken = Counter(name for name in self.calls if name not in {"Scan", "ListObjectsV2"})
        self.calls.clear()
        return taken


@pytest.mark.one_aws
@only_prefix
def test_the_calls_of_a_sweep_for_each_object(sandbox: Sandbox, s3_clock: Callable[[], float]) -> None:
    """The figures of "The sweep's calls" in docs/scale.md follow from these."""
    for name in ("ada", "bob", "cleo"):
        sandbox.add_user(name)
    for _ in range(2):
        sandbox.add_abandoned()
    aws, counter = sandbox.root, CallCounter()
    counter.attach(aws.s3)
    counter.attach(aws.dynamodb)
    settings = SweepSettings(bucket=sandbox.name, table=sandbox.name)
    with ThreadPoolExecutor(4) as executor:

        def count(hours: float, *, full: bool) -> dict[str, int]:
            clock = s3_clock() + 3600 * hours
            clock += 3600 if is_full_hour(clock) and not full else 0
            counter.take()
            Sweeper(
                SweptBucket(aws.s3, sandbox.name),
                Users(aws.dynamodb, sandbox.name),
                settings.limits,
                settings.confirm_seconds + settings.margin_seconds,
                settings.max_deletions,
                settings.max_deleted_share,
                lambda: clock,
                executor,
                full=full,
            ).sweep()
            return counter.take()

        # Three avatars, and two uploads under `tag` that were never confirmed.
        assert count(0.5, full=False) == {"GetObjectTagging": 3, "HeadObject": 3}
        assert count(2.5, full=True) == {"GetObjectTagging": 3 + 2, "HeadObject": 3}
        assert count(10, full=False) == {}
        assert count(10, full=True) == {"GetObjectTagging": 3 + 2}
        assert count(5 * 24, full=True) == {"GetObjectTagging": 2}


def test_two_concurrent_sweeps_both_succeed(sweeper: Sweeper, user: User, bucket: Bucket) -> None:
    for _ in range(5):
        put_orphan(bucket, user.username)
    with ThreadPoolExecutor(2) as executor:
        reports: list[Report] = [future.result() for future in [executor.submit(sweeper.sweep) for _ in range(2)]]
    assert bucket.keys(user.username) == [user.avatar]
    assert [report.counts[Outcome.FAILED] for report in reports] == [0, 0]


@pytest.mark.needs(Trait.EXPIRATION_IN_TIME)
@only_tag
class TestPostedAgain:
    def test_a_pending_avatar_with_a_valid_picture_is_restored(
        self, sweeper: Sweeper, user: User, bucket: Bucket
    ) -> None:
        form = upload_and_confirm(user)
        avatar = user.avatar or ""
        post_form(form, PICTURE).raise_for_status()
        assert is_pending(bucket, avatar)
        assert sweeper.sweep(dry_run=True).counts[Outcome.RESTORED] >= 1
        assert is_pending(bucket, avatar)
        assert sweeper.sweep().counts[Outcome.RESTORED] >= 1
        assert not is_pending(bucket, avatar)
        assert bucket.read(avatar) == PICTURE
        assert bucket.head(avatar)["ContentType"] == "image/png"
        # The owner can still repeat the confirm.
        assert user.confirm(form).json() == user.make_confirmation(avatar)

    def test_a_pending_avatar_with_other_bytes_is_replaced_by_a_blank_picture(
        self, sweeper: Sweeper, user: User, bucket: Bucket
    ) -> None:
        form = upload_and_confirm(user)
        avatar = user.avatar or ""
        bucket.post_unchecked(form, NO_PICTURE)
        assert sweeper.sweep(dry_run=True).counts[Outcome.REPLACED] >= 1
        assert bucket.read(avatar) == NO_PICTURE
        assert sweeper.sweep().counts[Outcome.REPLACED] >= 1
        assert not is_pending(bucket, avatar)
        assert bucket.read(avatar).startswith(b"\x89PNG")
        assert bucket.owner(avatar) == user.username
        assert user.confirm(form).json() == user.make_confirmation(avatar)

    def test_a_sweep_right_after_the_post_restores_too(
        self, sweeper: Sweeper, s3_clock: Callable[[], float], user: User, bucket: Bucket
    ) -> None:
        post_form(upload_and_confirm(user), PICTURE).raise_for_status()
        replace(sweeper, clock=s3_clock).sweep()
        assert not is_pending(bucket, user.avatar or "")

    def test_an_avatar_that_was_written_long_ago_is_not_checked(
        self, sweeper: Sweeper, s3_clock: Callable[[], float], user: User, bucket: Bucket
    ) -> None:
        post_form(upload_and_confirm(user), PICTURE).raise_for_status()
        replace(sweeper, clock=lambda: s3_clock() + 5 * 86_400).sweep()
        assert is_pending(bucket, user.avatar or "")


def test_a_row_whose_object_is_missing_is_reported(sweeper: Sweeper, broken_user: User, bucket: Bucket) -> None:
    avatar = broken_user.avatar
    bucket.aws.s3.delete_object(Bucket=bucket.name, Key=avatar or "")
    report = sweeper.sweep()
    assert report.needs_attention
    assert f"{broken_user.username} -> {avatar}" in report.names[Outcome.DANGLING]
    assert report.counts[Outcome.FAILED] == 0
    assert broken_user.avatar == avatar


@pytest.mark.parametrize("elsewhere", [f"{AVATAR.pending_prefix}{{}}", "{}"])
def test_a_row_that_refers_to_a_key_outside_avatars_is_reported(
    sweeper: Sweeper, broken_user: User, bucket: Bucket, elsewhere: str
) -> None:
    # The sweep has no permission to read this key, so it can't decide by S3's response.
    key = elsewhere.format(make_id().id.text)
    bucket.aws.s3.put_object(Bucket=bucket.name, Key=key, Body=PICTURE)
    set_avatar(broken_user, key)
    try:
        report = sweeper.sweep()
    finally:
        bucket.aws.s3.delete_object(Bucket=bucket.name, Key=key)
    assert f"{broken_user.username} -> {key}" in report.names[Outcome.DANGLING]
    assert report.counts[Outcome.FAILED] == 0


@dataclass(frozen=True)
class Sandbox:
    """A bucket and a table for one test, and a sweep with the same permissions on them as in production."""

    root: Aws
    name: str
    environ: Mapping[str, str]

    def add_user(self, username: str, *, body: bytes | None = PICTURE, tagging: str = "") -> str:
        """Add a row with an avatar. Without `body` the avatar's object is missing."""
        avatar = make_id().permanent_key
        if body is not None:
            self.root.s3.put_object(
                Bucket=self.name,
                Key=avatar,
                Body=body,
                ContentType="image/png",
                Metadata={"username": username, "sha256": compute_sha256(body)},
                Tagging=tagging,
            )
        self.root.dynamodb.put_item(TableName=self.name, Item={"Username": {"S": username}, "Avatar": {"S": avatar}})
        return avatar

    def add_abandoned(self) -> None:
        """Add an upload under the strategy `tag` that was never confirmed."""
        self.root.s3.put_object(
            Bucket=self.name,
            Key=make_id().permanent_key,
            Body=PICTURE,
            Metadata={"username": "ada"},
            Tagging="Status=Pending",
        )

    def tags(self, key: str) -> list[Any]:
        return list(self.root.s3.get_object_tagging(Bucket=self.name, Key=key)["TagSet"])

    def run(self, *arguments: str, **changed: str | None) -> subprocess.CompletedProcess[str]:
        """Run the command. `changed`: environment variables with other values; None removes one."""
        environ = {name: value for name, value in {**self.environ, **changed}.items() if value is not None}
        return run_sweep(environ, *arguments)


def make_environ(aws: Aws, bucket: str, table: str, credentials: Mapping[str, str]) -> dict[str, str]:
    """The sweep's environment, without any AWS setting of the developer's machine."""
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
def sandbox(stack: Stack) -> Sandbox:
    root, name = stack.aws, f"sweep-{uuid.uuid4()}"
    root.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    table: Any = root.dynamodb.create_table(TableName=name, **table_definition())["TableDescription"]
    policy = sweep_policy(bucket_arn=f"arn:aws:s3:::{name}", table_arn=table["TableArn"])
    root.iam.create_user(UserName=name)
    root.iam.put_user_policy(UserName=name, PolicyName="sweep", PolicyDocument=json.dumps(policy))
    key = root.iam.create_access_key(UserName=name)["AccessKey"]
    credentials = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    return Sandbox(root, name, make_environ(root, name, name, credentials))


def test_the_command_runs_with_the_systems_permissions_and_settings(stack: Stack, user: User) -> None:
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


def test_the_help_explains_the_exit_status() -> None:
    done = run_sweep(inherit_environ(), "--help")
    assert done.returncode == 0
    assert "Exit status" in done.stdout


@pytest.mark.one_aws
@only_prefix
class TestCommand:
    """The command with a bucket and a table of its own, so that its whole output is known."""

    def test_a_sweep_without_findings_exits_with_0(self, sandbox: Sandbox) -> None:
        sandbox.add_user("ada")
        done = sandbox.run("--json")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count("\n") == 1
        report = json.loads(done.stdout)
        assert (report["rows"], report["live"], report["names"]) == (1, 1, {})
        assert not report["dry_run"]
        text = sandbox.run()
        assert (text.returncode, text.stderr) == (0, "")
        assert text.stdout == "         1 rows that have or had a picture\n         1 live: a row refers to them\n"

    def test_a_sweep_of_an_empty_table_exits_with_0(self, sandbox: Sandbox) -> None:
        done = sandbox.run()
        assert (done.returncode, done.stdout, done.stderr) == (0, "         0 rows that have or had a picture\n", "")

    def test_a_dangling_row_is_reported_and_exits_with_1(self, sandbox: Sandbox) -> None:
        sandbox.add_user("ada")
        avatar = sandbox.add_user("bob", body=None)
        done = sandbox.run("--json")
        assert (done.returncode, done.stderr) == (1, "")
        report = json.loads(done.stdout)
        assert (report["live"], report["dangling"]) == (1, 1)
        assert report["names"] == {"dangling": [f"bob -> {avatar}"]}
        text = sandbox.run()
        assert text.returncode == 1
        assert f"dangling: bob -> {avatar}\n" in text.stdout

    def test_the_setting_metrics_makes_it_write_metrics(self, sandbox: Sandbox) -> None:
        sandbox.add_user("ada")
        sandbox.add_user("bob", body=None)
        metrics, report = sandbox.run("--json", METRICS="true").stdout.splitlines()
        counts = read_counts([metrics])
        assert counts["Swept", ("Service", "sweep")] == 1
        assert counts["Live", ("Service", "sweep")] == json.loads(report)["live"] == 1
        assert counts["Dangling", ("Service", "sweep")] == json.loads(report)["dangling"] == 1

    def test_a_dry_run_or_a_failed_sweep_writes_no_metrics(self, sandbox: Sandbox) -> None:
        sandbox.add_user("ada")
        [report] = sandbox.run("--json", "--dry-run", METRICS="true").stdout.splitlines()
        assert json.loads(report)["dry_run"]
        assert sandbox.run(METRICS="true", TABLE="three-phase-upload").stdout == ""

    def test_a_dry_run_reports_what_a_sweep_would_do(self, sandbox: Sandbox) -> None:
        avatar = sandbox.add_user("ada", tagging="Status=Pending")
        no_picture = sandbox.add_user("bob", body=NO_PICTURE, tagging="Status=Pending")
        done = sandbox.run("--dry-run")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith("Dry run: nothing was changed.\n")
        assert sandbox.tags(avatar)
        assert sandbox.tags(no_picture)
        planned, did = (json.loads(sandbox.run(*arguments, "--json").stdout) for arguments in (("--dry-run",), ()))
        assert (planned["restored"], planned["replaced"]) == (1, 1)
        assert planned == did | {"dry_run": True}
        assert not sandbox.tags(avatar)
        assert not sandbox.tags(no_picture)
        assert json.loads(sandbox.run("--json").stdout)["live"] == 2

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("BUCKET", "", "Missing from the environment: BUCKET"),
            (
                "MARGIN_SECONDS",
                "2699",
                "In the environment: MARGIN_SECONDS must be a whole number from 2700 to 86400, not '2699'",
            ),
            (
                "MAX_DELETIONS",
                "many",
                "In the environment: MAX_DELETIONS must be a whole number of at least 1, not 'many'",
            ),
            # Settings of boto3.
            ("AWS_DEFAULT_REGION", None, "You must specify a region."),
            ("AWS_ENDPOINT_URL", "nonsense", "Invalid endpoint: nonsense"),
            ("AWS_PROFILE", "nobody", "The config profile (nobody) could not be found"),
        ],
    )
    def test_a_wrong_setting_is_reported_in_one_line(
        self, sandbox: Sandbox, name: str, value: str | None, said: str
    ) -> None:
        done = sandbox.run(**{name: value})
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{said}\n")

    def test_an_unknown_option_is_reported(self, sandbox: Sandbox) -> None:
        done = sandbox.run("--delete-everything")
        assert (done.returncode, done.stdout) == (2, "")
        assert "--delete-everything" in done.stderr.splitlines()[-1]

    def test_an_unreachable_aws_is_reported_in_one_line(self, sandbox: Sandbox) -> None:
        [port] = pick_free_ports(1)
        done = sandbox.run(AWS_ENDPOINT_URL=f"http://{HOST}:{port}")
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
    def test_a_refusal_by_aws_is_reported_in_one_line(self, sandbox: Sandbox, name: str, value: str, code: str) -> None:
        sandbox.add_user("ada", tagging="Status=Pending")
        done = sandbox.run(**{name: value})
        assert (done.returncode, done.stdout) == (1, "")
        [line] = done.stderr.splitlines()
        assert line.startswith("The sweep could not continue: ")
        assert any(wanted in line for wanted in code.split("|"))

    def test_a_terminal_shows_progress_bars(self, sandbox: Sandbox) -> None:
        sandbox.add_user("ada")
        terminal, output = pty.openpty()
        termios.tcsetwinsize(output, (24, 100))
        os.set_blocking(terminal, False)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "services.uploads.sweep", "--json"],
                cwd=ROOT,
                env=dict(sandbox.environ),
                check=True,
                stdout=subprocess.PIPE,
                stderr=output,
                timeout=PATIENCE_SECONDS,
            )
            shown = os.read(terminal, 100_000).decode()
        finally:
            os.close(output)
            os.close(terminal)
        assert "rows: " in shown
        assert "avatars/: " in shown
        assert json.loads(done.stdout)["live"] == 1
