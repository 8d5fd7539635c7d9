"""The permissions that Pulumi needs to create, read, change and delete each resource of the program.

From AWS's "Service authorization reference" and from the calls that terraform-provider-aws makes, whose resources
pulumi-aws uses. `python -m infra.documents.deployer` writes them to docs/deployer/, in two policies, since a managed
policy has at most 6,144 characters.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.documents.policies import Document

FOLDER = Path(__file__).parents[2] / "docs/deployer"

SERVICE_LINKED_ROLES = [
    "ecs.amazonaws.com",
    "ecs.application-autoscaling.amazonaws.com",
    "elasticloadbalancing.amazonaws.com",
    "ops.apigateway.amazonaws.com",
]
"""AWS services that create a service-linked role at their first use in an account, with the caller's permissions."""

PASSED_TO = ["ecs-tasks.amazonaws.com", "scheduler.amazonaws.com"]
"""AWS services to which the program passes its roles."""


def _actions(service: str, names: str) -> frozenset[str]:
    return frozenset(f"{service}:{name}" for name in names.split())


_EC2_TAGS = _actions("ec2", "CreateTags DeleteTags")
_ELB_TAGS = _actions("elasticloadbalancing", "AddTags DescribeTags RemoveTags")
_ECS_TAGS = _actions("ecs", "TagResource UntagResource ListTagsForResource")
_API = _actions("apigateway", "GET POST PATCH PUT DELETE")
_ROLE_TAGS = _actions("iam", "TagRole UntagRole ListRoleTags")
_BUCKET = _actions("s3", "ListBucket")
_RULES = _actions(
    "ec2",
    "DescribeSecurityGroupRules ModifySecurityGroupRules AuthorizeSecurityGroupIngress AuthorizeSecurityGroupEgress"
    " RevokeSecurityGroupIngress RevokeSecurityGroupEgress",
)

