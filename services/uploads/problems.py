"""The problem for each exception of the service."""

from __future__ import annotations

from services.store.table import UnknownUserError
from services.uploads import refusals
from services.uploads.deadline import DeadlineExceededError
from services.web.callers.identity import PROBLEMS
from services.web.pictures import NO_PICTURE
from services.web.problems import TOO_MANY_REQUESTS, UNAVAILABLE, UNKNOWN_USER, Problem
from services.web.rate_limits import TooManyRequestsError

ERRORS = PROBLEMS | {
    refusals.TypeNotAllowedError: Problem("type-not-allowed", 415, "The content type is not allowed"),
    refusals.EmptyFileError: Problem("empty-file", 422, "The file is empty"),
    refusals.TooLargeError: Problem("too-large", 413, "The file is too large"),
    refusals.UnknownUploadError: Problem("unknown-upload", 404, "There is no such upload"),
    refusals.OtherStrategyError: Problem("other-strategy", 409, "The upload was presigned under the other strategy"),
    refusals.ExpiredError: Problem("expired", 410, "The upload was not confirmed in time"),
    refusals.SupersededError: Problem("superseded", 409, "A later upload was confirmed before", metric="Superseded"),
    refusals.RemovedError: Problem("removed", 409, "The picture was removed after this upload was presigned"),
    refusals.DigestMismatchError: Problem("digest-mismatch", 422, "The file is not the declared one"),
    refusals.NotAPictureError: Problem("not-a-picture", 422, "The file is not a picture"),
    refusals.TypeMismatchError: Problem("type-mismatch", 422, "The file does not have its declared type"),
    refusals.UnreadablePictureError: Problem("unreadable-picture", 422, "The picture can't be read"),
    refusals.TooManyPixelsError: Problem("too-many-pixels", 422, "The picture has too many pixels"),
    refusals.KeepsChangingError: Problem("changed", 409, "The upload keeps changing"),
    DeadlineExceededError: UNAVAILABLE,
    UnknownUserError: UNKNOWN_USER,
    **NO_PICTURE,
    TooManyRequestsError: TOO_MANY_REQUESTS,
}
