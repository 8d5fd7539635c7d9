"""Gathers the data that the page shows."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from services.frontend.inspector import filter_rows
from services.frontend.shared_reads import SharedReads
from services.pictures.formats import CONTENT_TYPES, FORMATS
from services.store.kinds import AVATAR, KINDS
from services.store.table import UnknownUserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Executor

    from services.frontend.inspector import InspectedRow, Inspector, ObjectsPage
    from services.frontend.listing import EntriesPage
    from services.frontend.people import People, PeoplePage
    from services.settings.limits import PendingStrategy
    from services.store.states import State
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
class Lists:
    """The page's lists, which are the same for every caller."""

    cards: PeoplePage
    table: PeoplePage
    rows: Sequence[InspectedRow]
    """The rows of `table`."""
    entries: EntriesPage
    bucket: ObjectsPage


class View:
    def __init__(
        self,
        people: People,
        inspector: Inspector,
        executor: Executor,
        strategy: PendingStrategy,
        limits: Mapping[str, int],
        *,
        local_demo: bool,
        has_login: bool = True,
    ) -> None:
        """
        Args:
            people: reads the table.
            inspector: inspects objects and rows.
            executor: makes single calls to AWS. Its tasks never wait for other tasks.
            strategy: the pending strategy.
            limits: the limits of a picture, for the page's scripts: `width` and `height` in pixels, and `bytes`.
            local_demo: whether the page has the controls of the local demo, and shows the other strategy if a query
                asks for it.
            has_login: whether the page can log users in, which only the auth service allows.
        """
        self._people = people
        self._inspector = inspector
        self._executor = executor
        self._strategy = strategy
        self._local_demo = local_demo
        self._settings = {
            "own_strategy": strategy,
            "local_demo": local_demo,
            "has_login": has_login,
            "accept": ",".join(CONTENT_TYPES),
            "kinds": KINDS,
            "pending_prefix": AVATAR.pending_prefix,
            "formats": SHOWN_FORMATS,
            "limits": limits,
        }
        self._lists = SharedReads(self._read_lists)

    async def gather(self, caller: Caller | None, query: Query) -> dict[str, Any]:
        """The template's context. Concurrent views of the same lists share the calls to AWS.

        Raises:
            InvalidCursorError: a cursor was not issued by its list.
        """
        has_both = self._local_demo and query.strategy != self._strategy
        shown = query.strategy if has_both else None
        query = replace(query, strategy=None)
        lists = await self._lists.get(query)
        current = await self._find_current(caller, lists)
        rows = lists.rows
        if current and current not in rows and query.rows is None and query.row_state is None:
            rows = [current, *rows]
        return {
            "current": current and current.row,
            "cards": lists.cards,
            "table": filter_rows(rows, lists.table.cursor, query.row_state),
            "bucket": lists.bucket,
            "query": asdict(replace(query, strategy=shown)),
            "strategy": shown or self._strategy,
            **self._settings,
        }

    def _read_lists(self, query: Query) -> Lists:
        reading_table = self._executor.submit(self._people.list_page, ROWS, query.rows)
        reading_cards = (
            reading_table
            if query.users == query.rows
            else self._executor.submit(self._people.list_page, CARDS, query.users)
        )
        entries = self._inspector.list_entries(ROWS, query.objects, query.object_state)
        table, cards = reading_table.result(), reading_cards.result().first(CARDS)
        inspecting = self._inspector.inspect_cached(table.people, entries.listed)
        bucket = self._inspector.describe(entries, query.object_state)
        return Lists(cards, table, [*inspecting], entries, bucket)

    async def _find_current(self, caller: Caller | None, lists: Lists) -> InspectedRow | None:
        """The row of the logged-in user, from the lists or else from the table."""
        if caller is None:
            return None
        for shown in lists.rows:
            if shown.row.username == caller.username:
                return shown
        return await asyncio.to_thread(self._inspect_current, caller.username, lists)

    def _inspect_current(self, username: str, lists: Lists) -> InspectedRow | None:
        try:
            row = next((row for row in lists.cards.people if row.username == username), None) or self._people.find(
                username
            )
        except UnknownUserError:
            return None
        (inspected,) = self._inspector.inspect_cached([row], lists.entries.listed)
        return inspected
