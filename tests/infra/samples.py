"""A program with the faults that the checks find. It is run and not imported, so that no linter reads it."""

from __future__ import annotations

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

aws.sns.Topic("formatted", display_name=f"topic-of-{bucket.arn}")
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
