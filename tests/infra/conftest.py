from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from infra.__main__ import main
from tests.infra import samples
from tests.infra.cloud import Cloud
from tests.infra.runs import Runs
from tests.infra.stacks import NoEngineError, Stack, find_engine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.infra.engine import Deployment


class MakeStack(Protocol):
    """Make a stack. Default: the project's program in an account of its own."""

    def __call__(
        self,
        name: str = "test",
        *,
        cloud: Cloud | None = None,
        program: Callable[[], None] = main,
        project: str = "three-phase-upload",
    ) -> Stack: ...


@pytest.fixture(scope="session")
def pulumi_engine() -> None:
    """Skip the test where Pulumi's CLI is not installed. In CI it fails."""
    try:
        find_engine()
    except NoEngineError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture
def make_stack(pulumi_engine: None, tmp_path: Path) -> MakeStack:  # noqa: ARG001 - skips
    def make(name: str = "test", *, cloud: Cloud | None = None, **options: Any) -> Stack:
        return Stack(tmp_path / name, Cloud() if cloud is None else cloud, name=name, **options)

    return make


@pytest.fixture
def stack(make_stack: MakeStack) -> Stack:
    """A stack without resources, in an account of its own."""
    return make_stack()


@pytest.fixture(scope="session")
def first_up(pulumi_engine: None, tmp_path_factory: pytest.TempPathFactory) -> Stack:  # noqa: ARG001 - skips
    """A stack after its first `up`, for tests that only read it."""
    stack = Stack(tmp_path_factory.mktemp("stack"), Cloud())
    stack.up({"architecture": "ARM64"})
    return stack


@pytest.fixture
def live(first_up: Stack, tmp_path: Path) -> Stack:
    """A stack after its first `up`, with its own copy of the state and of the account."""
    return first_up.copy(tmp_path / "live")


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="session")
def good(runs: Runs) -> Deployment:
    return runs.run(samples.GOOD)


@pytest.fixture(scope="session")
def faulty(runs: Runs) -> Deployment:
    return runs.run(samples.FAULTY, secret_config={"password": "hunter2"})


@pytest.fixture(scope="session")
def careless(runs: Runs) -> Deployment:
    return runs.run(samples.CARELESS)
