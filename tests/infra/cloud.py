"""What AWS would answer: made up, always the same, and of the right shape where a program or a check looks at it."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.infra.classes import sure_outputs

if TYPE_CHECKING:
    from collections.abc import Mapping

Properties = dict[str, Any]

_ID_PREFIXES = {
    "Eip": "eipalloc",
    "InternetGateway": "igw",
    "NatGateway": "nat",
    "RouteTable": "rtb",
    "RouteTableAssociation": "rtbassoc",
    "SecurityGroup": "sg",
    "SecurityGroupEgressRule": "sgr",
    "SecurityGroupIngressRule": "sgr",
    "Subnet": "subnet",
    "Vpc": "vpc",
    "VpcEndpoint": "vpce",
}

_ARNS = {
    "apigatewayv2/api:Api": "apigateway:{region}::/apis/{hex10}",
    "appautoscaling/policy:Policy": "autoscaling:{region}:{account}:scalingPolicy:{uuid}:resource/ecs/{name}",
    "cloudwatch/logGroup:LogGroup": "logs:{region}:{account}:log-group:{name}",
    "cloudwatch/metricAlarm:MetricAlarm": "cloudwatch:{region}:{account}:alarm:{name}",
    "dynamodb/table:Table": "dynamodb:{region}:{account}:table/{name}",
    "ecr/repository:Repository": "ecr:{region}:{account}:repository/{name}",
    "ecs/cluster:Cluster": "ecs:{region}:{account}:cluster/{name}",
    "ecs/service:Service": "ecs:{region}:{account}:service/cluster/{name}",
    "ecs/taskDefinition:TaskDefinition": "ecs:{region}:{account}:task-definition/{name}:1",
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
    "sqs/queue:Queue": "sqs:{region}:{account}:{name}",
}

_KNOWN_BY_ARN = {"Cluster", "Listener", "ListenerRule", "LoadBalancer", "TargetGroup", "Topic", "iam/policy:Policy"}
"""Types whose id is the ARN."""

_SHAPES = {
    "apiEndpoint": "https://{hex10}.execute-api.{region}.amazonaws.com",
    "bucketDomainName": "{name}.s3.amazonaws.com",
    "bucketRegionalDomainName": "{name}.s3.{region}.amazonaws.com",
    "digest": "sha256:{hex64}",
    "dnsName": "{name}-1234567890.{region}.elb.amazonaws.com",
    "executionArn": "arn:aws:execute-api:{region}:{account}:{hex10}",
    "invokeUrl": "https://{hex10}.execute-api.{region}.amazonaws.com/",
    "keyId": "{uuid}",
    "ownerId": "{account}",
    "prefixListId": "pl-{hex17}",
    "ref": "{account}.dkr.ecr.{region}.amazonaws.com/{name}@sha256:{hex64}",
    "region": "{region}",
    "registryId": "{account}",
    "repositoryUrl": "{account}.dkr.ecr.{region}.amazonaws.com/{name}",
}

_NAMES = ("name", "bucket", "family", "identifier")
"""Inputs that say what AWS is to call the thing."""

ECR_PASSWORD = "made-up-ecr-password"  # noqa: S105 nobody's


class UnexpectedInvokeError(Exception):
    """Nobody has said what AWS would answer to this."""


@dataclass(frozen=True)
class Cloud:
    region: str = "eu-central-1"
    account: str = "123456789012"
    salt: str = ""
    """Of what is made up, for clouds that are not to have the same names in them."""
    outputs: Mapping[str, Properties] = field(default_factory=dict[str, Properties])
    """By type, what stands over that which is made up."""
    answers: Mapping[str, Properties] = field(default_factory=dict[str, Properties])
    """To invokes, by the last part of their token, besides those known here."""

    def create(self, token: str, name: str, inputs: Properties) -> tuple[str, Properties]:
        """The id and the outputs, which include the inputs."""
        package, module, kind = token.split(":")
        given = next((inputs[key] for key in _NAMES if isinstance(inputs.get(key), str)), None)
        seed = f"{self.salt}{token}/{name}"
        # Pulumi gives seven random digits to what has no name of its own.
        words = self._words(seed, given or f"{name}-{_digits(seed, 7)}")
        path = f"{module}:{kind}"
        default_arn = f"{module.split('/')[0]}:{{region}}:{{account}}:{kind.lower()}/{{name}}"
        arn = "arn:aws:" + _ARNS.get(path, default_arn).format_map(words)
        outputs = dict.fromkeys(_NAMES, words["name"]) | {
            "arn": arn,
            "arnSuffix": arn.split(":", 5)[-1].removeprefix("loadbalancer/"),
            "arnWithoutRevision": arn.rpartition(":")[0],
        }
        sure = {} if token.startswith("pulumi:") else sure_outputs(token)
        made_up = {
            key: outputs.get(key) or _make_up(key, hint, words) for key, hint in sure.items() if key not in inputs
        }
        identity = words["name"]
        if kind in _ID_PREFIXES and package == "aws":
            identity = f"{_ID_PREFIXES[kind]}-{words['hex17']}"
        elif not {kind, path}.isdisjoint(_KNOWN_BY_ARN):
            identity = arn
        elif "apiEndpoint" in made_up:
            identity = words["hex10"]
        elif kind == "Key":
            identity = words["uuid"]
        return identity, {**made_up, **inputs, **self.outputs.get(token, {})}

    def invoke(self, token: str, arguments: Properties) -> Properties:
        name = token.rsplit(":", maxsplit=1)[-1]
        words = self._words(f"{token}/{sorted(arguments.items())}", arguments.get("name") or "made-up")
        zones = {"eu-central-1a": "euc1-az2", "eu-central-1b": "euc1-az3", "eu-central-1c": "euc1-az1"}
        known: dict[str, Properties] = {
            "getAvailabilityZones": {"names": [*zones], "zoneIds": [*zones.values()], "id": self.region},
            "getCallerIdentity": {
                "accountId": self.account,
                "arn": f"arn:aws:iam::{self.account}:user/operator",
                "userId": "AIDAMADEUP",
                "id": self.account,
            },
            "getRegion": {"region": self.region, "name": self.region, "id": self.region},
            "getPartition": {"partition": "aws", "dnsSuffix": "amazonaws.com", "id": "aws"},
            "getAuthorizationToken": {
                "userName": "AWS",
                "password": ECR_PASSWORD,
                "proxyEndpoint": f"https://{self.account}.dkr.ecr.{self.region}.amazonaws.com",
                "id": self.region,
            },
            "getPrefixList": {
                "id": f"pl-{words['hex17']}",
                "prefixListId": f"pl-{words['hex17']}",
                "name": words["name"],
            },
            # ECS runs the first task definition of the service's family.
            "getService": {
                "taskDefinition": f"arn:aws:ecs:{self.region}:{self.account}:task-definition/three-phase-upload-test-"
                f"{arguments.get('serviceName', '').rpartition('-')[0]}:1",
            },
            "getManagedPrefixList": {"id": f"pl-{words['hex17']}", "name": words["name"]},
        } | dict(self.answers)
        if name not in known:
            raise UnexpectedInvokeError(f"Nobody has said what AWS answers to {token} with {arguments}.")
        return known[name]

    def _words(self, seed: str, name: str) -> dict[str, str]:
        digits = {f"hex{length}": _digits(seed, length) for length in (10, 16, 17, 64)}
        made_up = str(uuid.UUID(_digits(seed, 32)))
        return {"region": self.region, "account": self.account, "name": name, "uuid": made_up, **digits}


def _make_up(key: str, hint: type, words: dict[str, str]) -> str | int | bool:
    if hint is not str:
        return hint()
    if key not in _SHAPES and key.endswith("Arn"):
        return f"arn:aws:made-up:{{region}}:{{account}}:{key}/{{name}}".format_map(words)
    return _SHAPES.get(key, f"{{name}}-{key}").format_map(words)


def _digits(seed: str, length: int) -> str:
    return hashlib.sha256(seed.encode()).hexdigest()[:length]