NETWORK_TYPES: dict[str, frozenset[str]] = {
    "aws:apigatewayv2/api:Api": _API,
    "aws:apigatewayv2/integration:Integration": _API,
    "aws:apigatewayv2/route:Route": _API,
    # With an access log, API Gateway creates a log delivery with the caller's permissions (AWS: "Configure logging for
    # HTTP APIs").
    "aws:apigatewayv2/stage:Stage": _API
    | _actions(
        "logs",
        "CreateLogDelivery GetLogDelivery UpdateLogDelivery DeleteLogDelivery ListLogDeliveries PutResourcePolicy"
        " DescribeResourcePolicies DescribeLogGroups",
    ),
    "aws:apigatewayv2/vpcLink:VpcLink": _API
    | _actions("ec2", "DescribeSubnets DescribeSecurityGroups DescribeVpcs DescribeNetworkInterfaces"),
    "aws:apigatewayv2/domainName:DomainName": _API,
    "aws:apigatewayv2/apiMapping:ApiMapping": _API,
    "aws:acm/certificate:Certificate": _actions(
        "acm",
        "RequestCertificate DescribeCertificate DeleteCertificate AddTagsToCertificate ListTagsForCertificate"
        " RemoveTagsFromCertificate",
    ),
    "aws:acm/certificateValidation:CertificateValidation": _actions("acm", "DescribeCertificate"),
    "aws:route53/record:Record": _actions(
        "route53", "ChangeResourceRecordSets GetChange GetHostedZone ListResourceRecordSets"
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": _EC2_TAGS | _RULES | _actions("ec2", "DescribeSecurityGroups"),
    "aws:ec2/internetGateway:InternetGateway": _EC2_TAGS
    | _actions(
        "ec2",
        "CreateInternetGateway DescribeInternetGateways AttachInternetGateway DetachInternetGateway"
        " DeleteInternetGateway",
    ),
    "aws:ec2/route:Route": _actions("ec2", "CreateRoute ReplaceRoute DeleteRoute DescribeRouteTables"),
    "aws:ec2/routeTable:RouteTable": _EC2_TAGS
    | _actions("ec2", "CreateRouteTable DescribeRouteTables DisassociateRouteTable DeleteRouteTable"),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": _actions(
        "ec2", "AssociateRouteTable ReplaceRouteTableAssociation DisassociateRouteTable DescribeRouteTables"
    ),
    "aws:ec2/securityGroup:SecurityGroup": _EC2_TAGS
    | _RULES
    | _actions("ec2", "CreateSecurityGroup DescribeSecurityGroups DescribeNetworkInterfaces DeleteSecurityGroup"),
    "aws:ec2/subnet:Subnet": _EC2_TAGS
    | _actions("ec2", "CreateSubnet DescribeSubnets ModifySubnetAttribute DescribeNetworkInterfaces DeleteSubnet"),
    "aws:ec2/vpc:Vpc": _EC2_TAGS
    | _actions(
        "ec2",
        "CreateVpc DescribeVpcs DescribeVpcAttribute ModifyVpcAttribute DescribeNetworkAcls DescribeRouteTables"
        " DescribeSecurityGroups DeleteVpc",
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": _EC2_TAGS
    | _actions(
        "ec2", "CreateVpcEndpoint DescribeVpcEndpoints ModifyVpcEndpoint DescribePrefixLists DeleteVpcEndpoints"
    ),
    "aws:ec2/vpcEndpointPolicy:VpcEndpointPolicy": _actions("ec2", "DescribeVpcEndpoints ModifyVpcEndpoint"),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _EC2_TAGS | _RULES,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _EC2_TAGS | _RULES,
    "aws:lb/listener:Listener": _ELB_TAGS
    | _actions(
        "elasticloadbalancing",
        "CreateListener DescribeListeners DescribeListenerAttributes ModifyListener ModifyListenerAttributes"
        " DeleteListener",
    ),
    "aws:lb/listenerRule:ListenerRule": _ELB_TAGS
    | _actions("elasticloadbalancing", "CreateRule DescribeRules ModifyRule SetRulePriorities DeleteRule"),
    "aws:lb/loadBalancer:LoadBalancer": _ELB_TAGS
    | _actions(
        "elasticloadbalancing",
        "CreateLoadBalancer DescribeLoadBalancers DescribeLoadBalancerAttributes ModifyLoadBalancerAttributes"
        " DescribeCapacityReservation SetSecurityGroups SetSubnets DeleteLoadBalancer",
    )
    | _actions(
        "ec2",
        "DescribeAccountAttributes DescribeInternetGateways DescribeNetworkInterfaces DescribeSecurityGroups"
        " DescribeSubnets DescribeVpcs",
    ),
    "aws:lb/targetGroup:TargetGroup": _ELB_TAGS
    | _actions(
        "elasticloadbalancing",
        "CreateTargetGroup DescribeTargetGroups DescribeTargetGroupAttributes ModifyTargetGroup"
        " ModifyTargetGroupAttributes DeleteTargetGroup",
    ),
    "invoke getAvailabilityZones": _actions("ec2", "DescribeAvailabilityZones"),
    "invoke getZone": _actions("route53", "GetHostedZone ListHostedZones ListTagsForResource"),
}

SERVICE_TYPES: dict[str, frozenset[str]] = {
    "aws:appautoscaling/policy:Policy": _actions(
        "application-autoscaling", "PutScalingPolicy DescribeScalingPolicies DeleteScalingPolicy"
    )
    # Target tracking creates alarms with the caller's permissions.
    | _actions("cloudwatch", "PutMetricAlarm DescribeAlarms DeleteAlarms"),
    "aws:appautoscaling/target:Target": _actions(
        "application-autoscaling",
        "RegisterScalableTarget DescribeScalableTargets DeregisterScalableTarget ListTagsForResource TagResource"
        " UntagResource",
    )
    | _actions("ecs", "DescribeServices UpdateService"),
    "aws:cloudwatch/dashboard:Dashboard": _actions("cloudwatch", "PutDashboard GetDashboard DeleteDashboards"),
    "aws:cloudwatch/logGroup:LogGroup": _actions(
        "logs",
        "CreateLogGroup DescribeLogGroups PutRetentionPolicy DeleteLogGroup ListTagsForResource TagResource"
        " UntagResource",
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": _actions(
        "cloudwatch", "PutMetricAlarm DescribeAlarms DeleteAlarms ListTagsForResource TagResource UntagResource"
    ),
    "aws:dynamodb/table:Table": _actions(
        "dynamodb",
        "CreateTable DescribeTable UpdateTable DeleteTable DescribeContinuousBackups UpdateContinuousBackups"
        " DescribeTimeToLive ListTagsOfResource TagResource UntagResource",
    ),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": _actions(
        "ecr", "PutLifecyclePolicy GetLifecyclePolicy DeleteLifecyclePolicy"
    ),
    "aws:ecr/repository:Repository": _actions(
        "ecr",
        "CreateRepository DescribeRepositories PutImageScanningConfiguration PutImageTagMutability DeleteRepository"
        " ListTagsForResource TagResource UntagResource",
    ),
    "docker-build:index:Image": _actions(
        "ecr",
        "BatchCheckLayerAvailability InitiateLayerUpload UploadLayerPart CompleteLayerUpload PutImage BatchGetImage"
        " GetDownloadUrlForLayer BatchDeleteImage",
    ),
    "invoke getAuthorizationToken": _actions("ecr", "GetAuthorizationToken"),
    "invoke getService": _actions("ecs", "DescribeServices ListTagsForResource"),
    "aws:ecs/cluster:Cluster": _ECS_TAGS
    | _actions("ecs", "CreateCluster DescribeClusters UpdateCluster DeleteCluster"),
    "aws:ecs/service:Service": _ECS_TAGS
    | _actions(
        "ecs",
        "CreateService DescribeServices UpdateService DeleteService ListServiceDeployments DescribeServiceDeployments",
    ),
    "aws:ecs/taskDefinition:TaskDefinition": _ECS_TAGS
    | _actions("ecs", "RegisterTaskDefinition DescribeTaskDefinition DeregisterTaskDefinition"),
    "aws:iam/role:Role": _ROLE_TAGS
    | _actions(
        "iam",
        "CreateRole GetRole UpdateRole UpdateRoleDescription UpdateAssumeRolePolicy ListRolePolicies"
        " ListAttachedRolePolicies ListInstanceProfilesForRole DeleteRole",
    ),
    "aws:iam/rolePolicy:RolePolicy": _actions("iam", "PutRolePolicy GetRolePolicy DeleteRolePolicy"),
    "aws:kms/key:Key": _actions(
        "kms",
        "CreateKey DescribeKey EnableKey GetKeyPolicy GetKeyRotationStatus ListResourceTags PutKeyPolicy"
        " ScheduleKeyDeletion TagResource UntagResource UpdateKeyDescription",
    ),
    "aws:s3/bucket:Bucket": _BUCKET
    | _actions(
        "s3",
        "CreateBucket DeleteBucket GetAccelerateConfiguration GetBucketAcl GetBucketCORS GetBucketLocation"
        " GetBucketLogging GetBucketObjectLockConfiguration GetBucketPolicy GetBucketRequestPayment GetBucketTagging"
        " GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration GetLifecycleConfiguration"
        " GetReplicationConfiguration PutBucketTagging ListTagsForResource TagResource UntagResource"
        # A bucket that is destroyed is emptied first.
        " ListBucketVersions DeleteObject DeleteObjectVersion",
    ),
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": _BUCKET | _actions("s3", "GetBucketCORS PutBucketCORS"),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": _BUCKET
    | _actions("s3", "GetLifecycleConfiguration PutLifecycleConfiguration"),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": _BUCKET
    | _actions("s3", "GetBucketOwnershipControls PutBucketOwnershipControls"),
    "aws:s3/bucketPolicy:BucketPolicy": _BUCKET | _actions("s3", "GetBucketPolicy PutBucketPolicy DeleteBucketPolicy"),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _BUCKET
    | _actions("s3", "GetBucketPublicAccessBlock PutBucketPublicAccessBlock"),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _BUCKET
    | _actions("s3", "GetEncryptionConfiguration PutEncryptionConfiguration"),
    "aws:s3/bucketVersioning:BucketVersioning": _BUCKET | _actions("s3", "GetBucketVersioning PutBucketVersioning"),
    "aws:scheduler/schedule:Schedule": _actions(
        "scheduler", "CreateSchedule GetSchedule UpdateSchedule DeleteSchedule"
    ),
    # The command `uv run seed`.
    "command seed": _actions("dynamodb", "BatchGetItem PutItem") | _actions("s3", "PutObject"),
}

