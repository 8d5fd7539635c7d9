from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.background_tasks import BackgroundTask
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from services.auth.verifier import Doorkeeper
from services.description import CALLER
from services.exchange import find_request_id
from services.metrics import Metrics
from services.rate_limits import RateLimit
from services.uploads import examples
from services.uploads.presigner import Presigner
from services.uploads.upload import Declared
from services.uploads.uploads import Uploads


class PresignRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    content_type: Annotated[str, msgspec.Meta(max_length=256, description="Of the file.")]
    size: Annotated[int, msgspec.Meta(description="Bytes.")]
    sha256: (
        Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9+/]{43}=$", description="Of the file, in base64.")] | None
    ) = None


class PresignAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    url: Annotated[str, msgspec.Meta(description="Where to post to.")]
    fields: Annotated[dict[str, str], msgspec.Meta(description="To be posted before the field `file`.")]
    key: Annotated[str, msgspec.Meta(description="To be sent with the confirm.")]
    expires: Annotated[int, msgspec.Meta(description="How long the form may be posted, in seconds.")]
    method: Annotated[str, msgspec.Meta(description="Always POST.")]
    upload_token: (
        Annotated[str, msgspec.Meta(description="To be sent with the confirm; under the strategy `tag` only.")] | None
    ) = None


class ConfirmRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: Annotated[str, msgspec.Meta(max_length=1024, description="From the presign.")]
    upload_token: (
        Annotated[str, msgspec.Meta(max_length=1024, description="From the presign, if it came with one.")] | None
    ) = None


class ConfirmAnswer(msgspec.Struct, frozen=True):
    username: Annotated[str, msgspec.Meta(description="Of the caller.")]
    avatar: Annotated[str, msgspec.Meta(description="The key that the picture has for good.")]


def make_routes(
    doorkeeper: Doorkeeper, presigner: Presigner, presigns: RateLimit, uploads: Uploads, metrics: Metrics
) -> list[HTTPRouteHandler]:
    @post(
        "/uploads/presign",
        status_code=200,
        summary="Phase 1: ask for a form",
        description="The form lets exactly one thing be posted: a file of this type and size, to this key. "
        "Phase 2 is that post, to `url`: every one of `fields`, and then the file as `file`.",
        response_description="The form.",
        operation_class=examples.PRESIGN,
        responses=examples.PRESIGN_PROBLEMS,
        security=CALLER,
    )
    async def presign(request: Request[Any, Any, Any], data: JSONBody[PresignRequest]) -> PresignAnswer:
        caller = await doorkeeper.identify(request)
        presigns.take(caller.username)
        declared = Declared(data.content_type, data.size, data.sha256)
        presigned = presigner.presign(caller.username, declared, find_request_id())
        metrics.count("Presigned")
        return PresignAnswer(
            method="POST",
            url=presigned.form.url,
            fields=presigned.form.fields,
            key=presigned.key,
            expires=presigner.limits.form_seconds,
            upload_token=presigned.token,
        )

    @post(
        "/uploads/confirm",
        status_code=200,
        summary="Phase 3: make it the avatar",
        description="Checks the picture that was posted, makes it permanent and points the user's row at it. "
        "A repeat is answered as the first call was.",
        response_description="It is the user's avatar now.",
        operation_class=examples.CONFIRM,
        responses=examples.CONFIRM_PROBLEMS,
        security=CALLER,
    )
    async def confirm(request: Request[Any, Any, Any], data: JSONBody[ConfirmRequest]) -> Response[ConfirmAnswer]:
        caller = await doorkeeper.identify(request)
        confirmed = await asyncio.to_thread(uploads.confirm, caller.username, data.key, data.upload_token)
        metrics.count("Confirmed")
        return Response(
            ConfirmAnswer(caller.username, confirmed.avatar),
            background=BackgroundTask(uploads.discard, confirmed.leftovers),
        )

    @get(["/healthz", "/uploads/healthz"], include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return [presign, confirm, healthz]
