"""Programs that the checks are tried on. They are run, and not imported."""

from __future__ import annotations

GOOD = '''
"""A service behind an API, a load balancer and nothing else, with what it needs."""

import json

import pulumi
import pulumi_aws as aws
import pulumi_docker_build as docker_build

config = pulumi.Config()
PORT = 8000
account = aws.get_caller_identity().account_id
zones = aws.get_availability_zones(state="available").names[:2]


class Network(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("sample:network:Network", name)
        own = pulumi.ResourceOptions(parent=self)
        self.vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", enable_dns_hostnames=True, opts=own)
        gateway = aws.ec2.InternetGateway("gateway", vpc_id=self.vpc.id, opts=own)
        table = aws.ec2.RouteTable("public", vpc_id=self.vpc.id, opts=own)
        self.route = aws.ec2.Route(
            "out", route_table_id=table.id, destination_cidr_block="0.0.0.0/0", gateway_id=gateway.id, opts=own
        )
        self.subnets = [
            aws.ec2.Subnet(
                f"public-{n}", vpc_id=self.vpc.id, cidr_block=f"10.0.{n}.0/24", availability_zone=zone, opts=own
            )
            for n, zone in enumerate(zones)
        ]
        self.associations = [
            aws.ec2.RouteTableAssociation(f"public-{n}", subnet_id=subnet.id, route_table_id=table.id, opts=own)
            for n, subnet in enumerate(self.subnets)
        ]
        self.s3 = aws.ec2.VpcEndpoint(
            "s3",
            vpc_id=self.vpc.id,
            service_name="com.amazonaws.eu-central-1.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id],
            opts=own,
        )
        self.groups = {
            name: aws.ec2.SecurityGroup(name, vpc_id=self.vpc.id, description=name, opts=own)
            for name in ("link", "balancer", "tasks")
        }
        self.allow("link", "balancer", 80)
        self.allow("balancer", "tasks", PORT)
        for name, peer in (("https", {"cidr_ipv4": "0.0.0.0/0"}), ("s3", {"prefix_list_id": self.s3.prefix_list_id})):
            aws.vpc.SecurityGroupEgressRule(
                f"tasks-to-{name}",
                security_group_id=self.groups["tasks"].id,
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                opts=own,
                **peer,
            )

    def allow(self, source, target, port):
        where = {"ip_protocol": "tcp", "from_port": port, "to_port": port, "opts": pulumi.ResourceOptions(parent=self)}
        aws.vpc.SecurityGroupEgressRule(
            f"{source}-to-{target}",
            security_group_id=self.groups[source].id,
            referenced_security_group_id=self.groups[target].id,
            **where,
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{target}-from-{source}",
            security_group_id=self.groups[target].id,
            referenced_security_group_id=self.groups[source].id,
            **where,
        )


network = Network("network")

bucket = aws.s3.Bucket("pictures", force_destroy=True)
aws.s3.BucketOwnershipControls(
    "pictures", bucket=bucket.bucket, rule={"object_ownership": "BucketOwnerEnforced"}
)
aws.s3.BucketPolicy(
    "pictures",
    bucket=bucket.bucket,
    policy=pulumi.Output.json_dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "OnlyTls",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [bucket.arn, pulumi.Output.concat(bucket.arn, "/*")],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ],
        }
    ),
)
table = aws.dynamodb.Table(
    "users", billing_mode="PAY_PER_REQUEST", hash_key="Username", attributes=[{"name": "Username", "type": "S"}]
)
owner = {
    "Sid": "PoliciesOfTheAccount",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
    "Action": "kms:*",
    "Resource": "*",
}
key = aws.kms.Key(
    "signing",
    key_usage="SIGN_VERIFY",
    customer_master_key_spec="ECC_NIST_P256",
    deletion_window_in_days=7,
    policy=json.dumps({"Version": "2012-10-17", "Statement": [owner]}),
)

repository = aws.ecr.Repository("images", image_tag_mutability="MUTABLE", force_delete=True)
token = aws.ecr.get_authorization_token_output(registry_id=repository.registry_id)
password = pulumi.Output.secret(token.password)
image = docker_build.Image(
    "service",
    context={"location": "."},
    tags=[repository.repository_url.apply(lambda url: f"{url}:service")],
    platforms=["linux/arm64"],
    push=True,
    registries=[{"address": repository.repository_url, "username": token.user_name, "password": password}],
)

logs = aws.cloudwatch.LogGroup("service", retention_in_days=30)


def make_role(name, statements):
    role = aws.iam.Role(
        name,
        assume_role_policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
                    }
                ],
            }
        ),
    )
    document = pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": statements})
    return role, aws.iam.RolePolicy(name, role=role.id, policy=document)


pull = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
write = ["logs:CreateLogStream", "logs:PutLogEvents"]
execution, execution_policy = make_role(
    "execution",
    [
        {"Sid": "LogIn", "Effect": "Allow", "Action": ["ecr:GetAuthorizationToken"], "Resource": "*"},
        {"Sid": "Pull", "Effect": "Allow", "Action": pull, "Resource": repository.arn},
        {"Sid": "Write", "Effect": "Allow", "Action": write, "Resource": pulumi.Output.concat(logs.arn, ":*")},
    ],
)
pictures = pulumi.Output.concat(bucket.arn, "/avatars/*")
service_role, service_policy = make_role(
    "service",
    [
        {"Sid": "Keep", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": pictures},
        {"Sid": "Sign", "Effect": "Allow", "Action": "kms:Sign", "Resource": key.arn},
    ],
)

balancer = aws.lb.LoadBalancer(
    "edge",
    internal=True,
    load_balancer_type="application",
    security_groups=[network.groups["balancer"].id],
    subnets=[subnet.id for subnet in network.subnets],
)
target = aws.lb.TargetGroup(
    "service",
    port=PORT,
    protocol="HTTP",
    target_type="ip",
    vpc_id=network.vpc.id,
    deregistration_delay=20,
    health_check={"path": "/health", "protocol": "HTTP"},
)
listener = aws.lb.Listener(
    "edge",
    load_balancer_arn=balancer.arn,
    port=80,
    protocol="HTTP",
    default_actions=[
        {"type": "fixed-response", "fixed_response": {"content_type": "text/plain", "status_code": "404"}}
    ],
)
rule = aws.lb.ListenerRule(
    "service",
    listener_arn=listener.arn,
    priority=1,
    conditions=[{"path_pattern": {"values": ["/*"]}}],
    actions=[{"type": "forward", "target_group_arn": target.arn}],
)

api = aws.apigatewayv2.Api("edge", protocol_type="HTTP")
link = aws.apigatewayv2.VpcLink(
    "edge", security_group_ids=[network.groups["link"].id], subnet_ids=[subnet.id for subnet in network.subnets]
)
integration = aws.apigatewayv2.Integration(
    "edge",
    api_id=api.id,
    integration_type="HTTP_PROXY",
    integration_method="ANY",
    integration_uri=listener.arn,
    connection_type="VPC_LINK",
    connection_id=link.id,
    payload_format_version="1.0",
)
where_to = pulumi.Output.concat("integrations/", integration.id)
aws.apigatewayv2.Route("edge", api_id=api.id, route_key="$default", target=where_to)
aws.apigatewayv2.Stage("edge", api_id=api.id, name="$default", auto_deploy=True)

cluster = aws.ecs.Cluster("services")
container = {
    "name": "service",
    "image": image.ref,
    "essential": True,
    "portMappings": [{"containerPort": PORT, "protocol": "tcp"}],
    "environment": [{"name": "BUCKET", "value": bucket.bucket}, {"name": "ORIGIN", "value": api.api_endpoint}],
    "logConfiguration": {
        "logDriver": "awslogs",
        "options": {"awslogs-group": logs.name, "awslogs-region": "eu-central-1", "awslogs-stream-prefix": "service"},
    },
}
task = aws.ecs.TaskDefinition(
    "service",
    family="service",
    cpu="256",
    memory="512",
    network_mode="awsvpc",
    requires_compatibilities=["FARGATE"],
    runtime_platform={"cpu_architecture": "ARM64", "operating_system_family": "LINUX"},
    execution_role_arn=execution.arn,
    task_role_arn=service_role.arn,
    container_definitions=pulumi.Output.json_dumps([container]),
)
service = aws.ecs.Service(
    "service",
    cluster=cluster.arn,
    task_definition=task.arn,
    launch_type="FARGATE",
    desired_count=1,
    wait_for_steady_state=True,
    network_configuration={
        "subnets": [subnet.id for subnet in network.subnets],
        "security_groups": [network.groups["tasks"].id],
        "assign_public_ip": True,
    },
    load_balancers=[{"target_group_arn": target.arn, "container_name": "service", "container_port": PORT}],
    opts=pulumi.ResourceOptions(
        depends_on=[rule, execution_policy, service_policy, network],
        ignore_changes=["desired_count"],
    ),
)
scaled = aws.appautoscaling.Target(
    "service",
    min_capacity=1,
    max_capacity=4,
    resource_id=pulumi.Output.concat("service/", cluster.name, "/", service.name),
    scalable_dimension="ecs:service:DesiredCount",
    service_namespace="ecs",
)
aws.cloudwatch.MetricAlarm(
    "errors",
    comparison_operator="GreaterThanThreshold",
    evaluation_periods=1,
    metric_name="HTTPCode_Target_5XX_Count",
    namespace="AWS/ApplicationELB",
    period=60,
    statistic="Sum",
    threshold=0,
    treat_missing_data="notBreaching",
    dimensions={"LoadBalancer": balancer.arn_suffix},
)

pulumi.export("url", api.api_endpoint)
'''

