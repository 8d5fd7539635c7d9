"""An AWS account in memory, as Pulumi's providers see it: it keeps resources and refuses what AWS refuses.

`tests/infra/providers.py` calls `create`, `read`, `update`, `delete` and `invoke`. What a test does:

    cloud.fail("aws:ecs/service:Service", "uploads", "no task became healthy")  # the next creation or update
    cloud.change_by_hand("aws:lb/targetGroup:TargetGroup", "auth", deregistrationDelay=5)
    cloud.delete_by_hand("aws:s3/bucketObjectv2:BucketObjectv2", "Shirley90")
    cloud.one("aws:s3/bucket:Bucket", "storage").outputs["arn"]
    cloud.calls  # each creation, update and deletion, in order

Names are those of the program. A subclass that overrides the four methods and calls `super()` can apply resources
elsewhere, such as to an emulator.

The values are made up, always the same for the same resource, and of the right shape where a program or a check looks
at them. The rules of order are in `_NOT_DELETED_WHILE_USED` and `_refuse_deletion`.
"""

from __future__ import annotations

import hashlib
import ipaddress
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tests.infra.classes import sure_outputs
from tests.infra.resource_types import find_type
from tests.infra.walk import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

Properties = dict[str, Any]

_BUCKET, _OBJECT = "aws:s3/bucket:Bucket", "aws:s3/bucketObjectv2:BucketObjectv2"
_OF_BUCKET = "aws:s3/bucket"
"""Types of a bucket's objects and configuration, which are deleted with it, start with this."""
_SERVICE, _TASK = "aws:ecs/service:Service", "aws:ecs/taskDefinition:TaskDefinition"
_LISTENER, _RULE = "aws:lb/listener:Listener", "aws:lb/listenerRule:ListenerRule"
_SUBNET, _GROUP = "aws:ec2/subnet:Subnet", "aws:ec2/securityGroup:SecurityGroup"
_BALANCER, _LINK = "aws:lb/loadBalancer:LoadBalancer", "aws:apigatewayv2/vpcLink:VpcLink"
_GATEWAY = "aws:ec2/internetGateway:InternetGateway"
_INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
_EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
_IMAGE = "docker-build:index:Image"
_REPOSITORY = "aws:ecr/repository:Repository"

_NOT_DELETED_WHILE_USED = {
    "aws:apigatewayv2/vpcLink:VpcLink": ("aws:apigatewayv2/integration:Integration",),
    "aws:ec2/routeTable:RouteTable": ("aws:ec2/routeTableAssociation:RouteTableAssociation",),
    "aws:ec2/securityGroup:SecurityGroup": (_INGRESS, _EGRESS, _BALANCER, _LINK, _SERVICE),
    "aws:ec2/subnet:Subnet": (_BALANCER, _LINK, _SERVICE),
    "aws:ec2/vpc:Vpc": (
        "aws:ec2/internetGateway:InternetGateway",
        "aws:ec2/routeTable:RouteTable",
        "aws:ec2/securityGroup:SecurityGroup",
        "aws:ec2/subnet:Subnet",
        "aws:ec2/vpcEndpoint:VpcEndpoint",
    ),
    "aws:ecs/cluster:Cluster": (_SERVICE,),
    "aws:iam/policy:Policy": ("aws:iam/rolePolicyAttachment:RolePolicyAttachment",),
    "aws:iam/role:Role": (
        "aws:iam/rolePolicy:RolePolicy",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    ),
    "aws:lb/targetGroup:TargetGroup": (_LISTENER, _RULE),
    "aws:acm/certificate:Certificate": ("aws:apigatewayv2/domainName:DomainName", _LISTENER),
    "aws:apigatewayv2/domainName:DomainName": ("aws:apigatewayv2/apiMapping:ApiMapping",),
}
"""AWS refuses to delete the first one while one of the others refers to it (DependencyViolation, ResourceInUse,
DeleteConflict, ClusterContainsServices).
"""

