"""A separate emulator for these tests, which move its clock."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from infra.documents.bucket import lifecycle_rules
from infra.local.emulator.lifecycle import LIFECYCLE_PATH
from infra.local.ports import pick_free_ports
from infra.local.processes import Processes
from infra.local.stack import make_root_clients, start_emulator
from tests import web

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from infra.local.clients import Aws


@dataclass(frozen=True)
class S3:
    """A bucket with the project's lifecycle rules, and a signer of forms whose permissions a test sets."""

    root: Aws
    signer: Aws
    bucket: str

    def allow(self, *actions: str) -> None:
        policy = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": f"arn:aws:s3:::{self.bucket}/*"}],
        }
        self.root.iam.put_user_policy(UserName="signer", PolicyName="p", PolicyDocument=json.dumps(policy))

    def post(self, key: str, file: bytes, pinned: dict[str, str], **changed: str) -> httpx2.Response:
        """Post a form that pins these fields. `changed`: fields that are sent with other values."""
        conditions: list[Any] = [{name: value} for name, value in pinned.items()]
        form: dict[str, Any] = self.signer.s3.generate_presigned_post(self.bucket, key, dict(pinned), conditions)
        return web.post(form["url"], data={**form["fields"], **changed}, files={"file": file})

    def sign(self, policy: str, credential: str) -> str:
        """The signature of a policy (AWS: "Authenticating requests: Signature Version 4", POST policy)."""
        key = f"AWS4{self.signer.secret_access_key}".encode()
        for scope in credential.split("/")[1:]:
            key = hmac.digest(key, scope.encode(), "sha256")
        return hmac.digest(key, policy.encode(), "sha256").hex()

    def head(self, key: str, **more: Any) -> dict[str, Any]:
        return dict(self.root.s3.head_object(Bucket=self.bucket, Key=key, **more))

    def tags(self, key: str) -> dict[str, str]:
        tag_set = self.root.s3.get_object_tagging(Bucket=self.bucket, Key=key)["TagSet"]
        return {tag["Key"]: tag["Value"] for tag in tag_set}

    def put(self, key: str, **more: Any) -> None:
        self.root.s3.put_object(Bucket=self.bucket, Key=key, Body=b"x", **more)

    def keys(self) -> list[str]:
        listed = self.root.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return [entry.get("Key", "") for entry in listed]

    def move_clock(self, days: int) -> dict[str, Any]:
        answer = web.post(self.root.endpoint + LIFECYCLE_PATH, json={"days": days}).raise_for_status()
        return answer.json()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    processes = Processes(tmp_path_factory.mktemp("emulator"))
    root = make_root_clients(pick_free_ports(1)[0])
    try:
        start_emulator(processes, root, None)
        yield root
    finally:
        processes.stop()


@pytest.fixture(scope="session")
def embedded(emulator: Aws) -> Aws:
    """Replaces the emulator that other tests share."""
    return emulator


@pytest.fixture
def s3(emulator: Aws) -> Iterator[S3]:
    bucket = "conformance"
    rules: Any = lifecycle_rules()
    emulator.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    emulator.s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    emulator.iam.create_user(UserName="signer")
    key = emulator.iam.create_access_key(UserName="signer")["AccessKey"]
    signer = replace(emulator, access_key_id=key["AccessKeyId"], secret_access_key=key["SecretAccessKey"])
    made = S3(emulator, signer, bucket)
    made.allow("s3:PutObject", "s3:PutObjectTagging")
    yield made
    web.post(f"{emulator.endpoint}/_ministack/reset", json={}).raise_for_status()
