"""Gathers the data that the page shows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from services.frontend.inspector import filter_rows
from services.frontend.people import People, PeoplePage
from services.pictures.formats import CONTENT_TYPES, FORMATS
from services.store.kinds import AVATAR, KINDS
from services.store.table import UnknownUserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor

    from services.frontend.inspector import Inspector
    from services.settings.limits import PendingStrategy
    from services.store.states import State
    from services.store.table import Row
    from services.web.callers.identity import Caller

CARDS = 12
"""Number of users on a page."""
ROWS = 20
"""Number of objects, and of rows, on a page."""
SHOWN_FORMATS = [
    {"name": shown.name, "content_type": shown.content_type, "edited_as": shown.edited_as} for shown in FORMATS.values()
]
"""The picture formats, for the page's scripts."""


@dataclass(frozen=True, slots=True)
class Query:
    """The query of the page's URL: the cursor of each of its three lists (None for the first page), the states that
    objects and rows are filtered by, and the strategy that is shown.
    """

    users: str | None = None
    objects: str | None = None
    rows: str | None = None
    object_state: State | None = None
    row_state: State | None = None
    strategy: PendingStrategy | None = None
    """The pending strategy, if it is not the frontend's. Only the local demo has both."""


@dataclass(frozen=True, slots=True)
class View:
    people: People
    inspector: Inspector
    executor: Executor
    strategy: PendingStrategy
    local_demo: bool
    """Whether the page has the controls of the local demo."""
    limits: Mapping[str, int]
    """The limits of a picture, for the page's scripts: `width` and `height` in pixels, and `bytes`."""
    has_login: bool = True
    """Whether the page can log users in, which only the auth service allows."""

    def gather(self, caller: Caller | None, query: Query) -> dict[str, Any]:
        """The template's context. Tasks of the executor make single calls to AWS and never wait for other tasks.

        Raises:
            InvalidCursorError: a cursor was not issued by its list.
        """
        has_both = self.local_demo and query.strategy != self.strategy
        query = query if has_both else replace(query, strategy=None)
        reading_table = self.executor.submit(self.people.list_page, ROWS, query.rows)
        reading_cards = (
            reading_table
            if query.users == query.rows
            else self.executor.submit(self.people.list_page, CARDS, query.users)
        )
        entries = self.inspector.list_entries(ROWS, query.objects, query.object_state)
        table, cards = reading_table.result(), reading_cards.result().first(CARDS)
        current = self._find_current(caller, [*cards.people, *table.people])
        is_shown = current is None or current.username in {person.username for person in table.people}
        if current and not is_shown and query.rows is None and query.row_state is None:
            table = PeoplePage([current, *table.people], table.cursor)
        inspected = self.inspector.inspect_all(table.people, {entry.key for entry in entries.entries})
        bucket = self.inspector.describe(entries, query.object_state)
        return {
            "current": current,
            "cards": cards,
            "table": filter_rows(table, inspected, query.row_state),
            "bucket": bucket,
            "query": asdict(query),
            "strategy": query.strategy or self.strategy,
            "own_strategy": self.strategy,
            "local_demo": self.local_demo,
            "has_login": self.has_login,
            "accept": ",".join(CONTENT_TYPES),
            "kinds": KINDS,
            "pending_prefix": AVATAR.pending_prefix,
            "formats": SHOWN_FORMATS,
            "limits": self.limits,
        }

    def _find_current(self, caller: Caller | None, shown: list[Row]) -> Row | None:
        """The row of the logged-in user, from the shown rows or else from the table."""
        if caller is None:
            return None
        for person in shown:
            if person.username == caller.username:
                return person
        try:
            return self.people.find(caller.username)
        except UnknownUserError:
            return None
