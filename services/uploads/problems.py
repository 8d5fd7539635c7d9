"""What goes wrong, and how it is answered."""

from __future__ import annotations

from services.auth.verifier import PROBLEMS
from services.problems import TOO_MANY_REQUESTS, UNAVAILABLE, Problem
from services.rate_limits import TooManyRequestsError
from services.uploads import upload
from services.uploads.uploads import KeepsChangingError, TooSlowError
from services.uploads.users import UnknownUserError

ERRORS = PROBLEMS | {
    upload.TypeNotAllowedError: Problem("type-not-allowed", 415, "Not a type an avatar can have"),
    upload.EmptyFileError: Problem("empty-file", 422, "The file is empty"),
    upload.TooLargeError: Problem("too-large", 413, "The file is too large"),
    upload.UnknownUploadError: Problem("unknown-upload", 404, "There is no such upload"),
    upload.OtherStrategyError: Problem("other-strategy", 409, "The upload was begun in another way"),
    upload.ExpiredError: Problem("expired", 410, "The upload was not confirmed in time"),
    upload.SupersededError: Problem("superseded", 409, "A later upload is the avatar", metric="Superseded"),
    upload.NotAPictureError: Problem("not-a-picture", 422, "The file is not a picture"),
    upload.TypeMismatchError: Problem("type-mismatch", 422, "The file is not what it was declared to be"),
    upload.UnreadablePictureError: Problem("unreadable-picture", 422, "The picture can't be read"),
    upload.TooManyPixelsError: Problem("too-many-pixels", 422, "The picture has too many pixels"),
    KeepsChangingError: Problem("changed", 409, "The upload keeps changing"),
    TooSlowError: UNAVAILABLE,
    UnknownUserError: Problem("unknown-user", 404, "There is no such user"),
    TooManyRequestsError: TOO_MANY_REQUESTS,
}
