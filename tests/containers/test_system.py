"""The images with the limits of their task definitions, and LocalStack: the three phases, the page, and the stop."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from infra.local.stack import SERVICES
from services.web.server import GRACE_SECONDS
from tests import web
from tests.browser.test_upload import (
    test_the_page_presigns_posts_and_confirms_a_photograph,
    test_without_a_confirm_the_page_keeps_the_avatar_and_shows_the_expiry,
)
from tests.containers.images import read_limits, read_stop_seconds
from tests.eventually import PATIENCE_SECONDS
from tests.integration.test_three_phases import *  # noqa: F403 - these tests run here too

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.containers.conftest import System

__all__ = [
    "test_the_page_presigns_posts_and_confirms_a_photograph",
    "test_without_a_confirm_the_page_keeps_the_avatar_and_shows_the_expiry",
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
def test_a_service_stops_within_its_stop_timeout(system: System, service: str) -> None:
    """This test is the last one, since it stops the services."""
    assert read_stop_seconds(system.deployment, service) >= GRACE_SECONDS + 5
    container = system.containers[service].get_wrapped_container()
    container.stop(timeout=PATIENCE_SECONDS)
    container.reload()
    # uvicorn exits with the signal that stopped it. 137 would be the engine's SIGKILL.
    assert (container.attrs["State"]["ExitCode"], container.attrs["State"]["OOMKilled"]) == (
        128 + signal.SIGTERM,
        False,
    )
    assert "Traceback" not in container.logs().decode()
