"""The images as their task definitions run them, with LocalStack: the three phases, the page, and the end."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from infra.local.stack import SERVICES
from services.web.server import GRACE_SECONDS
from tests import web
from tests.browser.test_upload import (
    test_a_photograph_is_presigned_posted_and_confirmed as test_the_page_presigns_posts_and_confirms,
)
from tests.browser.test_upload import test_without_the_third_phase_the_avatar_stays_and_the_upload_expires
from tests.containers.images import read_limits, read_stop_seconds
from tests.eventually import PATIENCE_SECONDS
from tests.integration.test_three_phases import *  # noqa: F403 - the tests themselves

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.containers.conftest import System

__all__ = [
    "test_the_page_presigns_posts_and_confirms",
    "test_without_the_third_phase_the_avatar_stays_and_the_upload_expires",
]


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_has_the_limits_of_its_task_definition(system: System, service: str) -> None:
    limits = read_limits(system.deployment, service)
    wrapped = system.containers[service].get_wrapped_container()
    wrapped.reload()
    host = wrapped.attrs["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == int(limits["mem_limit"].removesuffix("m")) * 2**20
    assert host["NanoCpus"] == limits["nano_cpus"]
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["Init"]) == (True, ["ALL"], True)
    assert wrapped.attrs["Config"]["User"] == "10001:10001"


def test_users_are_seeded_and_shown(stack: Stack) -> None:
    users = web.get(f"{stack.origin}/users").raise_for_status().json()["users"]
    assert len([user for user in users if user["avatar"]]) >= 3


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_is_told_to_ends_by_itself_within_its_grace(system: System, service: str) -> None:
    """The last of these tests, since it leaves nothing running."""
    assert read_stop_seconds(system.deployment, service) >= GRACE_SECONDS + 5
    container = system.containers[service].get_wrapped_container()
    container.stop(timeout=PATIENCE_SECONDS)
    container.reload()
    # Once it has finished, uvicorn ends by the signal that it was told to; 137 would be the engine's SIGKILL.
    assert (container.attrs["State"]["ExitCode"], container.attrs["State"]["OOMKilled"]) == (
        128 + signal.SIGTERM,
        False,
    )
    assert "Traceback" not in container.logs().decode()
