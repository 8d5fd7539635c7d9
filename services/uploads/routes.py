from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, get, post
from litestar.background_tasks import BackgroundTask
from litestar.params import JSONBody, SkipValidation

from services.auth.verifier import Caller
from services.exchange import find_request_id
from services.metrics import Metrics
from services.problems import describe_problems
from services.rate_limits import RateLimit
from services.uploads.upload import Declared
from services.uploads.uploads import Uploads


class PresignRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    content_type: Annotated[str, msgspec.Meta(max_length=256, examples=["image/jpeg"])]
    size: Annotated[int, msgspec.Meta(description="Bytes.", examples=[48213])]
    sha256: (
        Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9+/]{43}=$", description="Of the file, in base64.")] | None
    ) = None


class PresignAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    url: str
    fields: Annotated[dict[str, str], msgspec.Meta(description="To be posted before the field `file`.")]
    key: str
    expires: Annotated[int, msgspec.Meta(description="Seconds.")]
    method: str
    upload_token: Annotated[str, msgspec.Meta(description="To be sent with the confirm.")] | None = None


class ConfirmRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: Annotated[str, msgspec.Meta(max_length=1024)]
    upload_token: Annotated[str, msgspec.Meta(max_length=1024)] | None = None


class ConfirmAnswer(msgspec.Struct, frozen=True):
    username: str
    avatar: str


@post("/uploads/presign", status_code=200, responses=describe_problems(400, 401, 403, 413, 415, 422, 429, 503))
async def presign(
    data: JSONBody[PresignRequest],
    caller: SkipValidation[Caller],
    uploads: SkipValidation[Uploads],
    presigns: SkipValidation[RateLimit],
    metrics: SkipValidation[Metrics],
) -> PresignAnswer:
    presigns.take(caller.username)
    presigned = uploads.presign(caller.username, Declared(data.content_type, data.size, data.sha256), find_request_id())
    metrics.count("Presigned")
    return PresignAnswer(
        method="POST",
        url=presigned.form.url,
        fields=dict(presigned.form.fields),
        key=presigned.key,
        expires=uploads.limits.form_seconds,
        upload_token=presigned.token,
    )


@post(
    "/uploads/confirm",
    status_code=200,
    sync_to_thread=True,
    responses=describe_problems(400, 401, 403, 404, 409, 410, 413, 415, 422, 503),
)
def confirm(
    data: JSONBody[ConfirmRequest],
    caller: SkipValidation[Caller],
    uploads: SkipValidation[Uploads],
    metrics: SkipValidation[Metrics],
) -> Response[ConfirmAnswer]:
    confirmed = uploads.confirm(caller.username, data.key, data.upload_token)
    metrics.count("Confirmed")
    return Response(
        ConfirmAnswer(caller.username, confirmed.avatar),
        background=BackgroundTask(uploads.discard, confirmed.leftovers),
    )


@get(["/healthz", "/uploads/healthz"], include_in_schema=False)
async def healthz() -> dict[str, str]:
    return {"status": "ok"}
