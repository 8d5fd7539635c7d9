from __future__ import annotations

import pytest

from infra.documents.zones import UNSUPPORTED_ZONES, Zone, choose_zones

VIRGINIA = ["use1-az3", "use1-az6", "use1-az1", "use1-az2", "use1-az4", "use1-az5"]
"""The zones a to f of an account."""


def test_the_first_two_supported_zones_are_chosen_in_the_order_of_their_names() -> None:
    assert choose_zones(VIRGINIA, (), "us-east-1") == [Zone("use1-az6", 1), Zone("use1-az1", 2)]


@pytest.mark.parametrize("zone", sorted(UNSUPPORTED_ZONES))
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_zone_without_vpc_links_or_fargate_is_never_chosen_by_default(zone: str, position: int) -> None:
    found = ["one-az1", "one-az2"]
    found.insert(position, zone)
    assert [chosen.id for chosen in choose_zones(found, (), "one")] == ["one-az1", "one-az2"]


def test_wanted_zones_are_chosen_whether_listed_as_supported_or_not() -> None:
    wanted = ["use1-az5", "use1-az3", "use1-az1"]
    chosen = choose_zones(VIRGINIA, wanted, "us-east-1")
    assert chosen == [Zone("use1-az3", 0), Zone("use1-az1", 2), Zone("use1-az5", 5)]


def test_the_subnets_of_two_choices_have_different_numbers_for_different_zones() -> None:
    numbers = {zone.id: zone.number for zone in choose_zones(VIRGINIA, VIRGINIA, "us-east-1")}
    assert sorted(numbers.values()) == [0, 1, 2, 3, 4, 5]
    assert all(zone.number == numbers[zone.id] for zone in choose_zones(VIRGINIA, (), "us-east-1"))


def test_fewer_than_two_supported_zones_are_refused() -> None:
    with pytest.raises(ValueError, match="us-west-1") as raised:
        choose_zones(["usw1-az2", "usw1-az1"], (), "us-west-1")
    assert str(raised.value) == (
        "region must be another one, since us-west-1 has fewer than 2 zones for this account that VPC links and "
        "Fargate support (it has usw1-az2, usw1-az1)"
    )


def test_a_zone_that_the_account_does_not_have_is_refused_with_those_that_it_has() -> None:
    with pytest.raises(ValueError, match="zones") as raised:
        choose_zones(["usw1-az3", "usw1-az1"], ["usw1-az1", "usw1-az4"], "us-west-1")
    assert str(raised.value) == (
        "zones must be some of usw1-az3, usw1-az1, which this account has in us-west-1, not usw1-az4"
    )
