from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from infra.components.policy import write_policy
from infra.documents.policies import signing_key_policy

if TYPE_CHECKING:
    from collections.abc import Iterable

DELETION_DAYS = 7
"""Waiting period before KMS deletes a key, in days: the minimum. During it the key is disabled and costs nothing."""


class SigningKeys(pulumi.ComponentResource):
    """The KMS keys for access tokens. They can't be exported, and only the signer may sign with them."""

    def __init__(
        self, name: str, *, key_names: Iterable[str], signer_arn: pulumi.Output[str], opts: pulumi.ResourceOptions
    ) -> None:
        super().__init__("three-phase-upload:infra:SigningKey", name, None, opts)
        account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=self))
        partition = aws.get_partition_output(opts=pulumi.InvokeOutputOptions(parent=self))
        administrator = pulumi.Output.format("arn:{0}:iam::{1}:root", partition.partition, account.account_id)
        keys = [
            aws.kms.Key(
                key_name,
                description="Signs the tokens of three-phase-upload",
                customer_master_key_spec="ECC_NIST_P256",
                key_usage="SIGN_VERIFY",
                deletion_window_in_days=DELETION_DAYS,
                policy=write_policy(signing_key_policy, administrator=administrator, signer=signer_arn),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for key_name in key_names
        ]
        self.arns = [key.arn for key in keys]
        """In the order of their names: the first signs."""
        self.register_outputs({"arns": self.arns})
