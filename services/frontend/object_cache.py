"""Caches what S3 said of objects."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from cachetools import TTLCache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

MAX_OBJECTS = 5_000
"""Maximum number of cached objects, about 7 MB, or 150 MB if each has all metadata and tags that S3 allows. The forms
allow little of both. When the maximum is reached, the least recently used entry is dropped.
"""

MAX_AGE_SECONDS = 60
"""How long an entry is used. Tags and lifecycle rules can be changed, and an object that only HeadObject has found can
be deleted, without a trace in a listing that the service reads.
"""

MIN_OBJECT_AGE_SECONDS = 10
"""How old an object must be to be cached. The time of its modification has no fractions of a second, so a copy onto
itself within the same second has the same ETag and time, but other tags. A slow copy has the time at which it began.
"""


class Version(NamedTuple):
    """Identifies an object's content and metadata: S3 changes one of the two with each write."""

    etag: str
    modified: datetime
    """To the second, as in the header `Last-Modified`."""


@dataclass(frozen=True, slots=True)
class ObjectDetails:
    """What a listing does not say of an object."""

    content_type: str
    last_modified: datetime
    metadata: Mapping[str, str]
    tags: Mapping[str, str]
    expires: datetime | None
    """When a lifecycle rule will delete the object, according to S3."""


class ObjectCache:
    """Details of objects by key and version, and the keys that HeadObject found. Threads share it."""

    def __init__(
        self,
        timer: Callable[[], float] = time.monotonic,
        maximum: int = MAX_OBJECTS,
        min_object_age_seconds: float = MIN_OBJECT_AGE_SECONDS,
    ) -> None:
        self._details = TTLCache[tuple[str, Version], ObjectDetails](maximum, MAX_AGE_SECONDS, timer)
        self._existing = TTLCache[str, bool](maximum, MAX_AGE_SECONDS, timer)
        self._min_object_age_seconds = min_object_age_seconds
        self._lock = threading.Lock()

    def find(self, key: str, version: Version) -> ObjectDetails | None:
        with self._lock:
            return self._details.get((key, version))

    def add(self, key: str, version: Version, details: ObjectDetails, read: datetime) -> None:
        """Add what S3 said at the time `read` of its own clock, unless the object was modified shortly before."""
        if (read - version.modified).total_seconds() >= self._min_object_age_seconds:
            with self._lock:
                self._details[key, version] = details

    def is_known(self, key: str) -> bool:
        """Whether HeadObject found the object within the maximum age."""
        with self._lock:
            # The operator `in` would not count as a use of the entry.
            return self._existing.get(key, False)

    def add_existing(self, key: str) -> None:
        with self._lock:
            self._existing[key] = True
