"""The uploads service in this process, with its clock and its calls to AWS in a test's hands."""

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
class OwnService:
    url: str = ""
    seconds_ahead: float = 0
    """Of its clock."""
    before_copy: Callable[[], object] = lambda: None
    """Called between what it reads and what it copies."""
    copies: int = 0

    def confirm(self, user: User, form: dict[str, Any]) -> httpx2.Response:
        wanted = {name: form[name] for name in form.keys() & {"key", "upload_token"}}
        return user.http.post(f"{self.url}/uploads/confirm", json=wanted)


@contextlib.contextmanager
def run_own_service(stack: Stack, strategy: Literal["prefix", "tag"]) -> Generator[OwnService, None, None]:
    aws = stack.aws.with_credentials(stack.resources.credentials["uploads"])
    services = {**stack.services, "uploads": f"http://{HOST}:8000"}
    environ = make_environ("uploads", services, aws, stack.resources, stack.origin, InfraSettings(pending=strategy))
    own = OwnService()

    def interfere(**_: object) -> None:
        own.copies += 1
        own.before_copy()

    aws.s3.meta.events.register("before-call.s3.CopyObject", interfere)
    application = create_app(
        read_settings(Settings, environ),
        s3=aws.s3,
        dynamodb=aws.dynamodb,
        credentials=aws.find_credentials,
        clock=lambda: time.time() + own.seconds_ahead,
    )
    with serve(application) as own.url:
        yield own
