from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws

from infra.components.policy import write_policy
from infra.documents.bucket import OWNERSHIP_RULES, PUBLIC_ACCESS_BLOCK, cors_rules, lifecycle_rules
from infra.documents.policies import bucket_policy
from infra.documents.table import table_definition
from services.store.keys import AVATAR_CACHE_CONTROL, USERNAME_FIELD, UploadId
from services.store.table import Row, write_row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.seed.people import Person

SEEDED_AT = 1_767_225_600_000
"""2026-01-01, in milliseconds since the epoch. The seeded pictures have the same ids in every deployment, and their ids
are older than that of any upload.
"""


class Storage(pulumi.ComponentResource):
    """The bucket and the table, with the seeded users. Destroying the stack deletes both with their contents."""

    def __init__(
        self,
        name: str,
        *,
        bucket_name: str | None,
        origin: pulumi.Output[str],
        people: Iterable[Person],
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("three-phase-upload:infra:Storage", name, None, opts)
        self._child_opts = pulumi.ResourceOptions(parent=self)
        bucket = self._make_bucket(name, bucket_name, origin)
        table = self._make_table(name)
        self.bucket = bucket.bucket
        self.bucket_arn = bucket.arn
        self.table = table.name
        self.table_arn = table.arn
        for number, person in enumerate(people, start=1):
            self._seed(bucket, table, person, number)
        self.register_outputs({"bucket": self.bucket, "table": self.table})

    def _make_bucket(self, name: str, bucket_name: str | None, origin: pulumi.Output[str]) -> aws.s3.Bucket:
        child_opts = self._child_opts
        bucket = aws.s3.Bucket(name, bucket=bucket_name, force_destroy=True, opts=child_opts)
        blocked = aws.s3.BucketPublicAccessBlock(
            name,
            bucket=bucket.id,
            block_public_acls=PUBLIC_ACCESS_BLOCK["BlockPublicAcls"],
            ignore_public_acls=PUBLIC_ACCESS_BLOCK["IgnorePublicAcls"],
            block_public_policy=PUBLIC_ACCESS_BLOCK["BlockPublicPolicy"],
            restrict_public_buckets=PUBLIC_ACCESS_BLOCK["RestrictPublicBuckets"],
            opts=child_opts,
        )
        aws.s3.BucketOwnershipControls(
            name,
            bucket=bucket.id,
            rule={"object_ownership": OWNERSHIP_RULES[0]["ObjectOwnership"]},
            opts=child_opts,
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            name,
            bucket=bucket.id,
            rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
            opts=child_opts,
        )
        aws.s3.BucketPolicy(
            name,
            bucket=bucket.id,
            policy=write_policy(bucket_policy, bucket_arn=bucket.arn),
            # S3 refuses the policy while the public access block is being changed.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[blocked]),
        )
        aws.s3.BucketCorsConfiguration(
            name, bucket=bucket.id, cors_rules=[_translate_cors(rule) for rule in cors_rules(origin)], opts=child_opts
        )
        aws.s3.BucketLifecycleConfiguration(
            name, bucket=bucket.id, rules=[_translate_lifecycle(rule) for rule in lifecycle_rules()], opts=child_opts
        )
        return bucket

    def _make_table(self, name: str) -> aws.dynamodb.Table:
        definition = table_definition()
        (attribute,) = definition["AttributeDefinitions"]
        return aws.dynamodb.Table(
            name,
            hash_key=attribute["AttributeName"],
            attributes=[{"name": attribute["AttributeName"], "type": attribute["AttributeType"]}],
            billing_mode=definition["BillingMode"],
            point_in_time_recovery={"enabled": True},
            deletion_protection_enabled=False,
            opts=self._child_opts,
        )

    def _seed(self, bucket: aws.s3.Bucket, table: aws.dynamodb.Table, person: Person, number: int) -> None:
        """Create the picture, then the row that refers to it. Users may change both later."""
        avatar = make_seed_id(number).avatar_key if person.portrait else None
        pictures: list[pulumi.Resource] = []
        if person.portrait:
            picture = aws.s3.BucketObjectv2(
                person.username,
                bucket=bucket.id,
                key=avatar,
                source=pulumi.FileAsset(str(person.portrait)),
                content_type="image/png",
                cache_control=AVATAR_CACHE_CONTROL,
                metadata={USERNAME_FIELD: person.username},
                opts=self._child_opts,
            )
            pictures.append(picture)
        aws.dynamodb.TableItem(
            person.username,
            table_name=table.name,
            hash_key=table.hash_key.apply(lambda key: key or ""),
            item=json.dumps(write_row(Row(person.username, person.name, avatar))),
            # Otherwise the next update would reset the row to the seeded picture, which may be deleted by then.
            opts=pulumi.ResourceOptions(parent=self, depends_on=pictures, ignore_changes=["item"]),
        )


def make_seed_id(number: int) -> UploadId:
    """A UUIDv7 (RFC 9562, section 5.7) with this number in place of its random bits."""
    value = SEEDED_AT << 80 | 7 << 76 | 2 << 62 | number
    return UploadId(str(uuid.UUID(int=value)))


def _translate_cors(rule: dict[str, Any]) -> aws.s3.BucketCorsConfigurationCorsRuleArgsDict:
    """The rule with Pulumi's names in place of those of the S3 API."""
    return {
        "allowed_origins": rule["AllowedOrigins"],
        "allowed_methods": rule["AllowedMethods"],
        "allowed_headers": rule["AllowedHeaders"],
        "expose_headers": rule["ExposeHeaders"],
        "max_age_seconds": rule["MaxAgeSeconds"],
    }


def _translate_lifecycle(rule: dict[str, Any]) -> aws.s3.BucketLifecycleConfigurationRuleArgsDict:
    condition = rule["Filter"]
    translated: aws.s3.BucketLifecycleConfigurationRuleArgsDict = {
        "id": rule["ID"],
        "status": rule["Status"],
        "filter": {"tag": {"key": condition["Tag"]["Key"], "value": condition["Tag"]["Value"]}}
        if "Tag" in condition
        else {"prefix": condition["Prefix"]},
    }
    if "Expiration" in rule:
        translated["expiration"] = {"days": rule["Expiration"]["Days"]}
    if "AbortIncompleteMultipartUpload" in rule:
        days = rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        translated["abort_incomplete_multipart_upload"] = {"days_after_initiation": days}
    return translated
