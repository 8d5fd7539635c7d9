"""Values of the right type that AWS refuses, by the service models that botocore ships and by tables of our own."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, cast

import botocore.loaders
import botocore.model
from botocore.validate import ParamValidator

from tests.infra.wire import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.infra.deployment import Deployment, Registration

_OPERATIONS = {
    "aws:apigatewayv2/api:Api": "apigatewayv2:CreateApi",
    "aws:apigatewayv2/integration:Integration": "apigatewayv2:CreateIntegration",
    "aws:apigatewayv2/route:Route": "apigatewayv2:CreateRoute",
    "aws:apigatewayv2/stage:Stage": "apigatewayv2:CreateStage",
    "aws:apigatewayv2/vpcLink:VpcLink": "apigatewayv2:CreateVpcLink",
    "aws:appautoscaling/policy:Policy": "application-autoscaling:PutScalingPolicy",
    "aws:appautoscaling/target:Target": "application-autoscaling:RegisterScalableTarget",
    "aws:cloudwatch/logGroup:LogGroup": "logs:CreateLogGroup",
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": "logs:PutMetricFilter",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "cloudwatch:PutMetricAlarm",
    "aws:dynamodb/table:Table": "dynamodb:CreateTable",
    "aws:ec2/securityGroup:SecurityGroup": "ec2:CreateSecurityGroup",
    "aws:ec2/vpc:Vpc": "ec2:CreateVpc",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "ec2:CreateVpcEndpoint",
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": "ecr:PutLifecyclePolicy",
    "aws:ecr/repository:Repository": "ecr:CreateRepository",
    "aws:ecs/cluster:Cluster": "ecs:CreateCluster",
    "aws:ecs/service:Service": "ecs:CreateService",
    "aws:ecs/taskDefinition:TaskDefinition": "ecs:RegisterTaskDefinition",
    "aws:iam/role:Role": "iam:CreateRole",
    "aws:kms/alias:Alias": "kms:CreateAlias",
    "aws:kms/key:Key": "kms:CreateKey",
    "aws:lb/listener:Listener": "elbv2:CreateListener",
    "aws:lb/listenerRule:ListenerRule": "elbv2:CreateRule",
    "aws:lb/loadBalancer:LoadBalancer": "elbv2:CreateLoadBalancer",
    "aws:lb/targetGroup:TargetGroup": "elbv2:CreateTargetGroup",
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": "s3:PutBucketCors:CORSConfiguration",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": (
        "s3:PutBucketLifecycleConfiguration:LifecycleConfiguration"
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": "s3:PutBucketOwnershipControls:OwnershipControls",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        "s3:PutBucketEncryption:ServerSideEncryptionConfiguration"
    ),
    "aws:s3/bucketVersioning:BucketVersioning": "s3:PutBucketVersioning",
    "aws:scheduler/schedule:Schedule": "scheduler:CreateSchedule",
    "aws:sns/topicSubscription:TopicSubscription": "sns:Subscribe",
    "aws:sqs/queue:Queue": "sqs:CreateQueue",
}
"""Which call to AWS creates it, and the argument of that call that its inputs describe, if they don't describe all."""

_SHAPES = {
    ("aws:dynamodb/table:Table", "attributes[].type"): "dynamodb:ScalarAttributeType",
    ("aws:lb/loadBalancer:LoadBalancer", "loadBalancerType"): "elbv2:LoadBalancerTypeEnum",
    ("aws:lb/targetGroup:TargetGroup", "healthCheck.protocol"): "elbv2:ProtocolEnum",
}
"""Properties that the call names otherwise."""

_CHOICES: dict[tuple[str, str], tuple[object, ...]] = {
    ("aws:cloudwatch/logGroup:LogGroup", "retentionInDays"): (
        0,
        1,
        3,
        5,
        7,
        14,
        30,
        60,
        90,
        120,
        150,
        180,
        365,
        400,
        545,
        731,
        1096,
        1827,
        2192,
        2557,
        2922,
        3288,
        3653,
    ),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", "treatMissingData"): ("missing", "ignore", "breaching", "notBreaching"),
    ("aws:kms/key:Key", "deletionWindowInDays"): tuple(range(7, 31)),
    ("aws:lb/targetGroup:TargetGroup", "protocolVersion"): ("HTTP1", "HTTP2", "GRPC"),
    ("aws:s3/bucketCorsConfiguration:BucketCorsConfiguration", "corsRules[].allowedMethods[]"): (
        "GET",
        "PUT",
        "POST",
        "DELETE",
        "HEAD",
    ),
    ("aws:sns/topicSubscription:TopicSubscription", "protocol"): (
        "http",
        "https",
        "email",
        "email-json",
        "sms",
        "sqs",
        "application",
        "lambda",
        "firehose",
    ),
    ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "ipProtocol"): ("tcp", "udp", "icmp", "icmpv6", "-1"),
    ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "ipProtocol"): ("tcp", "udp", "icmp", "icmpv6", "-1"),
}
"""Where AWS's pages say what the service models don't."""

