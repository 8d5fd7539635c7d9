from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec
from litestar import Request, Response, get, post
from litestar.background_tasks import BackgroundTask
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody, SkipValidation
from litestar.types import ASGIApp, Receive, Scope, Send

from services.uploads import examples
from services.uploads.confirm import Confirmer
from services.uploads.objects import Declared
from services.uploads.presign import Presigner
from services.web.bodies import read_json, send_json
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


@dataclass(frozen=True, slots=True)
class PresignEndpoint:
    """Presign as an ASGI application: as a handler of the framework's it would take a third more of the processor
    (docs/decisions/0015-presign-is-plain-asgi.md).
    """

    guard: Guard
    presigner: Presigner
    presigns: RateLimit
    metrics: Metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = await read_json(scope, receive, PresignRequest)
        caller = await self.guard.identify(Request(scope))
        await send_json(self.answer(caller, asked), send)

    def answer(self, caller: Caller, asked: PresignRequest) -> PresignAnswer:
        """
        Raises:
            TooManyRequestsError: not now, of this caller.
            RefusedError, NoCredentialsError: as `Presigner.presign`.
        """
        self.presigns.take(caller.username)
        declared = Declared(asked.content_type, asked.size, asked.sha256)
        presigned = self.presigner.presign(caller.username, declared, find_request_id())
        self.metrics.count("Presigned")
        return PresignAnswer(
            method="POST",
            url=presigned.form.url,
            fields=presigned.form.fields,
            key=presigned.key,
            expires=self.presigner.limits.form_seconds,
            upload_token=presigned.token,
        )


def make_presign(endpoint: PresignEndpoint) -> HTTPRouteHandler:
    """What the router, the exception handlers and the description know of presign; `endpoint` does it."""

    def answer_instead(app: ASGIApp) -> ASGIApp:  # noqa: ARG001 - it comes to nothing that is beneath
        return endpoint

    @post(
        "/uploads/presign",
        status_code=200,
        middleware=[answer_instead],
        summary="Phase 1: ask for a form",
        description="The form lets exactly one thing be posted: a file of this type and size, to this key. "
        "Phase 2 is that post, to `url`: every one of `fields`, and then the file as `file`.",
        response_description="The form.",
        operation_class=examples.PRESIGN,
        responses=examples.PRESIGN_PROBLEMS,
        security=CALLER,
    )
    async def presign(data: JSONBody[PresignRequest]) -> PresignAnswer:  # noqa: ARG001 - its kind is what matters
        raise AssertionError("The endpoint answers before it comes to this.")

    return presign


@post(
    "/uploads/confirm",
    status_code=200,
    sync_to_thread=True,
    summary="Phase 3: make it the avatar",
    description="Checks the picture that was posted, makes it permanent and points the user's row at it. "
    "A repeat is answered as the first call was.",
    response_description="It is the user's avatar now.",
    operation_class=examples.CONFIRM,
    responses=examples.CONFIRM_PROBLEMS,
    security=CALLER,
)
def confirm(
    data: JSONBody[ConfirmRequest],
    caller: SkipValidation[Caller],
    uploads: SkipValidation[Confirmer],
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
