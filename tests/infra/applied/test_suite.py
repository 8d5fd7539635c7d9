"""The tests of the three phases, on what the program registers. The other integration tests that run on a stack that is
given to them can be added here, and pass; they take a minute and more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests import web
from tests.conftest import only_prefix
from tests.integration.test_three_phases import *  # noqa: F403 - the tests themselves

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.infra.applied.apply import Applied


def test_the_seeds_are_shown(stack: Stack) -> None:
    users = web.get(f"{stack.origin}/users").raise_for_status().json()["users"]
    seeded = [user for user in users if user["avatar"] and not user["username"].startswith("Tester")]
    assert len(seeded) == 3
    for user in seeded:
        shown = web.get(f"{stack.origin}/users/{user['username']}/avatar", follow_redirects=True)
        assert shown.headers["Content-Type"] == "image/png"


@only_prefix
def test_the_bucket_s_policy_refuses_what_comes_in_the_clear(stack: Stack, applied: Applied) -> None:
    """As everything does here, which is why the other tests have to do without it."""
    as_frontend = stack.aws.with_credentials(applied.credentials["frontend"])
    as_frontend.s3.list_objects_v2(Bucket=applied.bucket)
    stack.aws.s3.put_bucket_policy(Bucket=applied.bucket, Policy=applied.bucket_policy)
    try:
        with pytest.raises(ClientError, match="AccessDenied"):
            as_frontend.s3.list_objects_v2(Bucket=applied.bucket)
    finally:
        stack.aws.s3.delete_bucket_policy(Bucket=applied.bucket)
