"""The emulator at `AWS_ENDPOINT_URL`, which is already running. The real AWS is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest

from infra.local.clients import Aws
from infra.local.stack import REGION
from tests import web
from tests.targets import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

HEALTH = {"/_localstack/health": Target.GIVEN_LOCALSTACK, "/_ministack/health": Target.GIVEN_MINISTACK}


def recognize(endpoint: str) -> Target:
    """
    Raises:
        pytest.UsageError: the endpoint is not a known emulator. Tests create and delete resources, so it is refused.
    """
    for path, target in HEALTH.items():
        try:
            if web.get(endpoint.rstrip("/") + path).is_success:
                return target
        except httpx2.HTTPError:
            continue
    raise pytest.UsageError(f"AWS_ENDPOINT_URL: neither LocalStack nor MiniStack answers at {endpoint}")


def find_given(environ: Mapping[str, str]) -> Aws:
    """Clients with the credentials in the environment, or by default with those of LocalStack's root."""
    return Aws(
        environ["AWS_ENDPOINT_URL"].rstrip("/"),
        environ.get("AWS_DEFAULT_REGION", REGION),
        environ.get("AWS_ACCESS_KEY_ID", "test"),
        environ.get("AWS_SECRET_ACCESS_KEY", "test"),
    )
