"""What goes wrong, and how it is answered."""

from __future__ import annotations

from services.uploads import refusals
from services.uploads.confirm import KeepsChangingError
from services.uploads.deadline import DeadlineExceededError
from services.uploads.users import UnknownUserError
from services.web.callers.identity import PROBLEMS
from services.web.problems import TOO_MANY_REQUESTS, UNAVAILABLE, Problem
from services.web.rate_limits import TooManyRequestsError

ERRORS = PROBLEMS | {
    refusals.TypeNotAllowedError: Problem("type-not-allowed", 415, "Not a type an avatar can have"),
    refusals.EmptyFileError: Problem("empty-file", 422, "The file is empty"),
    refusals.TooLargeError: Problem("too-large", 413, "The file is too large"),
    refusals.UnknownUploadError: Problem("unknown-upload", 404, "There is no such upload"),
    refusals.OtherStrategyError: Problem("other-strategy", 409, "The upload was begun in another way"),
    refusals.ExpiredError: Problem("expired", 410, "The upload was not confirmed in time"),
    refusals.SupersededError: Problem("superseded", 409, "A later upload is the avatar", metric="Superseded"),
    refusals.NotAPictureError: Problem("not-a-picture", 422, "The file is not a picture"),
    refusals.TypeMismatchError: Problem("type-mismatch", 422, "The file is not what it was declared to be"),
    refusals.UnreadablePictureError: Problem("unreadable-picture", 422, "The picture can't be read"),
    refusals.TooManyPixelsError: Problem("too-many-pixels", 422, "The picture has too many pixels"),
    KeepsChangingError: Problem("changed", 409, "The upload keeps changing"),
    DeadlineExceededError: UNAVAILABLE,
    UnknownUserError: Problem("unknown-user", 404, "There is no such user"),
    TooManyRequestsError: TOO_MANY_REQUESTS,
}
