from __future__ import annotations

import re
from itertools import islice

import pytest

from infra.seed.people import PORTRAITS, Person, invent_people
from services.store.keys import USERNAME_PATTERN


@pytest.fixture(scope="module")
def crowd() -> list[Person]:
    return list(invent_people(10_000))


def test_each_user_has_an_own_name_and_username(crowd: list[Person]) -> None:
    assert len(crowd) == 10_000
    assert len({person.username for person in crowd}) == 10_000
    assert all(re.fullmatch(USERNAME_PATTERN, person.username) for person in crowd)
    assert all(person.name.strip() for person in crowd)


def test_the_users_are_the_same_every_time_whatever_their_number(crowd: list[Person]) -> None:
    assert list(invent_people(50)) == crowd[:50]
    assert list(islice(invent_people(1_000_000), 50)) == crowd[:50]


def test_the_first_three_have_portraits_that_differ(crowd: list[Person]) -> None:
    assert [person.portrait for person in crowd[:3]] == list(PORTRAITS)
    assert len({portrait.read_bytes() for portrait in PORTRAITS}) == 3
    assert not any(person.portrait for person in crowd[3:])


def test_zero_users_are_none() -> None:
    assert list(invent_people(0)) == []
