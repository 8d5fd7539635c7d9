"""boto3 clients for an emulator."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config

from services.store.clients import CLIENT_CONFIG, S3_CONFIG
from services.store.responses import check_responses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.credentials import Credentials
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_iam import IAMClient
    from types_boto3_kms import KMSClient
    from types_boto3_s3 import S3Client


LONG_TIMEOUTS = Config(connect_timeout=300, read_timeout=300, proxies={})
"""An emulator loads an AWS service at its first request, which may take long. These clients use no proxy."""

NO_CONFIG_FILES: dict[str, Any] = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""Makes botocore ignore `AWS_PROFILE` and the files under `~/.aws`, which are for the real AWS."""


@dataclass(frozen=True)
class Aws:
    """Clients of the emulator, with one set of credentials."""

    endpoint: str
    region: str
    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def with_credentials(self, credentials: Mapping[str, str]) -> Aws:
        """Clients of the same emulator with other credentials, given as AWS's environment variables."""
        return replace(
            self,
            access_key_id=credentials["AWS_ACCESS_KEY_ID"],
            secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
            session_token=credentials.get("AWS_SESSION_TOKEN"),
        )

    @cached_property
    def _session(self) -> boto3.Session:
        core = botocore.session.Session(NO_CONFIG_FILES)
        return boto3.Session(
            self.access_key_id,
            self.secret_access_key,
            self.session_token,
            region_name=self.region,
            botocore_session=core,
        )

    def find_credentials(self) -> Credentials | None:
        return self._session.get_credentials()

    @cached_property
    def s3(self) -> S3Client:
        return check_responses(
            self._session.client("s3", endpoint_url=self.endpoint, config=S3_CONFIG.merge(LONG_TIMEOUTS))
        )

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        return check_responses(
            self._session.client("dynamodb", endpoint_url=self.endpoint, config=CLIENT_CONFIG.merge(LONG_TIMEOUTS))
        )

    @cached_property
    def kms(self) -> KMSClient:
        return check_responses(
            self._session.client("kms", endpoint_url=self.endpoint, config=CLIENT_CONFIG.merge(LONG_TIMEOUTS))
        )

    @cached_property
    def iam(self) -> IAMClient:
        return self._session.client("iam", endpoint_url=self.endpoint, config=CLIENT_CONFIG.merge(LONG_TIMEOUTS))
