"""The metrics that a service writes to standard output, which AWS sends to CloudWatch Logs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pytest

from infra.local.ports import HOST, pick_free_ports
from infra.local.processes import Processes
from infra.local.stack import make_environ
from infra.settings import Settings
from tests import web
from tests.conftest import DECLARED, only_prefix
from tests.metric_lines import read_counts
from tests.pictures import make_picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.local.stack import Stack
    from tests.conftest import User

PICTURE = make_picture()

pytestmark = only_prefix


@dataclass(frozen=True)
class Service:
    url: str
    log: Path


@pytest.fixture
def service(stack: Stack, strategy: Literal["prefix", "tag"], tmp_path: Path) -> Iterator[Service]:
    """Another process of the uploads service, which writes metrics."""
    url = f"http://{HOST}:{pick_free_ports(1)[0]}"
    services = {**stack.services, "uploads": url}
    settings = Settings(pending=strategy)
    environ = make_environ("uploads", services, stack.aws, stack.resources, stack.origin, settings)
    processes = Processes(tmp_path)
    try:
        process = processes.start(
            "uploads", "services.uploads", health=f"{url}/healthz", environ=environ | {"METRICS": "true"}
        )
        process.wait_until_ready()
        yield Service(url, process.log)
    finally:
        processes.stop()


def test_the_uploads_service_writes_each_metric_at_once(service: Service, user: User) -> None:
    form = user.upload_unconfirmed("image/png", PICTURE)
    with web.Client(base_url=service.url, headers=user.http.headers) as http:
        assert http.post("/uploads/presign", json=DECLARED).status_code == 200
        assert http.post("/uploads/presign", json=DECLARED | {"size": 0}).status_code == 422
        for _ in range(2):
            assert http.post("/uploads/confirm", json={"key": form["key"]}).status_code == 200
    # The service is still running, so nothing is buffered.
    metrics = [line for line in service.log.read_text().splitlines() if "_aws" in line]
    uploads = ("Service", "uploads")
    assert read_counts(metrics) == {
        ("Presigned", uploads): 1,
        ("Refused", uploads): 1,
        ("Refused", uploads, ("Reason", "empty-file")): 1,
        ("Confirmed", uploads): 2,
    }
    assert not any(user.username in line or form["key"] in line for line in metrics)


def test_the_demos_logs_contain_no_metrics(stack: Stack, user: User) -> None:
    user.confirm(user.upload_unconfirmed("image/png", PICTURE)).raise_for_status()
    logs = {path.stem: path.read_text() for path in stack.processes.logs.glob("*.log")}
    assert {"auth", "uploads"} <= set(logs)
    assert not any("_aws" in metrics for metrics in logs.values())
