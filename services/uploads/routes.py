from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.background_tasks import BackgroundTask
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from services.uploads import examples
from services.uploads.confirm import Confirmer
from services.uploads.objects import Declared
from services.uploads.presign import Presigner
from services.web.callers.guard import Guard
from services.web.callers.identity import Caller
from services.web.metrics import Metrics
from services.web.openapi import CALLER
from services.web.rate_limits import RateLimit
from services.web.request_context import find_request_id


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
    guard: Guard, presigner: Presigner, presigns: RateLimit, confirmer: Confirmer, metrics: Metrics
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
        guards=[guard.require_caller],
    )
    async def presign(request: Request[Caller, Any, Any], data: JSONBody[PresignRequest]) -> PresignAnswer:
        presigns.take(request.user.username)
        declared = Declared(data.content_type, data.size, data.sha256)
        presigned = presigner.presign(request.user.username, declared, find_request_id())
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
        guards=[guard.require_caller],
    )
    async def confirm(request: Request[Caller, Any, Any], data: JSONBody[ConfirmRequest]) -> Response[ConfirmAnswer]:
        confirmed = await asyncio.to_thread(confirmer.confirm, request.user.username, data.key, data.upload_token)
        metrics.count("Confirmed")
        return Response(
            ConfirmAnswer(request.user.username, confirmed.avatar),
            background=BackgroundTask(confirmer.discard, confirmed.leftovers),
        )

    @get(["/healthz", "/uploads/healthz"], include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return [presign, confirm, healthz]