FAULTY = '''
"""One fault in each resource, which is named after it."""

import json

import pulumi
import pulumi_aws as aws

config = pulumi.Config()
password = config.require_secret("password")
bucket = aws.s3.Bucket("bucket")
group = aws.ec2.SecurityGroup("group")
network = {"subnets": ["subnet-1"], "security_groups": [group.id]}


def make_service(name, **arguments):
    aws.ecs.Service(name, **({"network_configuration": network, "launch_type": "FARGATE"} | arguments))


make_service("typo", network_configuration=network | {"asign_public_ip": True})
make_service("wrong-scalar", network_configuration=network | {"assign_public_ip": "yes"})
make_service("missing-required", load_balancers=[{"container_name": "web"}])
make_service("wrong-enum", launch_type="FARGAT")
make_service("none-in-list", network_configuration=network | {"security_groups": [group.id, None]})

aws.s3.BucketV2("deprecated-type")
aws.s3.Bucket("deprecated-property", acl="private")
aws.lb.TargetGroup("a-name-of-more-than-thirty-two-characters", port=80, protocol="HTTP", vpc_id="vpc-1")
aws.lb.TargetGroup("wrong-nested-enum", port=80, protocol="HTTP", vpc_id="vpc-1", health_check={"protocol": "HTPP"})
aws.dynamodb.Table("wrong-attribute", hash_key="k", attributes=[{"name": "k", "type": "T"}])
aws.cloudwatch.LogGroup("wrong-number", retention_in_days=31)


def make_task(name, containers, cpu="256", memory="512"):
    aws.ecs.TaskDefinition(
        name,
        family=name,
        cpu=cpu,
        memory=memory,
        network_mode="awsvpc",
        requires_compatibilities=["FARGATE"],
        container_definitions=containers,
    )


make_task("wrong-size", json.dumps([{"name": "web", "image": "web"}]), cpu="256", memory="4096")
make_task("unknown-in-container", json.dumps([{"name": "web", "image": "web", "environments": []}]))
nothing = [{"name": "A", "value": None}]
make_task("missing-in-json", json.dumps([{"name": "web", "image": "web", "environment": nothing}]))
plain = [{"name": "PASSWORD", "value": config.require("password")}]
make_task("plain-secret", json.dumps([{"name": "web", "image": "web", "environment": plain}]))

aws.sns.Topic("formatted", name=f"topic-of-{bucket.arn}")
aws.sns.Topic("none-in-text", name="topic-of-" + str(config.get("nobody")))
aws.sns.Topic("representation", display_name=str({"a": 1}))


def make_policy(name, statement):
    document = {"Version": "2012-10-17", "Statement": [statement]}
    aws.iam.Policy(name, policy=pulumi.Output.json_dumps(document))


def make_role(name, principal):
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return aws.iam.Role(name, assume_role_policy=json.dumps(document))


objects = pulumi.Output.concat(bucket.arn, "/*")
make_policy("wildcard-action", {"Effect": "Allow", "Action": "s3:Get*", "Resource": objects})
make_policy("all-but-one", {"Effect": "Allow", "Action": "s3:GetObject", "NotResource": objects})
make_policy("any-resource", {"Effect": "Allow", "Action": "kms:Sign", "Resource": "*"})
make_policy("unknown-action", {"Effect": "Allow", "Action": "s3:GetObjekt", "Resource": objects})
make_policy("wrong-resource", {"Effect": "Allow", "Action": "s3:GetObject", "Resource": bucket.arn})
make_role("trusts-anybody", {"AWS": "*"})
make_role("confused-deputy", {"Service": "ecs-tasks.amazonaws.com"})
aws.iam.RolePolicyAttachment(
    "managed",
    role=make_role("manager", {"Service": "lambda.amazonaws.com"}).name,
    policy_arn="arn:aws:iam::aws:policy/AdministratorAccess",
)
everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": objects}
aws.s3.BucketPolicy(
    "open-bucket",
    bucket=bucket.bucket,
    policy=pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [everybody]}),
)

pulumi.export("arn", f"{bucket.arn}")
pulumi.export("marked", password)
pulumi.export("leaked", "hunter2 is the password")
'''

