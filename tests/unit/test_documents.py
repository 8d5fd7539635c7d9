"""The policy documents that production and the local stack share."""

from __future__ import annotations

import re
from typing import Any

import pytest

from infra.documents.bucket import OWNERSHIP_RULES, PUBLIC_ACCESS_BLOCK, cors_rules, lifecycle_rules, version_rules
from infra.documents.names import StackNames
from infra.documents.policies import auth_policy, frontend_policy, sweep_policy, uploads_policy
from infra.documents.routing import ROUTES, find_service
from infra.documents.table import table_definition
from services.store.kinds import KINDS, Kind
from services.store.states import PENDING_TAG
from tests.rows import every_kind, make_upload

BUCKET, TABLE, KEY = "arn:aws:s3:::pictures", "arn:aws:dynamodb:::table/users", "arn:aws:kms:::key/1"
PERMANENT = [f"{BUCKET}/{kind.permanent_prefix}*" for kind in KINDS.values()]
PREFIXES = [f"{BUCKET}/{prefix}*" for kind in KINDS.values() for prefix in (kind.pending_prefix, kind.permanent_prefix)]

SERVICES = ("auth", "uploads", "frontend")
POLICIES = {
    "auth": auth_policy(table_arn=TABLE, key_arns=[KEY]),
    "uploads": uploads_policy(bucket_arn=BUCKET, table_arn=TABLE),
    "sweep": sweep_policy(bucket_arn=BUCKET, table_arn=TABLE),
    "frontend": frontend_policy(bucket_arn=BUCKET, table_arn=TABLE),
}
ALLOWED: dict[str, dict[str, list[str]]] = {
    "auth": {
        "dynamodb:GetItem": [TABLE],
        "kms:Sign": [KEY],
        "kms:GetPublicKey": [KEY],
    },
    "uploads": {
        "s3:PutObject": PREFIXES,
        "s3:GetObject": PREFIXES,
        "s3:DeleteObject": PREFIXES,
        "s3:PutObjectTagging": PERMANENT,
        "s3:GetObjectTagging": PERMANENT,
        "s3:ListBucket": [BUCKET],
        "dynamodb:GetItem": [TABLE],
        "dynamodb:UpdateItem": [TABLE],
    },
    "sweep": {
        "s3:ListBucket": [BUCKET],
        "s3:GetObject": PERMANENT,
        "s3:GetObjectTagging": PERMANENT,
        "s3:PutObject": PERMANENT,
        "s3:PutObjectTagging": PERMANENT,
        "s3:DeleteObject": PERMANENT,
        "dynamodb:Scan": [TABLE],
        "dynamodb:GetItem": [TABLE],
        "dynamodb:UpdateItem": [TABLE],
    },
    "frontend": {
        "s3:ListBucket": [BUCKET],
        "s3:GetObject": PREFIXES,
        "s3:GetObjectTagging": PREFIXES,
        "dynamodb:Scan": [TABLE],
        "dynamodb:GetItem": [TABLE],
        "dynamodb:BatchGetItem": [TABLE],
    },
}


@pytest.mark.parametrize("service", POLICIES)
def test_a_service_has_exactly_these_permissions(service: str) -> None:
    allowed: dict[str, list[str]] = {}
    for statement in POLICIES[service]["Statement"]:
        for action in statement["Action"]:
            assert action not in allowed
            allowed[action] = statement["Resource"]
    assert allowed == ALLOWED[service]


@pytest.mark.parametrize("service", POLICIES)
def test_every_statement_has_an_id_and_names_its_actions_and_resources(service: str) -> None:
    document = POLICIES[service]
    assert document["Version"] == "2012-10-17"
    for statement in document["Statement"]:
        assert set(statement) - {"Condition"} == {"Sid", "Effect", "Action", "Resource"}
        assert statement["Effect"] == "Allow"
        assert statement["Sid"].isalnum()
        assert not any("*" in action for action in statement["Action"])
        # A wildcard stands only for keys under a prefix of this bucket.
        assert not any("*" in resource.removesuffix("/*") for resource in statement["Resource"])
        assert all(resource.startswith((BUCKET, TABLE, KEY)) for resource in statement["Resource"])
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert len(set(sids)) == len(sids)


def test_the_sweep_may_update_the_mark_of_a_row_only() -> None:
    (update,) = (each for each in POLICIES["sweep"]["Statement"] if "dynamodb:UpdateItem" in each["Action"])
    marks = [kind.told_attribute for kind in KINDS.values()]
    assert update["Condition"] == {
        "ForAllValues:StringEquals": {"dynamodb:Attributes": ["Username", *marks]},
        "StringEqualsIfExists": {"dynamodb:ReturnValues": ["NONE"]},
    }
    others = [each for policy in POLICIES.values() for each in policy["Statement"] if each != update]
    assert not [each for each in others if "Condition" in each]


@pytest.mark.parametrize("others", [(), ("https://app.example", "http://localhost:3000")])
def test_only_pages_of_the_given_origins_may_post(others: tuple[str, ...]) -> None:
    [rule] = cors_rules("https://pictures.example", others)
    assert rule["AllowedOrigins"] == ["https://pictures.example", *others]
    assert rule["AllowedMethods"] == ["POST"]
    assert not any("*" in header for header in rule["AllowedHeaders"])


