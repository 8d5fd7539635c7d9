"""The Availability Zones that a deployment uses, by their ids. AWS maps the names to ids for each account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_ZONES = 2
"""A load balancer needs subnets in two Availability Zones."""

VPC_LINK_REGIONS = frozenset(
    {
        "ap-east-1",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-north-1",
        "eu-south-2",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "me-south-1",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-gov-west-1",
        "us-west-1",
        "us-west-2",
    }
)
"""Regions that have VPC links of HTTP APIs (AWS: "Set up VPC links V2 in API Gateway")."""

UNSUPPORTED_ZONES = frozenset(
    {"ape1-az1", "apne1-az3", "apne2-az4", "cac1-az3", "cac1-az4", "euw3-az2", "use1-az3", "usw1-az2"}
)
"""Zones of these regions without VPC links or without Fargate (AWS: the same page, and "Supported Regions for Amazon
ECS on AWS Fargate").
"""


@dataclass(frozen=True, slots=True)
class Zone:
    id: str
    number: int
    """Its position among the account's zones of the region, by which its subnet is named and numbered."""


def choose_zones(found: Sequence[str], wanted: Sequence[str], region: str) -> list[Zone]:
    """The wanted zones, or by default the first two that are supported. `found`: ids of the region's zones.

    Raises:
        ValueError: a wanted zone does not exist, or there are fewer than two supported ones.
    """
    if unknown := [zone for zone in wanted if zone not in found]:
        raise ValueError(
            f"zones must be some of {', '.join(found)}, which this account has in {region}, not {', '.join(unknown)}"
        )
    # An operator who names a zone knows better than this list, which may be out of date.
    chosen = [zone for zone in found if zone in wanted] or [zone for zone in found if zone not in UNSUPPORTED_ZONES]
    if len(chosen) < MIN_ZONES:
        raise ValueError(
            f"region must be another one, since {region} has fewer than {MIN_ZONES} zones for this account that "
            f"VPC links and Fargate support (it has {', '.join(found)})"
        )
    return [Zone(zone, found.index(zone)) for zone in (chosen if wanted else chosen[:MIN_ZONES])]
