"""What Pulumi's providers know of each resource type, such as `aws:ecs/service:Service`.

A type that a program uses needs an entry in `RESOURCE_TYPES`. `replaced_by` are the inputs whose change replaces the
resource (Terraform's `ForceNew` in the documentation and source of terraform-provider-aws).
"""

from __future__ import annotations

from dataclasses import dataclass

EVERY_INPUT = frozenset({"*"})


@dataclass(frozen=True)
class ResourceType:
    replaced_by: frozenset[str] = frozenset()
    """Inputs whose change replaces the resource."""
    name: str | None = None
    """The input for which the provider makes up a value if the program gives none."""
    max_name: int = 255
    """Maximum length of this input."""
    id: str | None = None
    """Template of the id, with `{arn}`, `{hex17}` … and inputs. Default: the name."""
    unique: bool = True
    """Creating a second resource with the same id is an error. Otherwise it overwrites the first one."""
    computed: frozenset[str] = frozenset()
    """Inputs that AWS determines if the program doesn't give them (Terraform's `Optional` and `Computed`)."""
    computed_on_update: tuple[str, ...] = ()
    """Outputs that each update changes."""
    keeps_on_failure: bool = False
    """If AWS accepts a change and the deployment then fails, the provider reports the error together with the state."""


class UnknownTypeError(Exception):
    """`RESOURCE_TYPES` has no entry for a type."""


def _replaced_by(*inputs: str, **rest: object) -> ResourceType:
    return ResourceType(frozenset(inputs), **rest)  # pyright: ignore[reportArgumentType] - the fields of the class


def _part_of_bucket(*more: str) -> ResourceType:
    return ResourceType(frozenset({"bucket", *more}), id="{bucket}", unique=False)


