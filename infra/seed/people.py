"""The seeded users: invented people, the same in every run."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from faker import Faker

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 20261122
PICTURES = Path(__file__).parent / "pictures"
PORTRAITS = tuple(PICTURES / f"portrait-{number}.png" for number in (1, 2, 3))
SEEDED_USERS = len(PORTRAITS)
"""Default number of users."""


@dataclass(frozen=True, slots=True)
class Person:
    username: str
    name: str
    portrait: Path | None
    """Only the first users have one. The others start without an avatar."""


def invent_people(count: int) -> Iterator[Person]:
    """`count` people with distinct usernames, generated one at a time so that a large count needs little memory."""
    faker = Faker("en_GB")
    faker.seed_instance(SEED)
    portraits = itertools.chain(PORTRAITS, itertools.repeat(None))
    taken: set[str] = set()
    while len(taken) < count:
        first, last = faker.first_name(), faker.last_name()
        username = re.sub(r"[^A-Za-z]", "", first) + str(faker.random_int(10, 99))
        while username in taken:
            username += str(faker.random_digit())
        taken.add(username)
        yield Person(username, f"{first} {last}", next(portraits))
