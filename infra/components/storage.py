from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws

from infra.components.policy import write_policy
from infra.documents.bucket import (
    OWNERSHIP_RULES,
    PUBLIC_ACCESS_BLOCK,
    cors_rules,
    lifecycle_rules,
    version_rules,
)
from infra.documents.policies import bucket_policy
from infra.documents.table import table_definition

if TYPE_CHECKING:
    from collections.abc import Sequence


class Storage(pulumi.ComponentResource):
    """The bucket and the table. Destroying the stack deletes both with their contents, unless `keep_data` is set."""

    def __init__(
        self,
        name: str,
        *,
        bucket_name: str | None,
        origin: pulumi.Output[str],
        other_origins: Sequence[str],
        keep_data: bool,
        recovery_days: int,
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("three-phase-upload:infra:Storage", name, None, opts)
        self._keep_data = keep_data
        self._recovery_days = recovery_days
        # With `retain_on_delete`, Pulumi only removes a resource from its state. What protects the bucket stays too.
        self._child_opts = pulumi.ResourceOptions(parent=self, retain_on_delete=keep_data)
        bucket = self._make_bucket(name, bucket_name, cors_rules(origin, other_origins))
        table = self._make_table(name)
        self.bucket = bucket.bucket
        self.bucket_arn = bucket.arn
        self.table = table.name
        self.table_arn = table.arn
        self.register_outputs({"bucket": self.bucket, "table": self.table})

    def _make_bucket(self, name: str, bucket_name: str | None, cors: list[dict[str, Any]]) -> aws.s3.Bucket:
        child_opts = self._child_opts
        bucket = aws.s3.Bucket(name, bucket=bucket_name, force_destroy=not self._keep_data, opts=child_opts)
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
            opts=self._after(blocked),
        )
        aws.s3.BucketCorsConfiguration(
            name, bucket=bucket.id, cors_rules=[_translate_cors(rule) for rule in cors], opts=child_opts
        )
        versioning = aws.s3.BucketVersioning(
            name, bucket=bucket.id, versioning_configuration={"status": "Enabled"}, opts=child_opts
        )
        rules = [*lifecycle_rules(), *version_rules(self._recovery_days)]
        aws.s3.BucketLifecycleConfiguration(
            name,
            bucket=bucket.id,
            rules=[_translate_lifecycle(rule) for rule in rules],
            # Rules for noncurrent versions need a bucket that has versioning.
            opts=self._after(versioning),
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
            # A restored row refers to a picture that the bucket keeps for the same time.
            point_in_time_recovery={"enabled": True, "recovery_period_in_days": self._recovery_days},
            deletion_protection_enabled=self._keep_data,
            opts=self._child_opts,
        )

    def _after(self, resource: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions.merge(self._child_opts, pulumi.ResourceOptions(depends_on=[resource]))


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
        expiration = rule["Expiration"]
        translated["expiration"] = (
            {"days": expiration["Days"]} if "Days" in expiration else {"expired_object_delete_marker": True}
        )
    if "NoncurrentVersionExpiration" in rule:
        days = rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        translated["noncurrent_version_expiration"] = {"noncurrent_days": days}
    if "AbortIncompleteMultipartUpload" in rule:
        days = rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        translated["abort_incomplete_multipart_upload"] = {"days_after_initiation": days}
    return translated
