"""All that one view of the page shows, gathered at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from services.frontend.people import People, Person, UnknownUserError
from services.keys import CONTENT_TYPES

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from services.auth.verifier import Caller
    from services.frontend.inspector import Inspector

CARDS = 12
ROWS = 20


@dataclass(frozen=True, slots=True)
class Cursors:
    """Where each of the page's three lists begins; None is its beginning."""

    users: str | None
    objects: str | None
    rows: str | None


@dataclass(frozen=True, slots=True)
class View:
    people: People
    inspector: Inspector
    executor: Executor
    strategy: str
    lifecycle_clock: bool
    """Whether the bucket's lifecycle rules have a clock that can be moved."""

    def gather(self, caller: Caller | None, cursors: Cursors) -> dict[str, Any]:
        """The template's context.

        Raises:
            InvalidCursorError: one of the cursors is none of ours.
        """
        cards = self.executor.submit(self.people.list_page, CARDS, cursors.users)
        table = self.executor.submit(self.people.list_page, ROWS, cursors.rows)
        bucket = self.inspector.list_page(ROWS, cursors.objects)
        return {
            "current": self._find_current(caller, cards.result().people),
            "cards": cards.result(),
            "table": self.inspector.inspect_rows(table.result()),
            "bucket": bucket,
            "cursors": asdict(cursors),
            "strategy": self.strategy,
            "lifecycle_clock": self.lifecycle_clock,
            "accept": ",".join(CONTENT_TYPES),
        }

    def _find_current(self, caller: Caller | None, shown: list[Person]) -> Person | None:
        """The logged-in user, whether or not the cards in view include them."""
        if caller is None:
            return None
        for person in shown:
            if person.username == caller.username:
                return person
        try:
            return self.people.find(caller.username)
        except UnknownUserError:
            return None
