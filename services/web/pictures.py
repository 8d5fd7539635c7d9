"""Redirects to presigned URLs of the pictures, which browsers load from S3."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.exceptions import NoCredentialsError
from litestar.response import Redirect

from services.store.kinds import AVATAR
from services.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.credentials import Credentials
    from types_boto3_s3 import S3Client

    from services.store.kinds import Kind

MAX_CACHED_URLS = 10_000
"""Maximum number of cached URLs. When it is reached, the least recently used one is dropped."""


class NoPictureError(Exception):
    """The user has no picture of the kind."""


class NoAvatarError(NoPictureError):
    """The user has no avatar. Its problem type is older than the other kinds."""


NO_PICTURE: dict[type[Exception], Problem] = {
    NoAvatarError: Problem("no-avatar", 404, "The user has no avatar yet"),
    NoPictureError: Problem("no-picture", 404, "The user has no picture of this kind yet"),
}
"""The problem for each exception."""


def report_no_picture(kind: Kind) -> NoPictureError:
    """Make the error for a user who has no picture of this kind."""
    error = NoAvatarError if kind == AVATAR else NoPictureError
    return error(f"The user has no {kind.name} yet.")


class Pictures:
    """Presigned URLs that stay the same for some time. Browsers cache by URL, and a new signature makes a new URL."""

    def __init__(
        self,
        s3: S3Client,
        bucket: str,
        seconds: int,
        clock: Callable[[], float],
        find_credentials: Callable[[], Credentials | None],
    ) -> None:
        """`find_credentials`: returns the credentials with which `s3` signs."""
        self._s3 = s3
        self._bucket = bucket
        self._seconds = seconds
        self._clock = clock
        self._find_credentials = find_credentials
        self._presign = lru_cache(MAX_CACHED_URLS)(self._presign_in_window)

    def redirect(self, key: str | None, kind: Kind) -> Redirect:
        """
        Args:
            key: the key of the user's picture of this kind, if there is one.
            kind: the kind of the picture.

        Raises:
            NoPictureError: there is no picture.
            NoCredentialsError: there are no AWS credentials.
        """
        if key is None:
            raise report_no_picture(kind)
        # Browsers must not cache the redirect, since the row may change. They cache the picture by its presigned URL.
        return Redirect(self.url(key), status_code=303, headers={"Cache-Control": "no-cache"})

    def url(self, key: str) -> str:
        """A URL that is valid for at least `seconds`. It changes when the current window of `seconds` ends, and when
        the credentials change, since S3 refuses a URL whose credentials have expired.

        Raises:
            NoCredentialsError: there are no AWS credentials.
        """
        credentials = self._find_credentials()
        if credentials is None:
            raise NoCredentialsError
        # This refreshes credentials that expire soon.
        access_key, _, token, *_ = credentials.get_frozen_credentials()
        return self._presign(key, int(self._clock() // self._seconds), (access_key, token))

    def _presign_in_window(self, key: str, window: int, credentials: tuple[str, str | None]) -> str:  # noqa: ARG002 - parts of the cache key
        return self._s3.generate_presigned_url(
            "get_object",
            # S3 can't send `X-Content-Type-Options: nosniff`. With this disposition a browser that opens the URL saves
            # a file and shows no document (RFC 6266, section 4.2). An `img` element ignores it.
            Params={"Bucket": self._bucket, "Key": key, "ResponseContentDisposition": "attachment"},
            ExpiresIn=2 * self._seconds,
        )

    @cached_property
    def origin(self) -> str:
        """The origin of the bucket, which the page's Content-Security-Policy must allow."""
        url = urlsplit(self._s3.generate_presigned_url("get_object", Params={"Bucket": self._bucket, "Key": "any"}))
        return f"{url.scheme}://{url.netloc}"
