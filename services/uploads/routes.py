from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.background_tasks import BackgroundTask, BackgroundTasks
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody, QueryParameter
from litestar.response import Redirect

from services.pictures.formats import normalize_content_type
from services.settings.limits import LARGEST_MAX_BYTES, MAX_FORM_SECONDS
from services.store.kinds import AVATAR, KINDS, Kind
from services.uploads import examples
from services.uploads.confirm import Confirmer
from services.uploads.objects import Declared
from services.uploads.outbox import Outbox
from services.uploads.picture import describe_types
from services.uploads.presign import Presigner
from services.uploads.removal import Remover
from services.uploads.user_pictures import UserPictures, make_path
from services.web.callers.guard import Guard
from services.web.callers.identity import Caller
from services.web.examples import USERNAME, make_examples
from services.web.metrics import Metrics
from services.web.openapi import CALLER, document_only
from services.web.rate_limits import RateLimit
from services.web.request_context import find_request_id
from services.web.responses import StructResponse

if TYPE_CHECKING:
    KindName = str
else:
    # A type checker accepts only literals that are written out.
    KindName = Literal[tuple(KINDS)]

CONTENT_TYPES = list(dict.fromkeys(name for kind in KINDS.values() for name in kind.limits.content_types))
TYPES_OF_EACH_KIND = " ".join(describe_types(kind, kind.limits) for kind in KINDS.values())

Username = Annotated[
    str,
    QueryParameter(
        # The longest key of a row, and more than the longest username.
        min_length=1,
        max_length=256,
        description="A user in the table.",
        examples=make_examples(USERNAME),
    ),
]


class PresignRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    content_type: Annotated[
        str,
        msgspec.Meta(
            max_length=256,
            description="Content type of the file, without parameters. Upper case and `image/jpg` are accepted, too. "
            + TYPES_OF_EACH_KIND,
            extra_json_schema=document_only(enum=CONTENT_TYPES),
        ),
    ]
    size: Annotated[
        int,
        msgspec.Meta(
            description="Size of the file, bytes. A deployment may allow less.",
            extra_json_schema=document_only(minimum=1, maximum=LARGEST_MAX_BYTES),
        ),
    ]
    sha256: Annotated[
        str,
        # 32 bytes in base64. The last character has four bits, so that each digest has one spelling. The length refuses
        # a newline, before which `$` matches too.
        msgspec.Meta(
            min_length=44,
            max_length=44,
            pattern=r"^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$",
            description="SHA-256 of the file, in base64.",
        ),
    ]
    kind: Annotated[KindName, msgspec.Meta(description="What the file will be. Default: `avatar`.")] = AVATAR.name


class PresignResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    url: Annotated[str, msgspec.Meta(description="URL to post the form to.")]
    fields: Annotated[
        dict[str, str],
        msgspec.Meta(
            description="Fields of the form. Post them before the field `file`. `Content-Type` is the declared content "
            "type in lower case, and `image/jpeg` for `image/jpg`."
        ),
    ]
    key: Annotated[str, msgspec.Meta(description="Key of the object. Send it with the confirm.")]
    expires: Annotated[
        int,
        msgspec.Meta(
            description="How long the form is valid, seconds.",
            extra_json_schema=document_only(minimum=1, maximum=MAX_FORM_SECONDS),
        ),
    ]
    method: Annotated[Literal["POST"], msgspec.Meta(description="Always POST.")]
    upload_token: (
        Annotated[str, msgspec.Meta(description="Under the strategy `tag` only. Send it with the confirm.")] | None
    ) = None


class ConfirmRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: Annotated[str, msgspec.Meta(max_length=1024, description="The key that the presign returned.")]
    upload_token: (
        Annotated[str, msgspec.Meta(max_length=1024, description="The upload token, if the presign returned one.")]
        | None
    ) = None


class ConfirmResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    username: Annotated[str, msgspec.Meta(description="The user whose picture it is.")]
    kind: Annotated[KindName, msgspec.Meta(description="The kind of the upload.")]
    key: Annotated[str, msgspec.Meta(description="Permanent key of the picture.")]
    url: Annotated[
        str, msgspec.Meta(description="URL that redirects to the user's picture of this kind, for an `img` element.")
    ]
    avatar: Annotated[str, msgspec.Meta(description="The same key, for an avatar only.")] | None = None


@dataclass(frozen=True, slots=True)
class RateLimits:
    presigns: RateLimit
    confirms: RateLimit
    """Of confirms and removals."""