_FARGATE_MEMORY = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
}
"""In MiB, by units of CPU (AWS: "Amazon ECS task definition parameters for Fargate", task size)."""

_TASK = "aws:ecs/taskDefinition:TaskDefinition"


def find_value_faults(deployment: Deployment) -> list[str]:
    return [f"{each}{fault}" for each in deployment.resources() for fault in _find_faults(each)]


def find_unchecked_types(deployment: Deployment) -> set[str]:
    """Types whose values nothing is known of here."""
    tables = {token for token, _ in _CHOICES} | set(_OPERATIONS)
    return {each.type for each in deployment.resources()} - tables


def _find_faults(registration: Registration) -> Iterator[str]:
    token, inputs = registration.type, registration.inputs
    for path, value in _walk_lists(inputs, ""):
        choices = _CHOICES.get((token, path)) or _choices_of_shape(token, path)
        if choices is not None and value != UNKNOWN and value not in choices:
            yield f".{path}: {value!r} is none of {', '.join(map(str, choices))}"
    if (shape := _input_shape(token)) is not None:
        yield from _hold_against(inputs, shape, "")
    if token == _TASK:
        yield from _judge_task(inputs)


def _hold_against(value: Any, shape: botocore.model.Shape, path: str) -> Iterator[str]:
    """Enumerations and ranges. What the call doesn't name as AWS's provider does is passed over."""
    if isinstance(value, list):
        # A single block of the provider's can be a list of one, and the other way round.
        member = shape.member if isinstance(shape, botocore.model.ListShape) else shape
        for number, item in enumerate(cast("list[Any]", value)):
            yield from _hold_against(item, member, f"{path}[{number}]")
    elif isinstance(value, dict):
        inner = shape.member if isinstance(shape, botocore.model.ListShape) else shape
        members = _members(inner) if isinstance(inner, botocore.model.StructureShape) else {}
        for name, item in cast("dict[str, Any]", value).items():
            if member := members.get(_plain(name)):
                yield from _hold_against(item, member, f"{path}.{name}")
    elif isinstance(shape, botocore.model.StringShape):
        if shape.enum and isinstance(value, str) and value not in (*shape.enum, UNKNOWN):
            yield f"{path}: {value!r} is none of {', '.join(shape.enum)}"
    elif isinstance(value, int) and shape.type_name in ("integer", "long"):
        limits = cast("Mapping[str, int]", shape.metadata)
        if not limits.get("min", value) <= value <= limits.get("max", value):
            yield f"{path}: {value} is not within {limits.get('min')} to {limits.get('max')}"


def _judge_task(inputs: dict[str, Any]) -> Iterator[str]:
    cpu, memory = str(inputs.get("cpu")), str(inputs.get("memory"))
    if "FARGATE" in (inputs.get("requiresCompatibilities") or ()):
        sizes = {(str(units), str(size)) for units, allowed in _FARGATE_MEMORY.items() for size in allowed}
        if UNKNOWN not in (cpu, memory) and (cpu, memory) not in sizes:
            yield f": Fargate has no task of cpu {cpu} and memory {memory}"
        if inputs.get("networkMode") != "awsvpc":
            yield ".networkMode: Fargate has only awsvpc"
    text = inputs.get("containerDefinitions", UNKNOWN)
    if text == UNKNOWN:
        return
    try:
        containers = json.loads(text)
    except ValueError:
        yield ".containerDefinitions: no JSON"
        return
    call = _model("ecs").operation_model("RegisterTaskDefinition").input_shape
    shape = cast("botocore.model.StructureShape", call).members["containerDefinitions"]
    report = ParamValidator().validate(containers, shape)
    if report.has_errors():
        yield f".containerDefinitions: {report.generate_report()}"
    yield from _hold_against(containers, shape, ".containerDefinitions")


def _walk_lists(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Scalars, with paths that are the same for all items of a list."""
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _walk_lists(item, f"{path}[]")
    elif isinstance(value, dict):
        for name, item in cast("dict[str, Any]", value).items():
            yield from _walk_lists(item, f"{path}.{name}" if path else name)
    else:
        yield path, value


def _choices_of_shape(token: str, path: str) -> tuple[str, ...] | None:
    if (token, path) not in _SHAPES:
        return None
    service, name = _SHAPES[token, path].split(":")
    return tuple(cast("botocore.model.StringShape", _model(service).shape_for(name)).enum)


@functools.cache
def _input_shape(token: str) -> botocore.model.Shape | None:
    if token not in _OPERATIONS:
        return None
    service, operation, *members = _OPERATIONS[token].split(":")
    shape = _model(service).operation_model(operation).input_shape
    for name in members:
        shape = cast("botocore.model.StructureShape", shape).members[name]
    return shape


@functools.cache
def _model(service: str) -> botocore.model.ServiceModel:
    return botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model(service, "service-2"), service)


def _members(shape: botocore.model.StructureShape) -> dict[str, botocore.model.Shape]:
    return {_plain(name): member for name, member in shape.members.items()}


def _plain(name: str) -> str:
    """Without case and plural, which the provider and the services don't agree on."""
    return name.lower().removesuffix("s")
