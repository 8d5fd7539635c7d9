"""The way from a user to the picture's bytes, which S3 itself serves."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3 import S3Client

REMEMBERED = 10_000


class NoAvatarError(Exception):
    pass


class Pictures:
    """Presigned GETs that stay the same for a while: a browser caches by URL, and a signature changes each second."""

    def __init__(self, s3: S3Client, bucket: str, seconds: int, clock: Callable[[], float]) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._seconds = seconds
        self._clock = clock
        self._presign = lru_cache(REMEMBERED)(self._presign_in_window)

    def url(self, avatar: str) -> str:
        """Good for at least `seconds` from now, and the same one until the current span of that length ends."""
        return self._presign(avatar, int(self._clock() // self._seconds))

    def _presign_in_window(self, avatar: str, window: int) -> str:  # noqa: ARG002 - a part of the cache's key
        return self._s3.generate_presigned_url(
            "get_object",
            # S3 can't answer with `nosniff`. What is not to be a document is not opened as one: pages show it all the
            # same, and who follows the URL saves a file (RFC 6266, section 4.2).
            Params={"Bucket": self._bucket, "Key": avatar, "ResponseContentDisposition": "attachment"},
            ExpiresIn=2 * self._seconds,
        )

    @cached_property
    def origin(self) -> str:
        """Where the bucket answers: what the page's Content-Security-Policy must allow."""
        url = urlsplit(self._s3.generate_presigned_url("get_object", Params={"Bucket": self._bucket, "Key": "any"}))
        return f"{url.scheme}://{url.netloc}"
