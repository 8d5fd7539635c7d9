"""The uploads service in the test's process. A test controls its clock and can act before its copies."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from infra.local.ports import HOST
from infra.local.stack import make_environ
from infra.settings import Settings as InfraSettings
from services.settings.environment import read_settings
from services.uploads.app import create_app
from services.uploads.settings import Settings
from tests.faults.conftest import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import httpx2

    from infra.local.stack import Stack
    from tests.conftest import User


@dataclass
class InProcessService:
    url: str = ""
    seconds_ahead: float = 0
    """How far the service's clock is ahead."""
    before_copy: Callable[[], object] = lambda: None
    """Called after the service has read an object and before it copies it."""
    etags_collide: bool = False
    """Whether every object has the same ETag, as files with the same MD5 digest have."""
    copies: int = 0

    def confirm(self, user: User, form: dict[str, Any]) -> httpx2.Response:
        wanted = {name: form[name] for name in form.keys() & {"key", "upload_token"}}
        return user.http.post(f"{self.url}/uploads/confirm", json=wanted)


@contextlib.contextmanager
def run_in_process_service(stack: Stack, strategy: Literal["prefix", "tag"]) -> Generator[InProcessService, None, None]:
    aws = stack.aws.with_credentials(stack.resources.credentials["uploads"])
    services = {**stack.services, "uploads": f"http://{HOST}:8000"}
    environ = make_environ("uploads", services, aws, stack.resources, stack.origin, InfraSettings(pending=strategy))
    service = InProcessService()

    def interfere(params: dict[str, Any], **_: object) -> None:
        service.copies += 1
        if service.etags_collide:
            del params["headers"]["x-amz-copy-source-if-match"]
        service.before_copy()

    aws.s3.meta.events.register("before-call.s3.CopyObject", interfere)
    application = create_app(
        read_settings(Settings, environ),
        s3=aws.s3,
        dynamodb=aws.dynamodb,
        credentials=aws.find_credentials,
        clock=lambda: time.time() + service.seconds_ahead,
    )
    with serve(application) as service.url:
        yield service