POLICIES = {"network": NETWORK_TYPES, "services": SERVICE_TYPES}


def write_deployer_policy(name: str) -> Document:
    """Names and ids of the resources are not known before they are created, so the actions are allowed on all of them.
    Use an account of its own for a deployment, or a permissions boundary.
    """
    statements: list[dict[str, Any]] = [
        {
            "Sid": "Manage",
            "Effect": "Allow",
            "Action": sorted(set[str]().union(*POLICIES[name].values())),
            "Resource": "*",
        }
    ]
    if name == "services":
        statements += [
            {
                "Sid": "PassRoles",
                "Effect": "Allow",
                "Action": "iam:PassRole",
                "Resource": "arn:*:iam::*:role/*",
                "Condition": {"StringEquals": {"iam:PassedToService": PASSED_TO}},
            },
            {
                "Sid": "CreateServiceLinkedRoles",
                "Effect": "Allow",
                "Action": "iam:CreateServiceLinkedRole",
                "Resource": "arn:*:iam::*:role/aws-service-role/*",
                "Condition": {"StringEquals": {"iam:AWSServiceName": SERVICE_LINKED_ROLES}},
            },
        ]
    return {"Version": "2012-10-17", "Statement": statements}


def draw_deployer_policy(name: str) -> str:
    return json.dumps(write_deployer_policy(name), indent=2) + "\n"


def main() -> None:
    for name in POLICIES:
        (FOLDER / f"{name}.json").write_text(draw_deployer_policy(name))


if __name__ == "__main__":
    main()
