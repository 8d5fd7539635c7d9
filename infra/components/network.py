from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from infra.documents.zones import Zone, choose_zones

if TYPE_CHECKING:
    from collections.abc import Sequence

TASK_PORT = 8000
LISTENER_PORT = 80


class Network(pulumi.ComponentResource):
    """A VPC with a subnet in each of two or more Availability Zones, without a NAT gateway.

    Tasks have public IP addresses for outbound connections, and gateway endpoints for S3 and DynamoDB. Security groups
    allow inbound connections only from the VPC link to the load balancer, and from there to the tasks.
    """

    def __init__(self, name: str, *, region: str, zones: Sequence[str], opts: pulumi.ResourceOptions) -> None:
        super().__init__("three-phase-upload:infra:Network", name, None, opts)
        child_opts = pulumi.ResourceOptions(parent=self)
        chosen = self._find_zones(region, zones)
        vpc = aws.ec2.Vpc(
            name, cidr_block="10.0.0.0/16", enable_dns_hostnames=True, enable_dns_support=True, opts=child_opts
        )
        # The default security group is not used, so it allows nothing.
        aws.ec2.DefaultSecurityGroup(name, vpc_id=vpc.id, ingress=[], egress=[], opts=child_opts)
        gateway = aws.ec2.InternetGateway(name, vpc_id=vpc.id, opts=child_opts)
        table = aws.ec2.RouteTable(name, vpc_id=vpc.id, opts=child_opts)
        out = aws.ec2.Route(
            name, route_table_id=table.id, destination_cidr_block="0.0.0.0/0", gateway_id=gateway.id, opts=child_opts
        )
        self.endpoint_ids: dict[str, pulumi.Output[str]] = {}
        for service in ("s3", "dynamodb"):
            endpoint = aws.ec2.VpcEndpoint(
                f"{name}-{service}",
                vpc_id=vpc.id,
                service_name=f"com.amazonaws.{region}.{service}",
                vpc_endpoint_type="Gateway",
                route_table_ids=[table.id],
                opts=child_opts,
            )
            self.endpoint_ids[service] = endpoint.id
        self.vpc_id = vpc.id
        self.subnet_ids: list[pulumi.Output[str]] = []
        for zone in chosen:
            subnet = aws.ec2.Subnet(
                f"{name}-{zone.number}",
                vpc_id=vpc.id,
                cidr_block=f"10.0.{zone.number}.0/24",
                availability_zone_id=zone.id,
                opts=child_opts,
            )
            aws.ec2.RouteTableAssociation(
                f"{name}-{zone.number}",
                subnet_id=subnet.id,
                route_table_id=table.id,
                # Resources in the subnet can then use the internet gateway.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[out]),
            )
            self.subnet_ids.append(subnet.id)

        self.link_group_id = self._make_group("link", "The HTTP API's VPC link", vpc.id)
        self.balancer_group_id = self._make_group("balancer", "The internal load balancer", vpc.id)
        self.task_group_id = self._make_group("task", "The services' tasks", vpc.id)
        self._connect("link-to-balancer", self.link_group_id, self.balancer_group_id, LISTENER_PORT)
        self._connect("balancer-to-task", self.balancer_group_id, self.task_group_id, TASK_PORT)
        # Services fetch the key set of the auth service from the load balancer.
        self._connect("task-to-balancer", self.task_group_id, self.balancer_group_id, LISTENER_PORT)
        aws.vpc.SecurityGroupEgressRule(
            "task-to-aws",
            security_group_id=self.task_group_id,
            description="AWS: images, logs, KMS, S3, DynamoDB",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            cidr_ipv4="0.0.0.0/0",
            opts=child_opts,
        )
        self.register_outputs({"vpc_id": self.vpc_id, "subnet_ids": self.subnet_ids})

    def _find_zones(self, region: str, wanted: Sequence[str]) -> list[Zone]:
        """
        Raises:
            pulumi.RunError: the account has too few zones, or not the wanted ones.
        """
        found = aws.get_availability_zones(
            # Without Local Zones and Wavelength Zones. Zones in any state: a zone that is impaired for an hour must not
            # move the subnets of a running stack.
            filters=[aws.GetAvailabilityZonesFilterArgs(name="opt-in-status", values=["opt-in-not-required"])],
            opts=pulumi.InvokeOptions(parent=self),
        )
        try:
            return choose_zones(found.zone_ids, wanted, region)
        except ValueError as error:
            raise pulumi.RunError(f"{error}.") from None

    def _make_group(self, name: str, description: str, vpc_id: pulumi.Output[str]) -> pulumi.Output[str]:
        return aws.ec2.SecurityGroup(
            name, description=description, vpc_id=vpc_id, opts=pulumi.ResourceOptions(parent=self)
        ).id

    def _connect(self, name: str, source: pulumi.Output[str], target: pulumi.Output[str], port: int) -> None:
        child_opts = pulumi.ResourceOptions(parent=self)
        aws.vpc.SecurityGroupEgressRule(
            name,
            security_group_id=source,
            referenced_security_group_id=target,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            opts=child_opts,
        )
        aws.vpc.SecurityGroupIngressRule(
            name,
            security_group_id=target,
            referenced_security_group_id=source,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            opts=child_opts,
        )