RESOURCE_TYPES: dict[str, ResourceType] = {
    "aws:acm/certificate:Certificate": _replaced_by(
        "domainName", "validationMethod", "subjectAlternativeNames", "keyAlgorithm", id="{arn}"
    ),
    "aws:acm/certificateValidation:CertificateValidation": _replaced_by(
        "certificateArn", "validationRecordFqdns", id="{certificateArn}", unique=False
    ),
    "aws:apigatewayv2/api:Api": _replaced_by("protocolType", name="name", id="{hex10}"),
    "aws:apigatewayv2/apiMapping:ApiMapping": _replaced_by("domainName", id="{hex10}"),
    "aws:apigatewayv2/domainName:DomainName": _replaced_by("domainName", id="{domainName}"),
    "aws:apigatewayv2/integration:Integration": _replaced_by(
        "apiId", "integrationType", "integrationSubtype", id="{hex10}"
    ),
    "aws:apigatewayv2/route:Route": _replaced_by("apiId", id="{hex10}"),
    "aws:apigatewayv2/stage:Stage": _replaced_by("apiId", "name", name="name", id="{apiId}/{name}"),
    "aws:apigatewayv2/vpcLink:VpcLink": _replaced_by("securityGroupIds", "subnetIds", name="name", id="{hex10}"),
    "aws:appautoscaling/policy:Policy": _replaced_by(
        "name", "resourceId", "scalableDimension", "serviceNamespace", name="name", id="{resourceId}/{name}"
    ),
    "aws:appautoscaling/target:Target": _replaced_by(
        "resourceId", "scalableDimension", "serviceNamespace", id="{resourceId}"
    ),
    "aws:cloudwatch/dashboard:Dashboard": _replaced_by("dashboardName", id="{dashboardName}", unique=False),
    "aws:cloudwatch/logGroup:LogGroup": _replaced_by("name", "namePrefix", "logGroupClass", name="name", max_name=512),
    "aws:cloudwatch/metricAlarm:MetricAlarm": _replaced_by("name", name="name", unique=False),
    "aws:dynamodb/table:Table": _replaced_by("name", "hashKey", "rangeKey", "localSecondaryIndexes", name="name"),
    "aws:dynamodb/tableItem:TableItem": _replaced_by(
        "tableName", "hashKey", "rangeKey", id="{tableName}|{hashKey}|{item}"
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": _replaced_by("vpcId", id="sg-{hex17}"),
    "aws:ec2/internetGateway:InternetGateway": _replaced_by(id="igw-{hex17}"),
    "aws:ec2/route:Route": _replaced_by(
        "routeTableId", "destinationCidrBlock", "destinationIpv6CidrBlock", id="{routeTableId}-{hex10}"
    ),
    "aws:ec2/routeTable:RouteTable": _replaced_by("vpcId", id="rtb-{hex17}"),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": _replaced_by("subnetId", "gatewayId", id="rtbassoc-{hex17}"),
    "aws:ec2/securityGroup:SecurityGroup": _replaced_by(
        "name", "namePrefix", "description", "vpcId", name="name", id="sg-{hex17}"
    ),
    "aws:ec2/subnet:Subnet": _replaced_by(
        "vpcId",
        "cidrBlock",
        "availabilityZone",
        "availabilityZoneId",
        id="subnet-{hex17}",
        computed=frozenset({"availabilityZone", "availabilityZoneId"}),
    ),
    "aws:ec2/vpc:Vpc": _replaced_by("cidrBlock", "ipv4IpamPoolId", id="vpc-{hex17}"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": _replaced_by("vpcId", "serviceName", "vpcEndpointType", id="vpce-{hex17}"),
    "aws:ec2/vpcEndpointPolicy:VpcEndpointPolicy": _replaced_by("vpcEndpointId", id="{vpcEndpointId}", unique=False),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": _replaced_by("repository", "policy", id="{repository}", unique=False),
    "aws:ecr/repository:Repository": _replaced_by("name", "encryptionConfigurations", name="name"),
    "aws:ecs/cluster:Cluster": _replaced_by("name", name="name", id="{arn}"),
    "aws:ecs/service:Service": _replaced_by(
        "cluster",
        "deploymentController",
        "iamRole",
        "launchType",
        "name",
        "schedulingStrategy",
        name="name",
        id="{arn}",
        keeps_on_failure=True,
    ),
    "aws:ecs/taskDefinition:TaskDefinition": ResourceType(EVERY_INPUT, id="{family}"),
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": _replaced_by("url", id="{arn}"),
    "aws:iam/policy:Policy": _replaced_by("name", "path", "description", name="name", id="{arn}"),
    "aws:iam/role:Role": _replaced_by("name", "namePrefix", "path", name="name", max_name=64),
    "aws:iam/rolePolicy:RolePolicy": _replaced_by("name", "role", name="name", id="{role}:{name}"),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": _replaced_by("role", "policyArn", id="{role}/{policyArn}"),
    "aws:kms/alias:Alias": _replaced_by("name", "namePrefix", id="{name}"),
    "aws:kms/key:Key": _replaced_by(
        "customKeyStoreId", "customerMasterKeySpec", "keyUsage", "multiRegion", id="{uuid}"
    ),
    "aws:lb/listener:Listener": _replaced_by("loadBalancerArn", id="{arn}"),
    "aws:lb/listenerRule:ListenerRule": _replaced_by("listenerArn", id="{arn}"),
    "aws:lb/loadBalancer:LoadBalancer": _replaced_by(
        "internal", "loadBalancerType", "name", name="name", max_name=32, id="{arn}"
    ),
    "aws:lb/targetGroup:TargetGroup": _replaced_by(
        "name", "port", "protocol", "protocolVersion", "targetType", "vpcId", name="name", max_name=32, id="{arn}"
    ),
    "aws:route53/record:Record": _replaced_by("name", "zoneId", "setIdentifier", id="{zoneId}_{name}_{type}"),
    "aws:s3/bucket:Bucket": _replaced_by(
        "bucket", "bucketPrefix", "objectLockEnabled", name="bucket", max_name=63, id="{bucket}"
    ),
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": _part_of_bucket(),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": _part_of_bucket(),
    "aws:s3/bucketObjectv2:BucketObjectv2": ResourceType(
        frozenset({"bucket", "key"}), id="{bucket}/{key}", unique=False
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": _part_of_bucket(),
    "aws:s3/bucketPolicy:BucketPolicy": _part_of_bucket(),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _part_of_bucket(),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _part_of_bucket(
        "expectedBucketOwner"
    ),
    "aws:s3/bucketVersioning:BucketVersioning": _part_of_bucket("expectedBucketOwner"),
    "aws:s3/bucketV2:BucketV2": _replaced_by("bucket", name="bucket", max_name=63),
    "aws:scheduler/schedule:Schedule": _replaced_by("name", "namePrefix", "groupName", name="name", max_name=64),
    "aws:scheduler/scheduleGroup:ScheduleGroup": _replaced_by("name", "namePrefix", name="name"),
    "aws:sns/topic:Topic": _replaced_by("name", "namePrefix", "fifoTopic", name="name", id="{arn}"),
    "aws:sns/topicSubscription:TopicSubscription": _replaced_by("endpoint", "protocol", "topicArn", id="{arn}"),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _replaced_by("securityGroupId", id="sgr-{hex17}"),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _replaced_by("securityGroupId", id="sgr-{hex17}"),
    "docker-build:index:Image": ResourceType(id="{hex17}", computed_on_update=("contextHash", "digest", "ref")),
}


def find_type(token: str) -> ResourceType:
    if token not in RESOURCE_TYPES:
        raise UnknownTypeError(f"tests/infra/resource_types.py has no entry for {token}.")
    return RESOURCE_TYPES[token]
