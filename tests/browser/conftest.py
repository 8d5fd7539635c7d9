"""A separate system for the browser tests, so that objects of other tests do not fill pages of the lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from infra.local.clients import Aws
    from infra.local.stack import Stack
    from tests.conftest import StartStack


@pytest.fixture(scope="session")
def stack(aws: Aws, strategy: Literal["prefix", "tag"], start_stack: StartStack) -> Stack:
    return start_stack(aws, strategy, "browsers")


@pytest.fixture(scope="module")
def frame(browser: Browser, stack: Stack) -> Iterator[Page]:
    """A page in which tests import the page's modules, without the user of the fixture `page`."""
    page = browser.new_page()
    page.goto(stack.origin)
    yield page
    page.close()
