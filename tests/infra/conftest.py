from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from infra.__main__ import main
from tests.infra import samples
from tests.infra.cloud import Cloud
from tests.infra.stacks import PROJECT, Result, Stack, deploy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.infra.deployment import Deployment

CONFIGURED = {
    "architecture": "ARM64",
    "minTasks": "3",
    "maxTasks": "7",
    "cpu": "512",
    "memory": "2048",
    "pending": "tag",
    "maxBytes": "123456",
    "confirmSeconds": "1800",
    "marginSeconds": "2700",
    "tokenSeconds": "600",
    "loginsPerMinute": "7",
    "presignsPerMinute": "0",
    "bucket": "my-own-bucket",
    "logDays": "7",
    "alarmTopic": "arn:aws:sns:eu-west-1:123456789012:alarms",
    "region": "eu-west-1",
    "newUsers": "create",
    "confirmedUrl": "https://example.com/hooks",
    "confirmedSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:webhook-AbCdEf",
}


class MakeStack(Protocol):
    """Make a stack. Default: the project's program, in an account of its own."""

    def __call__(
        self,
        name: str = "test",
        *,
        cloud: Cloud | None = None,
        program: Callable[[], None] = main,
        project: str = PROJECT,
    ) -> Stack: ...


@pytest.fixture
def make_stack(tmp_path: Path) -> MakeStack:
    def make(name: str = "test", *, cloud: Cloud | None = None, **options: Any) -> Stack:
        return Stack(tmp_path / name, Cloud() if cloud is None else cloud, name=name, **options)

    return make


@pytest.fixture
def stack(make_stack: MakeStack) -> Stack:
    """A stack without resources, in an account of its own."""
    return make_stack()


@dataclass(frozen=True)
class Beginning:
    """A new stack, its first preview and its first `up`."""

    stack: Stack
    previewed: Result
    done: Result


@pytest.fixture(scope="session")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Beginning:
    stack = Stack(tmp_path_factory.mktemp("stack"), Cloud())
    previewed = stack.preview({"architecture": "ARM64"})
    assert not stack.cloud.calls
    return Beginning(stack, previewed, stack.up())


@pytest.fixture(scope="session")
def first_up(beginning: Beginning) -> Stack:
    """A stack after its first `up`, for tests that change nothing."""
    return beginning.stack


@pytest.fixture
def live(first_up: Stack, tmp_path: Path) -> Stack:
    """A stack after its first `up`, with its own copy of the state and of the account."""
    return first_up.copy(tmp_path / "live")


@pytest.fixture(scope="session")
def preview(beginning: Beginning) -> Deployment:
    """What the preview before the first `up` shows."""
    return beginning.previewed.deployment


@pytest.fixture(scope="session")
def up(first_up: Stack) -> Deployment:
    """What the first `up` registers."""
    return first_up.deployment()


@pytest.fixture(scope="session")
def configured() -> Deployment:
    """What an `up` with many settings registers."""
    return deploy(CONFIGURED, Cloud())


@pytest.fixture(scope="session")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """What the program with faults registers."""

    def program() -> None:
        exec(compile(samples.FAULTY, "faulty", "exec"), {"__name__": "__main__"})  # noqa: S102 - our own program

    stack = Stack(tmp_path_factory.mktemp("faulty"), Cloud(), project="project", program=program)
    stack.configure({"password": "hunter2"}, secret=True)
    stack.up()
    return stack.deployment()
