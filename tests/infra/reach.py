"""Who can open a connection to whom, by the security groups, load balancers and APIs that a program registers."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.infra.deployment import Deployment, Registration

INTERNET = "internet"

_GROUP = "aws:ec2/securityGroup:SecurityGroup"
_RULES = {
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": True,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": False,
}
_API, _LINK = "aws:apigatewayv2/api:Api", "aws:apigatewayv2/vpcLink:VpcLink"
_INTEGRATION = "aws:apigatewayv2/integration:Integration"
_BALANCER, _LISTENER = "aws:lb/loadBalancer:LoadBalancer", "aws:lb/listener:Listener"
_SERVICE = "aws:ecs/service:Service"

_LAST_PORT = 65535
_UNROUTED = [ipaddress.ip_network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]
"""The internet has no way to these."""


@dataclass(frozen=True)
class Ports:
    protocol: str
    first: int
    last: int

    def __and__(self, other: Ports) -> Ports | None:
        """Those that both have, if there are any."""
        protocols = {self.protocol, other.protocol} - {"-1"}
        first, last = max(self.first, other.first), min(self.last, other.last)
        if len(protocols) > 1 or first > last:
            return None
        return Ports(next(iter(protocols), "-1"), first, last)

    def __str__(self) -> str:
        span = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return "all" if self.protocol == "-1" else f"{self.protocol} {span}"


@dataclass(frozen=True)
class Hop:
    source: str
    target: str
    ports: Ports


@dataclass(frozen=True)
class _Rule:
    inward: bool
    peer: str
    """A security group, a prefix list, or a range of addresses."""
    ports: Ports


@dataclass(frozen=True)
class _Member:
    """Something with an address in the VPC, as its security groups let it speak."""

    name: str
    rules: tuple[_Rule, ...]
    groups: frozenset[str]


def find_hops(deployment: Deployment) -> frozenset[Hop]:
    """In an `up`, between `internet`, prefix lists (`pl-...`) and resources (`Api edge`, `Service web`).

    Taken for the worst: whoever's security group lets the internet in counts as having a public address.
    """
    network = [ipaddress.ip_network(each.inputs["cidrBlock"]) for each in deployment.of("aws:ec2/vpc:Vpc")]
    members = list(_find_members(deployment))
    hops = set(_find_api_hops(deployment))
    for one in members:
        for rule in one.rules:
            if rule.inward and _is_public(rule.peer):
                hops.add(Hop(INTERNET, one.name, rule.ports))
            if not rule.inward and _is_public(rule.peer):
                hops.add(Hop(one.name, INTERNET, rule.ports))
            if not rule.inward and rule.peer.startswith("pl-"):
                hops.add(Hop(one.name, rule.peer, rule.ports))
        for other in members:
            outward = [each for each in one.rules if not each.inward and _is_peer(each.peer, other, network)]
            inward = [each for each in other.rules if each.inward and _is_peer(each.peer, one, network)]
            common = [out.ports & into.ports for out in outward for into in inward]
            hops |= {Hop(one.name, other.name, ports) for ports in common if ports and one is not other}
    return frozenset(hops)


def find_ways(hops: Iterable[Hop], start: str, goal: str) -> set[tuple[str, ...]]:
    """All ways that go nowhere twice, each with its ends. The internet is no way from one thing to another."""
    following: dict[str, set[str]] = {}
    for hop in hops:
        following.setdefault(hop.source, set()).add(hop.target)
    found: set[tuple[str, ...]] = set()
    waiting = [(start,)]
    while waiting:
        way = waiting.pop()
        if way[-1] == goal and len(way) > 1:
            found.add(way)
        else:
            waiting += [(*way, each) for each in following.get(way[-1], ()) if each not in way]
    return {way for way in found if INTERNET not in way[1:-1]}


def find_ports(hops: Iterable[Hop], source: str, target: str) -> set[str]:
    return {str(hop.ports) for hop in hops if (hop.source, hop.target) == (source, target)}


def _find_members(deployment: Deployment) -> Iterator[_Member]:
    rules = _find_rules(deployment)
    for each in deployment.resources():
        groups = frozenset(_groups(each))
        if unknown := groups - set(rules):
            raise LookupError(f"{each} is in {', '.join(unknown)}, which the program doesn't make.")
        if groups or each.type in (_BALANCER, _SERVICE, _LINK):
            yield _Member(str(each), tuple(rule for group in groups for rule in rules[group]), groups)


def _groups(registration: Registration) -> list[str]:
    inputs = registration.inputs
    match registration.type:
        case "aws:lb/loadBalancer:LoadBalancer":
            return inputs.get("securityGroups", [])
        case "aws:ecs/service:Service":
            return inputs.get("networkConfiguration", {}).get("securityGroups", [])
        case "aws:scheduler/schedule:Schedule":
            task = inputs["target"].get("ecsParameters", {})
            return task.get("networkConfiguration", {}).get("securityGroups", [])
        case "aws:apigatewayv2/vpcLink:VpcLink" | "aws:ec2/vpcEndpoint:VpcEndpoint":
            return inputs.get("securityGroupIds", [])
        case _:
            return []


def _find_rules(deployment: Deployment) -> dict[str, list[_Rule]]:
    rules: dict[str, list[_Rule]] = {}
    for group in deployment.of(_GROUP):
        inline = [(block, True) for block in group.inputs.get("ingress", [])]
        inline += [(block, False) for block in group.inputs.get("egress", [])]
        rules[group.id] = [
            _Rule(inward, peer, _ports(block, block["protocol"]))
            for block, inward in inline
            for peer in _inline_peers(block, group.id)
        ]
    for each in deployment.of(*_RULES):
        peer = next(
            each.inputs[name]
            for name in ("referencedSecurityGroupId", "prefixListId", "cidrIpv4", "cidrIpv6")
            if name in each.inputs
        )
        ports = _ports(each.inputs, each.inputs["ipProtocol"])
        rules[each.inputs["securityGroupId"]].append(_Rule(_RULES[each.type], peer, ports))
    if old := deployment.of("aws:ec2/securityGroupRule:SecurityGroupRule"):
        raise LookupError(f"{old[0]} is of a type that is not known here.")
    return rules


def _inline_peers(block: dict[str, Any], own: str) -> list[str]:
    lists = ("securityGroups", "prefixListIds", "cidrBlocks", "ipv6CidrBlocks")
    return [peer for name in lists for peer in block.get(name, [])] + ([own] if block.get("self") else [])


def _ports(block: dict[str, Any], protocol: str) -> Ports:
    if protocol in ("-1", "all"):
        return Ports("-1", 0, _LAST_PORT)
    return Ports(protocol, int(block["fromPort"]), int(block["toPort"]))


def _find_api_hops(deployment: Deployment) -> Iterator[Hop]:
    https = Ports("tcp", 443, 443)
    for each in deployment.of(_API):
        if not each.inputs.get("disableExecuteApiEndpoint"):
            yield Hop(INTERNET, str(each), https)
    for each in deployment.of(_INTEGRATION):
        api = deployment.by_value(each.inputs["apiId"], _API)
        link = deployment.by_value(each.inputs.get("connectionId"), _LINK)
        listener = deployment.by_value(each.inputs.get("integrationUri"), _LISTENER)
        if link and listener:
            port = int(listener.inputs["port"])
            yield Hop(str(api), str(link), Ports("tcp", port, port))
        else:
            yield Hop(str(api), str(each.inputs.get("integrationUri")), https)


def _is_peer(peer: str, member: _Member, network: list[Any]) -> bool:
    if peer.startswith("sg-"):
        return peer in member.groups
    if peer.startswith("pl-"):
        return False
    addresses = ipaddress.ip_network(peer)
    return any(each.version == addresses.version and each.overlaps(addresses) for each in network)


def _is_public(peer: str) -> bool:
    if peer.startswith(("sg-", "pl-")):
        return False
    addresses = ipaddress.ip_network(peer)
    return not any(
        each.version == addresses.version and addresses.subnet_of(each)  # pyright: ignore[reportArgumentType]
        for each in _UNROUTED
    )
