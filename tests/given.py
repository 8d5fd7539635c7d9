"""The AWS that `AWS_ENDPOINT_URL` names: an emulator that somebody has started, and never the real one."""

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
        pytest.UsageError: it is none that we know, and tests make and delete things.
    """
    for path, target in HEALTH.items():
        try:
            if web.get(endpoint.rstrip("/") + path).is_success:
                return target
        except httpx2.HTTPError:
            continue
    raise pytest.UsageError(f"AWS_ENDPOINT_URL: neither LocalStack nor MiniStack answers at {endpoint}")


def find_given(environ: Mapping[str, str]) -> Aws:
    """With the credentials that the environment has, or those that LocalStack's root has."""
    return Aws(
        environ["AWS_ENDPOINT_URL"].rstrip("/"),
        environ.get("AWS_DEFAULT_REGION", REGION),
        environ.get("AWS_ACCESS_KEY_ID", "test"),
        environ.get("AWS_SECRET_ACCESS_KEY", "test"),
    )