CARELESS = GOOD.replace(
    "depends_on=[rule, execution_policy, service_policy, network],",
    "depends_on=[execution_policy],",
).replace(
    "bucket = aws.s3.Bucket(",
    """for name, port in (("balancer", 80), ("tasks", PORT)):
    aws.vpc.SecurityGroupIngressRule(
        f"{name}-from-anywhere",
        security_group_id=network.groups[name].id,
        cidr_ipv4="0.0.0.0/0",
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
    )
bucket = aws.s3.Bucket(""",
)
"""The same, with doors that are open and an order that nobody has seen to."""

DUPLICATE = """
import pulumi_aws as aws

aws.sns.Topic("alarms")
aws.sns.Topic("alarms")
"""

MISSPELT_KEYWORD = """
import pulumi_aws as aws

aws.sns.Topic("alarms", displayname="Alarms")
"""

UNEXPECTED_INVOKE = """
import pulumi_aws as aws

aws.ssm.get_parameter(name="somewhere")
"""

ASKS_AN_OUTPUT = """
import pulumi_aws as aws

topic = aws.sns.Topic("alarms")
if topic.fifo_topic:
    aws.sns.Topic("more")
"""

COMPARES_AN_OUTPUT = """
import pulumi_aws as aws

topic = aws.sns.Topic("alarms")
if topic.name == "alarms":
    aws.sns.Topic("more")
"""

CREATES_LATER = """
import pulumi
import pulumi_aws as aws

topic = aws.sns.Topic("alarms", display_name="preview" if pulumi.runtime.is_dry_run() else "up")
topic.arn.apply(lambda arn: aws.sns.Topic("more"))
"""

LOOKS_AROUND = """
import os
import sys

import pulumi

config = pulumi.Config()
pulumi.export("folder", os.getcwd())
pulumi.export("path", sys.path[0])
pulumi.export("plain", config.require("plain"))
pulumi.export("region", pulumi.Config("aws").require("region"))
pulumi.export("stack", f"{pulumi.get_project()}/{pulumi.get_stack()}")
pulumi.log.warn("mind the gap")
print("said aloud")
"""
