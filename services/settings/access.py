"""The settings of who may call the services: pages of which origins, and clients with which addresses."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

import msgspec

from services.settings.urls import ORIGIN

Network = IPv4Network | IPv6Network

AllowedOrigins = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^{ORIGIN}(,{ORIGIN})*\Z",
        examples=["https://example.com,https://app.example.com"],
        description="Origins, separated by commas, whose pages may call the services with a Bearer token and post to "
        "the bucket, besides the system's own. Default: none.",
    ),
]
AllowedAddresses = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}(,[0-9a-fA-F.:]+/[0-9]{1,3})*\Z",
        examples=["203.0.113.0/24,2001:db8::/32"],
        description="Networks in CIDR notation, separated by commas, whose clients may call the services. Default: "
        "every client.",
    ),
]


def split(values: str | None) -> tuple[str, ...]:
    """The values of a setting that are separated by commas."""
    return tuple(values.split(",")) if values else ()


def parse_networks(addresses: AllowedAddresses | None, name: str) -> tuple[Network, ...]:
    """
    Args:
        addresses: the value of the setting.
        name: the operator's name of the setting.

    Raises:
        ValueError: a network is invalid.
    """
    try:
        return tuple(map(ip_network, split(addresses)))
    except ValueError as error:
        raise ValueError(f"{name} must be networks in CIDR notation: {error}") from error