def make_routes(
    guard: Guard,
    presigner: Presigner,
    confirmer: Confirmer,
    remover: Remover,
    outbox: Outbox,
    user_pictures: UserPictures,
    limits: RateLimits,
    metrics: Metrics,
) -> list[HTTPRouteHandler]:
    @post(
        "/uploads/presign",
        status_code=200,
        response_class=StructResponse,
        summary="Phase 1: get a form",
        description="The form allows one file of exactly this type and size, at exactly this key. "
        "In phase 2, post all `fields` to `url`, followed by the file as the field `file`.",
        response_description="The presigned POST form.",
        operation_class=examples.PRESIGN,
        responses=examples.PRESIGN_PROBLEMS,
        security=CALLER,
        before_request=guard.require_caller,
    )
    async def presign(request: Request[Caller, Any, Any], data: JSONBody[PresignRequest]) -> PresignResponse:
        limits.presigns.take(request.user.username)
        declared = Declared(normalize_content_type(data.content_type), data.size, data.sha256)
        presigned = presigner.presign(request.user.username, KINDS[data.kind], declared, find_request_id())
        metrics.count("Presigned")
        return PresignResponse(
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
        summary="Phase 3: confirm the upload",
        description="Verifies the posted picture, makes the object permanent and lets the user's row refer to it. "
        "A repeated request returns the same response.",
        response_description="The user's row refers to the picture.",
        operation_class=examples.CONFIRM,
        responses=examples.CONFIRM_PROBLEMS,
        security=CALLER,
        before_request=guard.require_caller,
    )
    async def confirm(request: Request[Caller, Any, Any], data: JSONBody[ConfirmRequest]) -> Response[ConfirmResponse]:
        limits.confirms.take(request.user.username)
        confirmed = await asyncio.to_thread(confirmer.confirm, request.user.username, data.key, data.upload_token)
        upload = confirmed.upload
        metrics.count("Confirmed")
        return Response(
            ConfirmResponse(
                request.user.username,
                upload.kind.name,
                upload.permanent_key,
                user_pictures.make_url(request.user.username, upload),
                upload.permanent_key if upload.kind == AVATAR else None,
            ),
            background=BackgroundTasks(
                [
                    BackgroundTask(confirmer.bucket.discard, confirmed.leftovers),
                    BackgroundTask(outbox.send, confirmed.message),
                ]
            ),
        )

    @get(["/healthz", "/uploads/healthz"], include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    removals = [_make_removal(kind, guard, confirmer, remover, outbox, limits, metrics) for kind in KINDS.values()]
    redirects = [_make_redirect(kind, user_pictures) for kind in KINDS.values()]
    return [presign, confirm, *removals, *redirects, healthz]


def _make_removal(
    kind: Kind,
    guard: Guard,
    confirmer: Confirmer,
    remover: Remover,
    outbox: Outbox,
    limits: RateLimits,
    metrics: Metrics,
) -> HTTPRouteHandler:
    @delete(
        make_path(kind),
        status_code=204,
        operation_id=f"remove{kind.name.capitalize()}",
        summary=f"Remove the {kind.name}",
        description=f"The user has no {kind.name} afterwards, and no upload that was presigned before can become it. "
        "A repeated request returns the same response.",
        operation_class=examples.REMOVAL,
        responses=examples.describe_removal_problems(kind),
        security=CALLER,
        before_request=guard.require_caller,
    )
    async def remove(request: Request[Caller, Any, Any]) -> Response[None]:
        limits.confirms.take(request.user.username)
        removed = await asyncio.to_thread(remover.remove, request.user.username, kind, find_request_id())
        metrics.count("Removed")
        return Response(
            None,
            status_code=204,
            background=BackgroundTasks(
                [
                    BackgroundTask(confirmer.bucket.discard, removed.keys),
                    BackgroundTask(outbox.send, removed.message),
                ]
            ),
        )

    return remove


def _make_redirect(kind: Kind, user_pictures: UserPictures) -> HTTPRouteHandler:
    @get(
        make_path(kind),
        sync_to_thread=True,
        status_code=303,
        operation_id=f"show{kind.name.capitalize()}",
        summary=f"Get a user's {kind.name}",
        description="Needs no access token. The response for an unknown user is that for a user without a picture.",
        response_description="A redirect to the picture.",
        operation_class=examples.PICTURE,
        responses=examples.describe_picture_problems(kind),
    )
    def show_picture(username: Username) -> Redirect:
        return user_pictures.redirect(username, kind)

    return show_picture