_ARNS = {
    "acm/certificate:Certificate": "acm:{region}:{account}:certificate/{uuid}",
    "apigatewayv2/api:Api": "apigateway:{region}::/apis/{hex10}",
    "appautoscaling/policy:Policy": "autoscaling:{region}:{account}:scalingPolicy:{uuid}:resource/ecs/{name}",
    "cloudwatch/logGroup:LogGroup": "logs:{region}:{account}:log-group:{name}",
    "cloudwatch/metricAlarm:MetricAlarm": "cloudwatch:{region}:{account}:alarm:{name}",
    "dynamodb/table:Table": "dynamodb:{region}:{account}:table/{name}",
    "ecr/repository:Repository": "ecr:{region}:{account}:repository/{name}",
    "ecs/cluster:Cluster": "ecs:{region}:{account}:cluster/{name}",
    "ecs/service:Service": "ecs:{region}:{account}:service/cluster/{name}",
    "ecs/taskDefinition:TaskDefinition": "ecs:{region}:{account}:task-definition/{name}:{revision}",
    "iam/policy:Policy": "iam::{account}:policy/{name}",
    "iam/role:Role": "iam::{account}:role/{name}",
    "kms/alias:Alias": "kms:{region}:{account}:{name}",
    "kms/key:Key": "kms:{region}:{account}:key/{uuid}",
    "lb/listener:Listener": "elasticloadbalancing:{region}:{account}:listener/app/{name}/{hex16}/{hex16}",
    "lb/listenerRule:ListenerRule": "elasticloadbalancing:{region}:{account}:listener-rule/app/{name}/{hex16}/{hex16}",
    "lb/loadBalancer:LoadBalancer": "elasticloadbalancing:{region}:{account}:loadbalancer/app/{name}/{hex16}",
    "lb/targetGroup:TargetGroup": "elasticloadbalancing:{region}:{account}:targetgroup/{name}/{hex16}",
    "s3/bucket:Bucket": "s3:::{name}",
    "scheduler/schedule:Schedule": "scheduler:{region}:{account}:schedule/default/{name}",
    "scheduler/scheduleGroup:ScheduleGroup": "scheduler:{region}:{account}:schedule-group/{name}",
    "sns/topic:Topic": "sns:{region}:{account}:{name}",
}

_SHAPES = {
    "apiEndpoint": "https://{hex10}.execute-api.{region}.amazonaws.com",
    "bucketDomainName": "{name}.s3.amazonaws.com",
    "bucketRegionalDomainName": "{name}.s3.{region}.amazonaws.com",
    "dnsName": "{name}-1234567890.{region}.elb.amazonaws.com",
    "executionArn": "arn:aws:execute-api:{region}:{account}:{hex10}",
    "invokeUrl": "https://{hex10}.execute-api.{region}.amazonaws.com/",
    "keyId": "{uuid}",
    "ownerId": "{account}",
    "prefixListId": "pl-{hex17}",
    "region": "{region}",
    "registryId": "{account}",
    "repositoryUrl": "{account}.dkr.ecr.{region}.amazonaws.com/{name}",
}

_NAMES = ("name", "bucket", "family", "dashboardName")
"""Inputs that name a resource in AWS."""

_ZONES = {
    "us-east-1": {"a": 6, "b": 1, "c": 2, "d": 4, "e": 3, "f": 5},
    "us-west-1": {"a": 1, "c": 3},
    "ap-northeast-1": {"a": 4, "c": 1, "d": 2},
}
"""Letters of Availability Zones and numbers of their ids in this account. AWS maps them for each account."""

_OTHER_ZONES = {"a": 2, "b": 3, "c": 1}

ECR_PASSWORD = "made-up-ecr-password"  # noqa: S105 not a real one


class UnexpectedInvokeError(Exception):
    """`Cloud.invoke` has no response for a function."""


class RefusedError(Exception):
    """AWS refuses a call. The text is the error's message."""


