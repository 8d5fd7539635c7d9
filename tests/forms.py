"""Forms that the uploads service would not give."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from services.uploads.bucket import Bucket
from services.uploads.pending import STRATEGIES
from services.uploads.upload import Declared, Limits
from services.uploads.uploads import Uploads
from services.uploads.users import Users

if TYPE_CHECKING:
    from infra.local.stack import Stack


def presign_otherwise(
    stack: Stack, strategy: str, username: str, declared: Declared, *, service: str, seconds: int
) -> dict[str, Any]:
    """A form just as the uploads service makes it, signed by this service and good for so many seconds."""
    aws = stack.aws.sign_in(stack.resources.credentials[service])
    with ThreadPoolExecutor() as executor:
        uploads = Uploads(
            Bucket(aws.s3, stack.resources.bucket),
            Users(aws.dynamodb, stack.resources.table),
            STRATEGIES[strategy],
            Limits(5_000_000, 8192, 8192, seconds, 3600),
            time.time,
            executor,
        )
        presigned = uploads.presign(username, declared, "request-1")
    return {"url": presigned.form.url, "fields": dict(presigned.form.fields), "key": presigned.key}
