from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def disable_logging() -> Iterator[None]:
    """Thousands of deletions fail on purpose. Logging them takes longer than the deletions."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
