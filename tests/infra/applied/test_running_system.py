"""The three phases, the sweep and the page on what `pulumi up` has made, with the roles and settings of the tasks.

Other integration tests that take the fixture `stack` can be imported here as well. They pass, and take minutes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import uuid_utils
from botocore.exceptions import ClientError
from playwright.sync_api import expect

from bench.soak.sweeping import sweep
from infra.local.stack import inherit_environ
from services.uploads.sweep.report import Outcome
from tests import web
from tests.browsing import PHOTOGRAPH, SAME, difference, draw_avatar, only_chromium, read_key
from tests.conftest import only_prefix
from tests.eventually import PATIENCE_SECONDS
from tests.integration.test_three_phases import *  # noqa: F403 - the tests themselves
from tests.pictures import make_picture
from tests.rows import make_upload

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.browsing import Site
    from tests.conftest import Bucket, User
    from tests.infra.applied.stacks import Applied


def test_the_seeded_users_have_pictures(stack: Stack) -> None:
    users = web.get(f"{stack.origin}/users").raise_for_status().json()["users"]
    seeded = [user for user in users if user["avatar"] and not user["username"].startswith("Tester")]
    assert len(seeded) == 3
    for user in seeded:
        shown = web.get(f"{stack.origin}/users/{user['username']}/avatar", follow_redirects=True)
        assert shown.headers["Content-Type"] == "image/png"


@only_chromium
def test_the_page_uploads_an_avatar(site: Site, user: User, bucket: Bucket) -> None:
    site.log_in(user.username)
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    avatar = read_key(site.calls.nth(2))
    site.expect_avatar(user.username, avatar)
    assert difference(site.see_picture(user.username), draw_avatar(PHOTOGRAPH)) < SAME
    expect(site.object(avatar)).to_have_attribute("data-state", "live")
    expect(site.row(user.username).locator("td").nth(2)).to_have_text(avatar)
    assert bucket.read(avatar) == PHOTOGRAPH.read_bytes()


def test_the_sweeps_role_allows_a_sweep_to_delete_an_orphan(user: User, bucket: Bucket, stack: Stack) -> None:
    orphan = make_upload(str(uuid_utils.uuid7())).permanent_key
    bucket.aws.s3.put_object(
        Bucket=bucket.name,
        Key=orphan,
        Body=make_picture(),
        ContentType="image/png",
        Metadata={"username": user.username},
    )
    avatar = user.avatar
    assert {*bucket.keys(user.username)} == {avatar, orphan}
    report = sweep(stack)
    assert report.counts[Outcome.FAILED] == report.counts[Outcome.SKIPPED] == 0
    assert bucket.keys(user.username) == [avatar]


def test_the_sweeps_task_has_command_role_and_environment_of_a_sweep(user: User, applied: Applied) -> None:
    assert user.avatar
    python, *arguments = applied.containers["sweep"]["command"]
    assert python == "python"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, *arguments],
        env=inherit_environ() | applied.environs["sweep"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    metrics, report = done.stdout.splitlines()
    assert json.loads(metrics)["_aws"]
    assert json.loads(report)["live"] >= 1
    assert json.loads(report)["failed"] == 0


@only_prefix
def test_the_buckets_policy_denies_requests_without_tls(stack: Stack, applied: Applied) -> None:
    """The emulator is reached without TLS, which is why the other tests do without the policy."""
    frontend = stack.aws.with_credentials(applied.environs["frontend"])
    frontend.s3.list_objects_v2(Bucket=stack.resources.bucket)
    stack.aws.s3.put_bucket_policy(Bucket=stack.resources.bucket, Policy=applied.bucket_policy)
    try:
        with pytest.raises(ClientError, match="AccessDenied"):
            frontend.s3.list_objects_v2(Bucket=stack.resources.bucket)
    finally:
        stack.aws.s3.delete_bucket_policy(Bucket=stack.resources.bucket)
