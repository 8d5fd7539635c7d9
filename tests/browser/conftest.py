"""A system of the browsers' own: what other tests leave there would be many pages to turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from infra.local.clients import Aws
    from infra.local.stack import Stack
    from tests.conftest import StartStack


@pytest.fixture(scope="session")
def stack(aws: Aws, strategy: Literal["prefix", "tag"], start_stack: StartStack) -> Stack:
    return start_stack(aws, strategy, "browsers")