@dataclass
class Resource:
    """A resource in the account."""

    urn: str
    id: str
    inputs: Properties
    outputs: Properties
    region: str
    seed: str

    @property
    def type(self) -> str:
        return find_token(self.urn)

    @property
    def name(self) -> str:
        """The name in the program."""
        return self.urn.rpartition("::")[2]

    def __str__(self) -> str:
        return f"{self.type.rsplit(':', maxsplit=1)[-1]} {self.name}"


class DeploymentFailedError(Exception):
    """AWS accepted a change, and the deployment failed afterwards."""

    def __init__(self, resource: Resource, message: str) -> None:
        super().__init__(message)
        self.resource = resource
        """The resource as the provider reports it: with the new inputs."""


@dataclass(frozen=True)
class Call:
    """A call that changed the account."""

    action: Literal["create", "update", "delete"]
    type: str
    name: str

    def __str__(self) -> str:
        return f"{self.action} {self.type.rsplit(':', maxsplit=1)[-1]} {self.name}"


@dataclass
class Cloud:
    region: str = "eu-central-1"
    account: str = "123456789012"
    salt: str = ""
    """Made-up names and ids differ between clouds with different salts."""
    outputs: Mapping[str, Properties] = field(default_factory=dict[str, Properties])
    """Outputs by type, which replace made-up ones."""
    answers: Mapping[str, Properties] = field(default_factory=dict[str, Properties])
    """Further results of invokes, by the last part of the token."""
    zones: Mapping[str, str] | None = None
    """Ids of Availability Zones by name. Default: as in a real account of that region."""
    calls: list[Call] = field(default_factory=list[Call])
    invokes: list[tuple[str, Properties]] = field(default_factory=list[tuple[str, Properties]])
    _resources: dict[tuple[str, str], Resource] = field(default_factory=dict[tuple[str, str], Resource])
    _created: Counter[str] = field(default_factory=Counter[str])
    """Number of resources that were ever created, by URN."""
    _revisions: Counter[str] = field(default_factory=Counter[str])
    """Last revision of each task definition family."""
    _failures: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    # For tests

    def resources(self, *types: str) -> list[Resource]:
        return [each for each in self._resources.values() if not types or each.type in types]

    def one(self, type_: str, name: str) -> Resource:
        [found] = [each for each in self.resources(type_) if each.name == name]
        return found

    def fail(self, type_: str, name: str, message: str) -> None:
        """The next creation, update or deletion of this resource fails. A service's deployment fails after AWS
        accepted it: its creation leaves the service in place, and its update is rolled back.
        """
        self._failures[type_, name] = message

    def change_by_hand(self, type_: str, name: str, **changes: Any) -> None:
        """Change inputs of a resource as somebody would in the console. None removes one."""
        resource = self.one(type_, name)
        inputs = {key: value for key, value in (resource.inputs | changes).items() if value is not None}
        self._set_inputs(resource, inputs)

    def delete_by_hand(self, type_: str, name: str) -> None:
        resource = self.one(type_, name)
        self._refuse_deletion(resource)
        self._remove(resource)

    def add(self, urn: str, identity: str, inputs: Properties, outputs: Properties) -> None:
        """Add a resource that exists already, such as one from the state of a stack."""
        seed = f"{self.salt}{urn}/{self._created[urn]}"
        self._created[urn] += 1
        resource = Resource(urn, identity, inputs, outputs, self.region, seed)
        if resource.type == _TASK:
            self._revisions[inputs["family"]] = max(self._revisions[inputs["family"]], outputs["revision"])
        self._resources[_key(resource)] = resource

    # For the provider

    def create(self, urn: str, inputs: Properties) -> Resource:
        """
        Raises:
            RefusedError: AWS refuses it.
            DeploymentFailedError: the resource exists, but its deployment failed.
        """
        type_ = find_type(find_token(urn))
        resource = self._make(urn, inputs)
        self._log("create", resource)
        failure = self._failures.pop((resource.type, resource.name), None)
        if failure and not type_.keeps_on_failure:
            raise RefusedError(failure)
        self._refuse_creation(resource)
        self._created[urn] += 1
        if resource.type == _TASK:
            self._revisions[resource.inputs["family"]] += 1
        self._resources[_key(resource)] = resource
        if failure:
            raise DeploymentFailedError(resource, failure)
        return resource

    def read(self, urn: str, identity: str, outputs: Properties) -> Resource | None:
        """None if it doesn't exist (any more)."""
        return self._find(urn, identity, outputs)

    def update(self, urn: str, identity: str, outputs: Properties, inputs: Properties) -> Resource:
        """
        Raises:
            RefusedError: AWS refuses it.
            DeploymentFailedError: AWS rolled the deployment back, so that the resource is as it was.
        """
        resource = self._find(urn, identity, outputs)
        if resource is None:
            raise RefusedError(f"{find_token(urn)} {identity} does not exist")
        self._log("update", resource)
        if failure := self._failures.pop((resource.type, resource.name), None):
            if not find_type(resource.type).keeps_on_failure:
                raise RefusedError(failure)
            reported = Resource(urn, identity, inputs, {**resource.outputs, **inputs}, resource.region, resource.seed)
            raise DeploymentFailedError(reported, failure)
        self._set_inputs(resource, inputs)
        return resource

    def delete(self, urn: str, identity: str, outputs: Properties) -> None:
        """
        Raises:
            RefusedError: AWS refuses it.
        """
        resource = self._find(urn, identity, outputs)
        if resource is None:
            return
        if failure := self._failures.pop((resource.type, resource.name), None):
            raise RefusedError(failure)
        self._refuse_deletion(resource)
        self._log("delete", resource)
        self._remove(resource)

    def name(self, urn: str) -> str:
        """Seven digits for the next resource with this URN. Pulumi appends them to its name."""
        return _digits(f"{self.salt}{urn}/{self._created[urn]}", 7)

    def invoke(self, token: str, arguments: Properties) -> Properties:
        self.invokes.append((token, arguments))
        name = token.rsplit(":", maxsplit=1)[-1]
        region = arguments.get("region") or self.region
        words = self._words(f"{token}/{sorted(arguments.items())}", arguments.get("name") or "made-up", region)
        zones = dict(self.zones or find_zones(region))
        zones = {key: zone for key, zone in zones.items() if zone not in arguments.get("excludeZoneIds", ())}
        zones = {key: zone for key, zone in zones.items() if key not in arguments.get("excludeNames", ())}
        known: dict[str, Properties] = {
            "getAvailabilityZones": {"names": [*zones], "zoneIds": [*zones.values()], "id": region},
            "getCallerIdentity": {
                "accountId": self.account,
                "arn": f"arn:aws:iam::{self.account}:user/operator",
                "userId": "AIDAMADEUP",
                "id": self.account,
            },
            # For the stand-in for the engine: a stack of which nothing exists yet.
            "readStackOutputs": {"name": words["name"], "outputs": dict[str, Any]()},
            "getRegion": {"region": region, "name": region, "id": region},
            "getPartition": {"partition": "aws", "dnsSuffix": "amazonaws.com", "id": "aws"},
            "getAuthorizationToken": {
                "userName": "AWS",
                "password": ECR_PASSWORD,
                "proxyEndpoint": f"https://{self.account}.dkr.ecr.{region}.amazonaws.com",
                "id": region,
            },
            "getPrefixList": {
                "id": f"pl-{words['hex17']}",
                "prefixListId": f"pl-{words['hex17']}",
                "name": words["name"],
            },
            "getManagedPrefixList": {"id": f"pl-{words['hex17']}", "name": words["name"]},
            "getService": self._describe_service(arguments.get("serviceName")),
        } | dict(self.answers)
        if name not in known:
            raise UnexpectedInvokeError(f"tests/infra/cloud.py has no response to {token} with {arguments}.")
        return known[name]

    def _describe_service(self, name: str | None) -> Properties:
        services = [each.outputs for each in self.resources(_SERVICE) if each.outputs["name"] == name]
        return {"taskDefinition": services[0]["taskDefinition"], "serviceName": name, "id": name} if services else {}

    # How AWS behaves

    def _refuse_creation(self, resource: Resource) -> None:
        if find_type(resource.type).unique and resource.type != _TASK and _key(resource) in self._resources:
            raise RefusedError(f"{resource.type} {resource.id} already exists")
        if resource.type == _SUBNET:
            for other in self._users(resource.inputs["vpcId"], _SUBNET):
                if _block(other).overlaps(_block(resource)):
                    raise RefusedError(f"InvalidSubnet.Conflict: {_block(resource)} conflicts with {other}")
        if resource.type == _SERVICE:
            for block in resource.inputs.get("loadBalancers", []):
                group = block.get("targetGroupArn")
                if group and not self._users(group, _RULE, _LISTENER):
                    raise RefusedError(
                        f"InvalidParameterException: The target group with targetGroupArn {group} does not have an "
                        "associated load balancer."
                    )

    def _refuse_deletion(self, resource: Resource) -> None:
        if users := self.find_users(resource):
            reason = "mapped public addresses" if resource.type == _GATEWAY else "use"
            raise RefusedError(f"DependencyViolation: {resource} has {reason}: {', '.join(map(str, users))}")
        if resource.inputs.get("deletionProtectionEnabled") or resource.inputs.get("enableDeletionProtection"):
            raise RefusedError(f"{resource} has deletion protection")
        if resource.type == _BUCKET and not resource.inputs.get("forceDestroy") and self._users(resource.id, _OBJECT):
            raise RefusedError(f"BucketNotEmpty: {resource}")
        if resource.type == _REPOSITORY and not resource.inputs.get("forceDelete"):
            raise RefusedError(f"RepositoryNotEmptyException: {resource}")

    def find_users(self, resource: Resource) -> list[Resource]:
        """The resources that have to be deleted before this one."""
        if resource.type == _GATEWAY:
            subnets = self._users(resource.inputs.get("vpcId"), _SUBNET)
            return [service for subnet in subnets for service in self._users(subnet.id, _SERVICE)]
        references = {resource.id, resource.outputs.get("arn", resource.id)}
        types = _NOT_DELETED_WHILE_USED.get(resource.type, ())
        users = [user for reference in references for user in self._users(reference, *types)]
        # The rules of a security group are deleted with it. Those of other groups are not.
        return [each for each in users if each.inputs.get("securityGroupId") != resource.id]

    def _users(self, reference: str | None, *types: str) -> list[Resource]:
        return [
            each
            for each in self.resources(*types)
            if types and any(value == reference for _, value in walk(each.inputs, ""))
        ]

    def _remove(self, resource: Resource) -> None:
        del self._resources[_key(resource)]
        if resource.type == _BUCKET:
            for each in self.resources():
                if each.type.startswith(_OF_BUCKET) and each.inputs["bucket"] == resource.id:
                    del self._resources[_key(each)]
        if resource.type == _REPOSITORY:
            for each in self.resources(_IMAGE):
                if each.inputs["tags"][0].startswith(f"{resource.outputs['repositoryUrl']}:"):
                    del self._resources[_key(each)]

    def _find(self, urn: str, identity: str, outputs: Properties) -> Resource | None:
        token = find_token(urn)
        return self._resources.get((token, outputs.get("arn", identity) if token == _TASK else identity))

    def _set_inputs(self, resource: Resource, inputs: Properties) -> None:
        resource.inputs = inputs
        _, resource.outputs = self._describe(resource.urn, inputs, resource.seed, resource.region, resource.outputs)

    def _log(self, action: Literal["create", "update", "delete"], resource: Resource) -> None:
        self.calls.append(Call(action, resource.type, resource.name))

    def _make(self, urn: str, inputs: Properties) -> Resource:
        seed = f"{self.salt}{urn}/{self._created[urn]}"
        identity, outputs = self._describe(urn, inputs, seed, self.region, {})
        return Resource(urn, identity, inputs, outputs, self.region, seed)

    def _describe(
        self, urn: str, inputs: Properties, seed: str, region: str, before: Properties
    ) -> tuple[str, Properties]:
        """The id and the outputs, which include the inputs."""
        token = find_token(urn)
        package, module, kind = token.split(":")
        given = next((inputs[key] for key in _NAMES if isinstance(inputs.get(key), str)), None)
        words = self._words(seed, given or f"{urn.rpartition('::')[2]}-{_digits(seed, 7)}", region)
        if token == _TASK:
            words["revision"] = str(before.get("revision") or self._revisions[inputs["family"]] + 1)
        path = f"{module}:{kind}"
        default_arn = f"{module.split('/')[0]}:{{region}}:{{account}}:{kind.lower()}/{{name}}"
        arn = "arn:aws:" + _ARNS.get(path, default_arn).format_map(words)
        outputs: Properties = dict.fromkeys(_NAMES, words["name"]) | {
            "arn": arn,
            "arnSuffix": arn.split(":", 5)[-1].removeprefix("loadbalancer/"),
            "arnWithoutRevision": arn.rpartition(":")[0],
            "revision": int(words.get("revision", 0)),
        }
        if token == _SUBNET:
            outputs |= self._describe_zone(inputs, region)
        if token == _IMAGE:
            outputs["digest"] = f"sha256:{_digits(f'{self.salt}{inputs}', 64)}"
            outputs["contextHash"] = _digits(str(inputs), 64)
            # docker-build appends the digest to the whole reference.
            outputs["ref"] = f"{inputs['tags'][0]}@{outputs['digest']}"
        made_up = {
            key: outputs.get(key) or _make_up(key, hint, words)
            for key, hint in sure_outputs(token).items()
            if key not in inputs
        }
        template = find_type(token).id
        identity = template.format_map({**words, "arn": arn, **inputs}) if template else words["name"]
        if package == "aws" and "tagsAll" in made_up:
            made_up["tagsAll"] = inputs.get("tags", {})
        return identity, {**made_up, **inputs, **self.outputs.get(token, {})}

    def _describe_zone(self, inputs: Properties, region: str) -> Properties:
        """Name and id of a subnet's Availability Zone, of which the program gives one."""
        zones = self.zones or find_zones(region)
        for name, identity in zones.items():
            if name == inputs.get("availabilityZone") or identity == inputs.get("availabilityZoneId"):
                return {"availabilityZone": name, "availabilityZoneId": identity}
        return {}

    def _words(self, seed: str, name: str, region: str) -> dict[str, str]:
        digits = {f"hex{length}": _digits(seed, length) for length in (10, 16, 17, 64)}
        made_up = str(uuid.UUID(_digits(seed, 32)))
        return {"region": region, "account": self.account, "name": name, "uuid": made_up, **digits}