def test_lifecycle_rules_delete_pending_objects_after_a_day_and_no_others() -> None:
    rules: dict[str, Any] = {rule["ID"]: rule for rule in lifecycle_rules()}
    assert all(rule["Status"] == "Enabled" for rule in rules.values())
    expiring = {name: rule["Filter"] for name, rule in rules.items() if "Expiration" in rule}
    name, value = PENDING_TAG
    assert expiring.pop("pending-tag") == {"Tag": {"Key": name, "Value": value}}
    assert [rule["Prefix"] for rule in expiring.values()] == [kind.pending_prefix for kind in KINDS.values()]
    assert all(rule["Expiration"] == {"Days": 1} for rule in rules.values() if "Expiration" in rule)


@every_kind
def test_one_lifecycle_rule_covers_the_pending_objects_of_a_kind_and_none_its_permanent_ones(kind: Kind) -> None:
    upload = make_upload("019b0000-0000-7000-8000-000000000002", kind)
    prefixes = [
        rule["Filter"]["Prefix"] for rule in lifecycle_rules() if "Prefix" in rule["Filter"] and "Expiration" in rule
    ]
    assert sum(upload.pending_key.startswith(prefix) for prefix in prefixes) == 1
    assert not upload.permanent_key.startswith(tuple(prefixes))


def test_the_avatar_has_the_documents_that_it_had_before_there_were_kinds() -> None:
    assert PREFIXES[:2] == [f"{BUCKET}/pending/*", f"{BUCKET}/avatars/*"]
    [pending, *_] = lifecycle_rules()
    assert pending == {
        "ID": "pending-prefix",
        "Status": "Enabled",
        "Filter": {"Prefix": "pending/"},
        "Expiration": {"Days": 1},
    }
    [_, noncurrent, *_] = version_rules(35)
    assert noncurrent == {
        "ID": "noncurrent-pending",
        "Status": "Enabled",
        "Filter": {"Prefix": "pending/"},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    }


def test_each_lifecycle_rule_has_its_own_id() -> None:
    rules = [rule["ID"] for rule in (*lifecycle_rules(), *version_rules(35))]
    assert len(set(rules)) == len(rules)


def test_a_retired_pending_prefix_keeps_its_lifecycle_rule() -> None:
    rules = {rule["ID"]: rule for rule in lifecycle_rules(("waiting/", "pending/"))}
    assert rules["pending-prefix"]["Filter"] == {"Prefix": "waiting/"}
    assert rules["pending-prefix-pending"]["Filter"] == {"Prefix": "pending/"}
    assert rules["pending-prefix-pending"]["Expiration"] == rules["pending-prefix"]["Expiration"]


def test_a_lifecycle_rule_deletes_parts_of_abandoned_multipart_uploads() -> None:
    [rule] = [rule for rule in lifecycle_rules() if "AbortIncompleteMultipartUpload" in rule]
    assert rule["Filter"] == {"Prefix": ""}
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def test_the_bucket_is_closed_to_the_public() -> None:
    assert len(PUBLIC_ACCESS_BLOCK) == 4
    assert all(PUBLIC_ACCESS_BLOCK.values())
    assert OWNERSHIP_RULES == [{"ObjectOwnership": "BucketOwnerEnforced"}]


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/auth/login", "auth"),
        ("/auth/.well-known/jwks.json", "auth"),
        ("/auth/", "auth"),
        ("/uploads/presign", "uploads"),
        ("/uploads/confirm", "uploads"),
        ("/", "frontend"),
        ("/users", "frontend"),
        ("/users/uploads/avatar", "frontend"),
        ("/static/page.js", "frontend"),
        ("/healthz", "frontend"),
        ("/auth", "frontend"),
        ("/authors/1", "frontend"),
        ("/uploadsx", "frontend"),
        ("/AUTH/login", "frontend"),
        ("/x/auth/login", "frontend"),
    ],
)
def test_a_path_leads_to_its_service(path: str, service: str) -> None:
    assert find_service(path, SERVICES) == service


@pytest.mark.parametrize(
    ("path", "service"), [("/uploads/presign", "uploads"), ("/auth/login", "auth"), ("/", None), ("/users", None)]
)
def test_a_path_of_a_service_that_does_not_run_leads_nowhere(path: str, service: str | None) -> None:
    assert find_service(path, ("auth", "uploads")) == service


def test_the_last_route_takes_all_other_paths() -> None:
    assert ROUTES[-1] == ("/*", "frontend")


def test_the_table_is_keyed_by_username() -> None:
    definition = table_definition()
    assert definition["KeySchema"] == [{"AttributeName": "Username", "KeyType": "HASH"}]
    assert definition["AttributeDefinitions"] == [{"AttributeName": "Username", "AttributeType": "S"}]


def test_stacks_with_similar_names_share_no_name() -> None:
    names = [StackNames(stack).prefix for stack in ("a-b", "a.b", "a.b-c", "a-b.c", "a_b")]
    assert len({*names}) == len(names)
    assert all("." not in name for name in names)


@pytest.mark.parametrize("character", ["a", "."])
def test_the_longest_name_of_a_stack_fits_and_a_longer_one_is_refused(character: str) -> None:
    with pytest.raises(ValueError, match="it may have") as refused:
        StackNames(character * 100).check()
    longest = int(re.findall(r"it may have (\d+) characters", str(refused.value))[0])
    StackNames(character * longest).check()
    assert len(StackNames(character * longest).schedule) == 64
    with pytest.raises(ValueError, match="too long"):
        StackNames(character * (longest + 1)).check()
