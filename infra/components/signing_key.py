from __future__ import annotations

import pulumi
import pulumi_aws as aws

from infra.components.policy import write_policy
from infra.documents.policies import signing_key_policy

DELETION_DAYS = 7
"""The shortest that KMS has. Until then the key is only disabled, and costs nothing."""


class SigningKey(pulumi.ComponentResource):
    """Signs the tokens, and can't be taken out of KMS. Only the signer may use it: not even an administrator can."""

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
