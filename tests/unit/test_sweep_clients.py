"""The AWS clients of a sweep, which has more time for a call than a service."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from services.store.clients import CLIENT_CONFIG
from services.uploads.sweep.__main__ import make_sweeper
from services.uploads.sweep.settings import Settings
from tests.unit.conftest import REGION

if TYPE_CHECKING:
    import pytest


def test_a_sweep_waits_longer_for_s3_than_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with ThreadPoolExecutor(1) as executor:
        sweeper = make_sweeper(Settings(bucket="pictures", table="users"), executor, lambda: 0)
    config: object = sweeper.bucket.s3.meta.config
    assert getattr(config, "read_timeout", None) == 30
    assert getattr(config, "connect_timeout", None) == 1
    assert getattr(CLIENT_CONFIG, "read_timeout", None) == 3
