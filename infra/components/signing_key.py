from __future__ import annotations

import pulumi
import pulumi_aws as aws

from infra.components.policy import write_policy
from infra.documents.policies import signing_key_policy

DELETION_DAYS = 7
"""Waiting period before KMS deletes the key, in days: the minimum. During it the key is disabled and costs nothing."""


class SigningKey(pulumi.ComponentResource):
    """The KMS key that signs access tokens. It can't be exported, and only the signer may sign with it."""

    def __init__(self, name: str, *, signer_arn: pulumi.Output[str], opts: pulumi.ResourceOptions) -> None:
        super().__init__("three-phase-upload:infra:SigningKey", name, None, opts)
        account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=self))
        partition = aws.get_partition_output(opts=pulumi.InvokeOutputOptions(parent=self))
        administrator = pulumi.Output.format("arn:{0}:iam::{1}:root", partition.partition, account.account_id)
        key = aws.kms.Key(
            name,
            description="Signs the tokens of three-phase-upload",
            customer_master_key_spec="ECC_NIST_P256",
            key_usage="SIGN_VERIFY",
            deletion_window_in_days=DELETION_DAYS,
            policy=write_policy(signing_key_policy, administrator=administrator, signer=signer_arn),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.arn = key.arn
        self.register_outputs({"arn": self.arn})
