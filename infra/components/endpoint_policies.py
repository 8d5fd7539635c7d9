from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from infra.components.policy import write_policy
from infra.documents.policies import dynamodb_endpoint_policy, s3_endpoint_policy

if TYPE_CHECKING:
    from infra.components.network import Network
    from infra.components.storage import Storage


class EndpointPolicies(pulumi.ComponentResource):
    """The policies of the VPC's gateway endpoints: the tasks reach this stack's bucket and table, and no others."""

    def __init__(
        self, name: str, *, network: Network, storage: Storage, region: str, opts: pulumi.ResourceOptions
    ) -> None:
        super().__init__("three-phase-upload:infra:EndpointPolicies", name, None, opts)
        child_opts = pulumi.ResourceOptions(parent=self)
        partition = aws.get_partition_output(opts=pulumi.InvokeOutputOptions(parent=self))
        layers_arn = pulumi.Output.format("arn:{0}:s3:::prod-{1}-starport-layer-bucket", partition.partition, region)
        pictures = aws.ec2.VpcEndpointPolicy(
            f"{name}-s3",
            vpc_endpoint_id=network.endpoint_ids["s3"],
            policy=write_policy(s3_endpoint_policy, bucket_arn=storage.bucket_arn, layers_arn=layers_arn),
            opts=child_opts,
        )
        users = aws.ec2.VpcEndpointPolicy(
            f"{name}-dynamodb",
            vpc_endpoint_id=network.endpoint_ids["dynamodb"],
            policy=write_policy(dynamodb_endpoint_policy, table_arn=storage.table_arn),
            opts=child_opts,
        )
        self.register_outputs({"policies": [pictures.id, users.id]})
