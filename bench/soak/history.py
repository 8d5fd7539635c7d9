"""The clients' record of what they posted and confirmed, and of the responses."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class History:
    """All keys are avatar keys, under both strategies. A user's keys sort in the order of their presigns."""

    posted: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """Digests of all files that were posted, by key."""
    owners: dict[str, str] = field(default_factory=dict[str, str])
    """Users by key, for each upload that may become an avatar because its confirm was sent."""
    begun: dict[str, str] = field(default_factory=dict[str, str])
    """The latest such key, by user."""
    confirmed: dict[str, str] = field(default_factory=dict[str, str])
    """The latest key whose confirm returned 200, by user."""
    superseded: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Pairs of a user and a key for which that user received 409 superseded."""

    def post(self, key: str, digest: str) -> None:
        self.posted.setdefault(key, set()).add(digest)

    def begin_confirm(self, username: str, key: str) -> None:
        self.owners[key] = username
        self.begun[username] = max(key, self.begun.get(username, ""))

    def confirm(self, username: str, key: str) -> None:
        self.confirmed[username] = max(key, self.confirmed.get(username, ""))

    def supersede(self, username: str, key: str) -> None:
        self.superseded.add((username, key))

    def may_be_superseded(self, username: str, key: str) -> bool:
        return self.begun.get(username, "") > key

    def is_superseded(self, username: str, key: str) -> bool:
        return (username, key) in self.superseded or self.confirmed.get(username, "") > key
