"""Examples of requests and responses, for the OpenAPI document."""

from __future__ import annotations

from litestar.exceptions import ValidationException
from litestar.openapi.datastructures import ResponseSpec

from services.pictures.formats import CONTENT_TYPES
from services.store.keys import DIGEST_FIELD, REQUEST_FIELD, TOKEN_FIELD, USERNAME_FIELD
from services.store.kinds import AVATAR, Kind
from services.store.table import UnknownUserError
from services.uploads import refusals
from services.uploads.picture import DIGEST_MISMATCH, NOT_A_PICTURE, TYPE_MISMATCH, UNREADABLE, describe_types
from services.uploads.problems import ERRORS
from services.uploads.user_pictures import make_path, make_picture_url
from services.web.examples import (
    BUCKET_URL,
    CONTENT_TYPE,
    FOREIGN_ORIGIN,
    NAMED_USER,
    NOT_LOGGED_IN,
    ORIGIN,
    OTHER_KIND,
    OTHER_USER,
    REDIRECT_HEADERS,
    REQUEST_ID,
    SHA256,
    SIZE,
    UPLOAD,
    UPLOAD_TOKEN,
    USERNAME,
)
from services.web.openapi import add_examples
from services.web.pictures import report_no_picture
from services.web.problems import BODY_ERRORS, describe_problems
from services.web.rate_limits import TooManyRequestsError

OTHER_TYPE = next(other for other in CONTENT_TYPES if other != CONTENT_TYPE)

FIELDS = {
    "Content-Type": CONTENT_TYPE,
    f"x-amz-meta-{USERNAME_FIELD}": USERNAME,
    f"x-amz-meta-{REQUEST_FIELD}": REQUEST_ID,
    f"x-amz-meta-{DIGEST_FIELD}": SHA256,
    "x-amz-checksum-algorithm": "SHA256",
    "x-amz-checksum-sha256": SHA256,
}
SIGNED = {
    "x-amz-algorithm": "AWS4-HMAC-SHA256",
    "x-amz-credential": "ASIAIOSFODNN7EXAMPLE/20261121/eu-central-1/s3/aws4_request",
    "x-amz-date": "20261121T104152Z",
    "x-amz-security-token": "IQoJb3JpZ2luX2VjEPT…",
    "policy": "eyJleHBpcmF0aW9uIjogIjIwMjYtMTEtMjFUMTA6NDY6NTJa…",
    "x-amz-signature": "a015f49c6105587f8ed7850104db1562cbf081145846e68c869035aa86761764",
}

TYPE_NOT_ALLOWED = refusals.TypeNotAllowedError(describe_types(AVATAR, AVATAR.limits))

PRESIGN = add_examples(
    {
        "strategy prefix": {
            "url": f"{BUCKET_URL}/",
            "fields": FIELDS | {"key": UPLOAD.pending_key} | SIGNED,
            "key": UPLOAD.pending_key,
            "expires": 300,
            "method": "POST",
        },
        "strategy tag": {
            "url": f"{BUCKET_URL}/",
            "fields": FIELDS
            | {
                f"x-amz-meta-{TOKEN_FIELD}": UPLOAD_TOKEN,
                "tagging": "<Tagging><TagSet><Tag><Key>Status</Key><Value>Pending</Value></Tag></TagSet></Tagging>",
                "key": UPLOAD.permanent_key,
            }
            | SIGNED,
            "key": UPLOAD.permanent_key,
            "expires": 300,
            "method": "POST",
            "upload_token": UPLOAD_TOKEN,
        },
    },
    bodies={
        "an avatar": {"content_type": CONTENT_TYPE, "size": SIZE, "sha256": SHA256},
        "another kind": {"kind": OTHER_KIND.kind.name, "content_type": CONTENT_TYPE, "size": SIZE, "sha256": SHA256},
    },
    parameters=[NAMED_USER],
)
PRESIGN_PROBLEMS = describe_problems(
    ERRORS,
    *BODY_ERRORS,
    *NOT_LOGGED_IN,
    FOREIGN_ORIGIN,
    OTHER_USER,
    TYPE_NOT_ALLOWED,
    refusals.EmptyFileError("The file is empty."),
    refusals.TooLargeError("The file has 6,000,000 bytes; 5,000,000 are allowed."),
    TooManyRequestsError(1),
)

CONFIRM = add_examples(
    {
        "an avatar": {
            "username": USERNAME,
            "kind": AVATAR.name,
            "key": UPLOAD.permanent_key,
            "url": make_picture_url(ORIGIN, USERNAME, UPLOAD),
            "avatar": UPLOAD.permanent_key,
        },
        "another kind": {
            "username": USERNAME,
            "kind": OTHER_KIND.kind.name,
            "key": OTHER_KIND.permanent_key,
            "url": make_picture_url(ORIGIN, USERNAME, OTHER_KIND),
        },
    },
    bodies={
        "strategy prefix": {"key": UPLOAD.pending_key},
        "strategy tag": {"key": UPLOAD.permanent_key, "upload_token": UPLOAD_TOKEN},
    },
    parameters=[NAMED_USER],
)
CONFIRM_PROBLEMS = describe_problems(
    ERRORS,
    *BODY_ERRORS,
    *NOT_LOGGED_IN,
    FOREIGN_ORIGIN,
    OTHER_USER,
    refusals.UnknownUploadError("There is no upload of that key."),
    UnknownUserError(),
    refusals.OtherStrategyError("The upload was presigned under the other strategy. Upload the picture again."),
    refusals.SupersededError("A later upload is the avatar already."),
    refusals.RemovedError("The avatar was removed after this upload was presigned. Upload the picture again."),
    refusals.KeepsChangingError("The upload was replaced while it was confirmed. Confirm it again."),
    refusals.ExpiredError("The upload was not confirmed in time. Upload the picture again."),
    refusals.TooLargeError("The file has 6,000,000 bytes; 5,000,000 are allowed."),
    refusals.DigestMismatchError(DIGEST_MISMATCH),
    refusals.NotAPictureError(NOT_A_PICTURE),
    refusals.TypeMismatchError(TYPE_MISMATCH.format(declared=CONTENT_TYPE, found=OTHER_TYPE)),
    TYPE_NOT_ALLOWED,
    refusals.UnreadablePictureError(UNREADABLE),
    refusals.TooManyPixelsError("The picture has 12000 x 9000 pixels; 4200 x 4200 are allowed."),
    TooManyRequestsError(1),
)

REMOVAL = add_examples(parameters=[NAMED_USER])


def describe_removal_problems(kind: Kind) -> dict[int, ResponseSpec]:
    return describe_problems(
        ERRORS,
        *NOT_LOGGED_IN,
        FOREIGN_ORIGIN,
        OTHER_USER,
        UnknownUserError(),
        refusals.KeepsChangingError(f"The {kind.name} was changed while it was removed. Remove it again."),
        TooManyRequestsError(1),
    ) | {204: ResponseSpec(None, description=f"The user has no {kind.name}.")}


PICTURE = add_examples(headers=REDIRECT_HEADERS)


def describe_picture_problems(kind: Kind) -> dict[int, ResponseSpec]:
    return describe_problems(
        ERRORS,
        ValidationException(
            f"Validation failed for GET {make_path(kind)}",
            extra=[{"key": "username", "message": "Missing required query parameter 'username'"}],
        ),
        report_no_picture(kind),
    )
