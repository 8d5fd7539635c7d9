from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.infra.reach import INTERNET, Ports, find_hops, find_ports, find_ways

if TYPE_CHECKING:
    from tests.infra.engine import Deployment

SERVICE, BALANCER, LINK, API = "Service service", "LoadBalancer edge", "VpcLink edge", "Api edge"


def test_from_the_internet_a_task_is_reached_by_the_api_alone(good: Deployment) -> None:
    hops = find_hops(good)
    assert find_ways(hops, INTERNET, SERVICE) == {(INTERNET, API, LINK, BALANCER, SERVICE)}
    assert find_ports(hops, LINK, BALANCER) == {"tcp 80"}
    assert find_ports(hops, BALANCER, SERVICE) == {"tcp 8000"}


def test_a_task_reaches_https_and_the_endpoint_of_s3(good: Deployment) -> None:
    hops = find_hops(good)
    prefix_list = good.one("aws:ec2/vpcEndpoint:VpcEndpoint", "s3").outputs["prefixListId"]
    assert {hop.target for hop in hops if hop.source == SERVICE} == {INTERNET, prefix_list}
    assert find_ports(hops, SERVICE, INTERNET) == find_ports(hops, SERVICE, prefix_list) == {"tcp 443"}


def test_open_doors_are_found(careless: Deployment) -> None:
    assert find_ways(find_hops(careless), INTERNET, SERVICE) == {
        (INTERNET, API, LINK, BALANCER, SERVICE),
        (INTERNET, BALANCER, SERVICE),
        (INTERNET, SERVICE),
    }


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        (Ports("tcp", 80, 80), Ports("tcp", 0, 1000), "tcp 80"),
        (Ports("tcp", 80, 443), Ports("tcp", 100, 1000), "tcp 100-443"),
        (Ports("-1", 0, 65535), Ports("tcp", 80, 80), "tcp 80"),
        (Ports("-1", 0, 65535), Ports("-1", 0, 65535), "all"),
        (Ports("tcp", 80, 80), Ports("udp", 80, 80), None),
        (Ports("tcp", 80, 80), Ports("tcp", 81, 90), None),
    ],
)
def test_two_rules_allow_what_both_allow(one: Ports, other: Ports, common: str | None) -> None:
    both = one & other
    assert (str(both) if both else None) == common