def find_token(urn: str) -> str:
    """The type of the resource with this URN."""
    return urn.split("::")[2].rpartition("$")[2]


def find_zones(region: str) -> dict[str, str]:
    """Ids of the Availability Zones by name: `eu-central-1a` is `euc1-az2` in this account."""
    area, *middle, number = region.split("-")
    words = {"northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw"}
    short = area + "".join(words.get(word, word[0]) for word in middle) + number
    return {f"{region}{letter}": f"{short}-az{zone}" for letter, zone in _ZONES.get(region, _OTHER_ZONES).items()}


def _key(resource: Resource) -> tuple[str, str]:
    # All revisions of a task definition have the same id in Pulumi: the family.
    return resource.type, resource.outputs["arn"] if resource.type == _TASK else resource.id


def _block(subnet: Resource) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(subnet.inputs["cidrBlock"])


def _make_up(key: str, hint: type, words: dict[str, str]) -> str | int | bool:
    if hint is not str:
        return hint()
    if key not in _SHAPES and key.endswith("Arn"):
        return f"arn:aws:made-up:{{region}}:{{account}}:{key}/{{name}}".format_map(words)
    return _SHAPES.get(key, f"{{name}}-{key}").format_map(words)


def _digits(seed: str, length: int) -> str:
    return hashlib.sha256(seed.encode()).hexdigest()[:length]
