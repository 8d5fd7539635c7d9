"""Presigned POST forms that the uploads service would not return."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from services.store.kinds import AVATAR
from services.uploads.bucket import Bucket
from services.uploads.decision import Limits
from services.uploads.form import Signer
from services.uploads.picture import limit_kinds
from services.uploads.presign import Presigner
from services.uploads.strategies import STRATEGIES

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from services.uploads.objects import Declared


def presign_as(
    stack: Stack, strategy: str, username: str, declared: Declared, *, service: str, seconds: int
) -> dict[str, Any]:
    """A form as the uploads service makes it, signed with the credentials of `service` and valid for `seconds`."""
    aws = stack.aws.with_credentials(stack.resources.credentials[service])
    destination = Bucket(aws.s3, stack.resources.bucket).find_destination()
    limits = Limits(limit_kinds(5_000_000, 4200, 4200), seconds, 3600)
    presigner = Presigner(Signer(destination, aws.find_credentials), STRATEGIES[strategy], limits, time.time)
    presigned = presigner.presign(username, AVATAR, declared, "request-1")
    return {"url": presigned.form.url, "fields": presigned.form.fields, "key": presigned.key}
