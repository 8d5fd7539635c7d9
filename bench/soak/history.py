"""What the clients know by themselves: what they posted, and what they were told of it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class History:
    """Keys are those of avatars, whatever the strategy; of one user they compare in the order of the presigns."""

    posted: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """By key, the digests of all files that were posted for it."""
    owners: dict[str, str] = field(default_factory=dict[str, str])
    """By the keys of those uploads that may become an avatar, since their confirm was sent."""
    asked: dict[str, str] = field(default_factory=dict[str, str])
    """By user, the latest of these."""
    confirmed: dict[str, str] = field(default_factory=dict[str, str])
    """By user, the latest upload that was answered 200."""
    superseded: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Users, and keys of which they were told that they are superseded. Each is told of their own row."""

    def post(self, key: str, digest: str) -> None:
        self.posted.setdefault(key, set()).add(digest)

    def ask(self, username: str, key: str) -> None:
        self.owners[key] = username
        self.asked[username] = max(key, self.asked.get(username, ""))

    def confirm(self, username: str, key: str) -> None:
        self.confirmed[username] = max(key, self.confirmed.get(username, ""))

    def supersede(self, username: str, key: str) -> None:
        self.superseded.add((username, key))

    def may_be_superseded(self, username: str, key: str) -> bool:
        return self.asked.get(username, "") > key

    def is_superseded(self, username: str, key: str) -> bool:
        return (username, key) in self.superseded or self.confirmed.get(username, "") > key
