"""Reads users from the table, page by page."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cachetools import TTLCache

from services.frontend.cursor import decode_cursor, encode_cursor
from services.store.keys import USERNAME_PATTERN
from services.store.responses import IncompleteResponseError
from services.store.table import USERNAME, Row, UnknownUserError, make_key, read_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from types_boto3_dynamodb import DynamoDBClient

    from services.store.kinds import Kind

BATCH = 100
"""Maximum number of keys in one BatchGetItem (AWS: BatchGetItem)."""

PAUSE_SECONDS = 0.05
"""Pause before unprocessed keys are requested again. It doubles with each response that has no key processed."""

MAX_STALLED = 5
"""How many such responses in a row end the request."""

RECENT_SECONDS = 10
"""How long a row that was read is used for a redirect. The browser requests the pictures of a page within seconds. If
the picture is replaced during this time, the redirect leads to the picture that the page shows, which may be deleted.
"""

MAX_RECENT = 10_000
"""Maximum number of cached rows, about 10 MB. When it is reached, the least recently used one is dropped."""


@dataclass(frozen=True, slots=True)
class PeoplePage:
    people: list[Row]
    cursor: str | None

    def first(self, count: int) -> PeoplePage:
        """The page that a lower limit would have returned."""
        if len(self.people) <= count:
            return self
        return PeoplePage(self.people[:count], encode_cursor(self.people[count - 1].username))


class RecentRows:
    """The rows that were read in the last seconds. Threads share it."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._rows = TTLCache[str, Row](MAX_RECENT, RECENT_SECONDS, timer)
        self._lock = threading.Lock()

    def add(self, row: Row) -> Row:
        """Add a row that was read just now, and return it."""
        # A name can have 400 KB, the maximum size of an item (AWS: DynamoDB quotas).
        without_name = replace(row, name="")
        with self._lock:
            self._rows[row.username] = without_name
        return row

    def has(self, username: str, kind: Kind, key: str) -> bool:
        """Whether the user's row referred to this picture."""
        with self._lock:
            row = self._rows.get(username)
        return row is not None and row.of(kind).key == key


@dataclass(frozen=True, slots=True)
class People:
    dynamodb: DynamoDBClient
    table: str
    pause: Callable[[float], object] = time.sleep
    recent: RecentRows = field(default_factory=RecentRows)

    def find(self, username: str) -> Row:
        """
        Raises:
            UnknownUserError: the table has no row of this user.
        """
        if re.fullmatch(USERNAME_PATTERN, username):
            found = self.dynamodb.get_item(TableName=self.table, Key=make_key(username), ConsistentRead=True)
            if "Item" in found:
                return self.recent.add(read_row(found["Item"]))
        raise UnknownUserError

    def find_picture(self, username: str, kind: Kind, expected: str | None) -> str | None:
        """The key of the user's picture. There is no call to AWS if it was the expected one a few seconds ago.

        Raises:
            UnknownUserError: the table has no row of this user.
        """
        if expected is not None and self.recent.has(username, kind, expected):
            return expected
        return self.find(username).of(kind).key

    def list_page(self, limit: int, cursor: str | None) -> PeoplePage:
        """
        Raises:
            InvalidCursorError: the cursor was not issued by this list.
        """
        after: dict[str, Any] = {"ExclusiveStartKey": make_key(decode_cursor(cursor))} if cursor is not None else {}
        page = self.dynamodb.scan(TableName=self.table, Limit=limit, ConsistentRead=True, **after)
        last = page.get("LastEvaluatedKey", {}).get(USERNAME, {}).get("S")
        return PeoplePage(
            [self.recent.add(read_row(item)) for item in page["Items"]], encode_cursor(last) if last else None
        )

    def find_all(self, usernames: Iterable[str]) -> Mapping[str, Row]:
        """The rows of these users. Users without a row are left out.

        Raises:
            IncompleteResponseError: DynamoDB goes on leaving keys unprocessed.
        """
        wanted = sorted(set(usernames))
        batches = (wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH))
        return {row.username: row for batch in batches for row in self._read_batch(batch)}

    def _read_batch(self, usernames: Iterable[str]) -> Iterator[Row]:
        keys: list[Any] = [make_key(username) for username in usernames]
        stalled = 0
        while keys:
            response = self.dynamodb.batch_get_item(RequestItems={self.table: {"Keys": keys, "ConsistentRead": True}})
            yield from (self.recent.add(read_row(item)) for item in response["Responses"].get(self.table, []))
            unprocessed = list(response["UnprocessedKeys"].get(self.table, {"Keys": []})["Keys"])
            stalled = stalled + 1 if len(unprocessed) == len(keys) else 0
            if stalled == MAX_STALLED:
                raise IncompleteResponseError(error=f"{len(unprocessed)} keys are unprocessed")
            if unprocessed:
                # DynamoDB throttles, and a repeat at once would be throttled as well (AWS: BatchGetItem).
                self.pause(PAUSE_SECONDS * 2**stalled)
            keys = unprocessed
