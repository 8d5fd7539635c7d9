"""Probes of an AWS target: a function for each trait, which returns whether the target has it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import boto3
import httpx2
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from infra.documents.bucket import cors_rules, lifecycle_rules
from infra.documents.table import table_definition
from infra.local.emulator.lifecycle import LIFECYCLE_PATH
from services.store.clients import S3_CONFIG
from services.store.kinds import AVATAR
from tests import web
from tests.targets import Trait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.local.clients import Aws

ORIGIN = "https://page.example"
PENDING_KEY = f"{AVATAR.pending_prefix}a"
PENDING = "<Tagging><TagSet><Tag><Key>Status</Key><Value>Pending</Value></Tag></TagSet></Tagging>"
FILE = b"some bytes"
DIGEST = base64.b64encode(hashlib.sha256(FILE).digest()).decode()
FORBIDDEN = {"403", "AccessDenied", "AccessDeniedException"}


@dataclass(frozen=True)
class Sandbox:
    """A bucket with the project's rules, a table, a KMS key, and a user with permission to put and tag objects."""

    root: Aws
    name: str
    key_id: str
    signer: Aws
    nobody: Aws
    """A user without permissions."""

    def sign(self, key: str, pinned: Mapping[str, str], *, by: Aws | None = None, seconds: int = 60) -> Any:
        conditions: list[Any] = [*({name: value} for name, value in pinned.items()), ["content-length-range", 1, 100]]
        signer = by or self.signer
        return signer.s3.generate_presigned_post(self.name, key, dict(pinned), conditions, seconds)

    def post(self, form: Any, file: bytes = FILE, **changed: str) -> int:
        fields = form["fields"] | {name.replace("_", "-"): value for name, value in changed.items()}
        return web.post(form["url"], data=fields, files={"file": file}).status_code

    def put(self, key: str, **more: Any) -> str:
        """Put an object and return its ETag."""
        return self.root.s3.put_object(Bucket=self.name, Key=key, Body=FILE, **more)["ETag"]

    def head(self, key: str) -> Any:
        return self.root.s3.head_object(Bucket=self.name, Key=key)

    def tags(self, key: str) -> list[Any]:
        return list(self.root.s3.get_object_tagging(Bucket=self.name, Key=key)["TagSet"])


def make_sandbox(root: Aws, name: str) -> Sandbox:
    s3: Any = root.s3
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": root.region})
    s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": cors_rules(ORIGIN)})
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": lifecycle_rules()})
    root.dynamodb.create_table(TableName=name, **table_definition())
    root.dynamodb.get_waiter("table_exists").wait(TableName=name)
    key_id = root.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    allowed = {"s3:PutObject": "*", "s3:PutObjectTagging": "*", "s3:GetObject": "avatars/*"}
    statements = [
        {"Effect": "Allow", "Action": action, "Resource": f"arn:aws:s3:::{name}/{keys}"}
        for action, keys in allowed.items()
    ]
    signer = _make_user(root, f"{name}-signer", statements)
    nobody = _make_user(root, f"{name}-nobody", [])
    return Sandbox(root, name, key_id, signer, nobody)


def _make_user(root: Aws, name: str, statements: list[Any]) -> Aws:
    root.iam.create_user(UserName=name)
    if statements:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        root.iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document)
    key = root.iam.create_access_key(UserName=name)["AccessKey"]
    return replace(root, access_key_id=key["AccessKeyId"], secret_access_key=key["SecretAccessKey"])


def _refusal(call: Callable[[], object]) -> str | None:
    """The error code of a call, or None if it succeeds."""
    try:
        call()
    except ClientError as error:
        return error.response.get("Error", {}).get("Code", "")
    return None


def _form_fields(sandbox: Sandbox) -> bool:
    pinned = {"Content-Type": "image/png", "x-amz-meta-username": "ada", "success_action_status": "201"}
    status = sandbox.post(sandbox.sign("avatars/a", pinned))
    head = sandbox.head("avatars/a")
    return (status, head["ContentType"], head["Metadata"]) == (201, "image/png", {"username": "ada"})


def _form_policy(sandbox: Sandbox) -> bool:
    pinned = {"Content-Type": "image/png", "x-amz-meta-username": "ada"}
    form = sandbox.sign("a", pinned)
    changed: list[dict[str, Any]] = [{"key": "b"}, {"Content_Type": "text/html"}, {"x_amz_meta_username": "bob"}]
    statuses = [sandbox.post(form, **fields) for fields in changed]
    statuses += [
        sandbox.post(form, FILE * 11),
        sandbox.post(form, b""),
        sandbox.post(sandbox.sign("a", pinned, seconds=-60)),
    ]
    return all(status in {400, 403} for status in statuses)


def _form_signature(sandbox: Sandbox) -> bool:
    form = sandbox.sign("a", {})
    wider = json.dumps({"expiration": "2999-01-01T00:00:00Z", "conditions": []}).encode()
    unknown = form["fields"]["x-amz-credential"].replace(sandbox.signer.access_key_id, "AKIAIOSFODNN7EXAMPLE")
    changed: list[dict[str, Any]] = [
        {"x_amz_signature": "0" * 64},
        {"policy": base64.b64encode(wider).decode()},
        {"x_amz_credential": unknown},
    ]
    return all(sandbox.post(form, **fields) == 403 for fields in changed)


def _form_required(sandbox: Sandbox) -> bool:
    return sandbox.post({"url": sandbox.sign("a", {})["url"], "fields": {"key": "a"}}) == 403


def _form_unlisted(sandbox: Sandbox) -> bool:
    return sandbox.post(sandbox.sign("a", {}), x_amz_meta_more="x") == 403


def _form_tagging(sandbox: Sandbox) -> bool:
    form = sandbox.sign("a", {"tagging": PENDING})
    return sandbox.post(form) == 204 and sandbox.tags("a") == [{"Key": "Status", "Value": "Pending"}]


def _form_digest(sandbox: Sandbox) -> bool:
    form = sandbox.sign("a", {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": DIGEST})
    return (sandbox.post(form, FILE[::-1]), sandbox.post(form)) == (400, 204)


def _form_authorization(sandbox: Sandbox) -> bool:
    form = sandbox.sign("a", {})
    headers = {"Authorization": "Bearer token"}
    answer = web.post(form["url"], data=form["fields"], files={"file": FILE}, headers=headers)
    return answer.status_code == 400


def _form_body(sandbox: Sandbox) -> bool:
    form = sandbox.sign("a", {})
    data, file = form["fields"], ("file", FILE)
    whole = httpx2.Request("POST", form["url"], data=data, files=[file])
    requests = [
        httpx2.Request("POST", form["url"], data=data, files=[("other", FILE)]),
        httpx2.Request("POST", form["url"], data=data, files=[file, file]),
        httpx2.Request("POST", form["url"], data=data | {"x-ignore-a": "x" * 20_480}, files=[file]),
        httpx2.Request(
            "POST", form["url"], content=whole.read()[:-10], headers={"Content-Type": whole.headers["Content-Type"]}
        ),
    ]
    with web.Client() as http:
        return {http.send(request).status_code for request in requests} == {400}


def _form_signer(sandbox: Sandbox) -> bool:
    return sandbox.post(sandbox.sign("a", {}, by=sandbox.nobody)) == 403


def _presigned_get(sandbox: Sandbox) -> bool:
    sandbox.put("avatars/a")
    where = {"Bucket": sandbox.name, "Key": "avatars/a"}
    good, late = (sandbox.signer.s3.generate_presigned_url("get_object", where, seconds) for seconds in (60, -60))
    forged = good[:-4] + ("0000" if not good.endswith("0000") else "1111")
    statuses = [web.get(url).status_code for url in (good, late, forged)]
    return statuses[0] == 200 and {400, 403}.issuperset(statuses[1:])


def _anonymous(sandbox: Sandbox) -> bool:
    sandbox.put("a")
    config = S3_CONFIG.merge(Config(signature_version=UNSIGNED))
    s3 = boto3.client("s3", region_name=sandbox.root.region, endpoint_url=sandbox.root.endpoint, config=config)
    with contextlib.closing(s3):
        calls: list[Callable[[], object]] = [
            lambda: s3.get_object(Bucket=sandbox.name, Key="a"),
            lambda: s3.list_objects_v2(Bucket=sandbox.name),
            lambda: s3.put_object(Bucket=sandbox.name, Key="b", Body=b""),
        ]
        return all(_refusal(call) in FORBIDDEN for call in calls)


def _cors(sandbox: Sandbox) -> bool:
    url = sandbox.sign("a", {})["url"]

    def ask(origin: str) -> httpx2.Response:
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        return web.request("OPTIONS", url, headers=headers)

    allowed, foreign = ask(ORIGIN), ask("https://evil.example")
    return (
        allowed.headers.get("Access-Control-Allow-Origin") == ORIGIN
        and "Access-Control-Allow-Origin" not in foreign.headers
    )


def _copy_if_match(sandbox: Sandbox) -> bool:
    sandbox.put(PENDING_KEY)
    source: Any = {"Bucket": sandbox.name, "Key": PENDING_KEY}
    copy = sandbox.root.s3.copy_object
    refused = _refusal(lambda: copy(Bucket=sandbox.name, Key="a", CopySource=source, CopySourceIfMatch='"other"'))
    return refused == "PreconditionFailed"


def _copy_if_none_match(sandbox: Sandbox) -> bool:
    etag = sandbox.put(PENDING_KEY)
    source: Any = {"Bucket": sandbox.name, "Key": PENDING_KEY}

    def copy() -> object:
        return sandbox.root.s3.copy_object(Bucket=sandbox.name, Key="new", CopySource=source, IfNoneMatch="*")

    first, second = _refusal(copy), _refusal(copy)
    return (first, second, sandbox.head("new")["ETag"]) == (None, "PreconditionFailed", etag)


def _copy_digest(sandbox: Sandbox) -> bool:
    sandbox.put(PENDING_KEY)
    source: Any = {"Bucket": sandbox.name, "Key": PENDING_KEY}
    answer: Any = sandbox.root.s3.copy_object(
        Bucket=sandbox.name, Key="a", CopySource=source, ChecksumAlgorithm="SHA256"
    )
    stored = sandbox.root.s3.head_object(Bucket=sandbox.name, Key="a", ChecksumMode="ENABLED")
    return answer["CopyObjectResult"].get("ChecksumSHA256") == stored.get("ChecksumSHA256") == DIGEST


def _head_digest(sandbox: Sandbox) -> bool:
    sandbox.post(sandbox.sign("a", {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": DIGEST}))
    sandbox.put("b", ChecksumSHA256=DIGEST)
    s3 = sandbox.root.s3
    reads: list[Callable[..., Any]] = [s3.head_object, s3.get_object]
    found = {
        read(Bucket=sandbox.name, Key=key, ChecksumMode="ENABLED").get("ChecksumSHA256")
        for read in reads
        for key in "ab"
    }
    return found == {DIGEST}


def _copy_without_tags(sandbox: Sandbox) -> bool:
    etag = sandbox.put("a", Tagging="Status=Pending")
    sandbox.root.s3.copy_object(
        Bucket=sandbox.name,
        Key="a",
        CopySource={"Bucket": sandbox.name, "Key": "a"},
        CopySourceIfMatch=etag,
        MetadataDirective="REPLACE",
        TaggingDirective="REPLACE",
    )
    return sandbox.tags("a") == []


def _put_without_tags(sandbox: Sandbox) -> bool:
    sandbox.put("a", Tagging="Status=Pending")
    sandbox.put("a")
    return sandbox.tags("a") == []


def _put_if_match(sandbox: Sandbox) -> bool:
    sandbox.put("a")
    return _refusal(lambda: sandbox.put("a", IfMatch='"other"')) == "PreconditionFailed"


def _version_tag_count(sandbox: Sandbox) -> bool:
    sandbox.root.s3.put_bucket_versioning(Bucket=sandbox.name, VersioningConfiguration={"Status": "Enabled"})
    sandbox.put("a", Tagging="Status=Pending")
    return sandbox.root.s3.get_object(Bucket=sandbox.name, Key="a").get("TagCount") == 1


def _expiration(sandbox: Sandbox) -> bool:
    sandbox.put(PENDING_KEY)
    sandbox.put("a", Tagging="Status=Pending")
    sandbox.put("b")
    said = [sandbox.head(key).get("Expiration", "") for key in (PENDING_KEY, "a", "b")]
    return "pending-prefix" in said[0] and "pending-tag" in said[1] and said[2] == ""


def _expiration_in_time(sandbox: Sandbox) -> bool:
    sandbox.put("a", Tagging="Status=Pending")
    before = sandbox.head("a").get("Expiration")
    sandbox.root.s3.delete_object_tagging(Bucket=sandbox.name, Key="a")
    return before is not None and sandbox.head("a").get("Expiration") is None


def _lifecycle(sandbox: Sandbox) -> bool:
    sandbox.put(PENDING_KEY)
    moved = web.post(sandbox.root.endpoint + LIFECYCLE_PATH, json={"days": 2})
    return moved.is_success and _refusal(lambda: sandbox.head(PENDING_KEY)) == "404"


def _iam(sandbox: Sandbox) -> bool:
    sandbox.put("avatars/a")
    row: Any = {"Username": {"S": "ada"}}
    where: Any = {"Bucket": sandbox.name, "Key": "avatars/a"}
    nobody = sandbox.nobody
    calls: list[Callable[[], object]] = [
        lambda: nobody.s3.get_object(**where),
        lambda: nobody.s3.put_object(**where, Body=b""),
        lambda: nobody.s3.list_objects_v2(Bucket=sandbox.name),
        lambda: nobody.dynamodb.get_item(TableName=sandbox.name, Key=row),
        lambda: nobody.dynamodb.put_item(TableName=sandbox.name, Item=row),
        lambda: nobody.kms.sign(KeyId=sandbox.key_id, Message=b"x", SigningAlgorithm="ECDSA_SHA_256"),
    ]
    signer = sandbox.signer.s3
    return signer.get_object(**where)["ETag"] != "" and all(_refusal(call) in FORBIDDEN for call in calls)


def _bucket_policy(sandbox: Sandbox) -> bool:
    sandbox.put("avatars/a")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{sandbox.name}/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    sandbox.root.s3.put_bucket_policy(Bucket=sandbox.name, Policy=document)
    try:
        return _refusal(lambda: sandbox.signer.s3.get_object(Bucket=sandbox.name, Key="avatars/a")) in FORBIDDEN
    finally:
        sandbox.root.s3.delete_bucket_policy(Bucket=sandbox.name)


def _missing_is_forbidden(sandbox: Sandbox) -> bool:
    return _refusal(lambda: sandbox.signer.s3.get_object(Bucket=sandbox.name, Key="avatars/none")) in FORBIDDEN


def _move_row(sandbox: Sandbox, name: str, avatar: str) -> str | None:
    """Update the row's avatar on condition. Returns the old avatar, or None if the condition failed."""
    try:
        answer = sandbox.root.dynamodb.update_item(
            TableName=sandbox.name,
            Key={"Username": {"S": name}},
            UpdateExpression="SET Avatar = :new",
            ConditionExpression="attribute_exists(Username) AND Avatar < :new",
            ExpressionAttributeValues={":new": {"S": avatar}},
            ReturnValues="UPDATED_OLD",
        )
    except sandbox.root.dynamodb.exceptions.ConditionalCheckFailedException:
        return None
    return answer.get("Attributes", {}).get("Avatar", {}).get("S")


def _row_condition(sandbox: Sandbox) -> bool:
    sandbox.root.dynamodb.put_item(TableName=sandbox.name, Item={"Username": {"S": "ada"}, "Avatar": {"S": "1"}})
    moved = [_move_row(sandbox, name, avatar) for name, avatar in (("ada", "2"), ("ada", "1"), ("bob", "1"))]
    return moved == ["1", None, None]


def _row_race(sandbox: Sandbox) -> bool:
    sandbox.root.dynamodb.put_item(TableName=sandbox.name, Item={"Username": {"S": "eve"}, "Avatar": {"S": "1"}})
    with ThreadPoolExecutor(8) as threads:
        moving = [threads.submit(_move_row, sandbox, "eve", "2") for _ in range(8)]
        moved = [each.result() for each in moving]
    return sorted(moved, key=str) == ["1", *[None] * 7]


def _es256(sandbox: Sandbox) -> bool:
    shown = sandbox.root.kms.get_public_key(KeyId=sandbox.key_id)
    signed = sandbox.root.kms.sign(KeyId=sandbox.key_id, Message=b"x", SigningAlgorithm="ECDSA_SHA_256")
    return shown["KeySpec"] == "ECC_NIST_P256" and signed["Signature"][0] == 0x30


PROBES: Mapping[Trait, Callable[[Sandbox], bool]] = {
    Trait.FORM_FIELDS: _form_fields,
    Trait.FORM_POLICY: _form_policy,
    Trait.FORM_SIGNATURE: _form_signature,
    Trait.FORM_REQUIRED: _form_required,
    Trait.FORM_UNLISTED: _form_unlisted,
    Trait.FORM_TAGGING: _form_tagging,
    Trait.FORM_DIGEST: _form_digest,
    Trait.FORM_AUTHORIZATION: _form_authorization,
    Trait.FORM_BODY: _form_body,
    Trait.FORM_SIGNER: _form_signer,
    Trait.PRESIGNED_GET: _presigned_get,
    Trait.ANONYMOUS: _anonymous,
    Trait.CORS: _cors,
    Trait.COPY_IF_MATCH: _copy_if_match,
    Trait.COPY_IF_NONE_MATCH: _copy_if_none_match,
    Trait.COPY_DIGEST: _copy_digest,
    Trait.HEAD_DIGEST: _head_digest,
    Trait.COPY_WITHOUT_TAGS: _copy_without_tags,
    Trait.PUT_WITHOUT_TAGS: _put_without_tags,
    Trait.PUT_IF_MATCH: _put_if_match,
    Trait.VERSION_TAG_COUNT: _version_tag_count,
    Trait.EXPIRATION: _expiration,
    Trait.EXPIRATION_IN_TIME: _expiration_in_time,
    Trait.LIFECYCLE: _lifecycle,
    Trait.IAM: _iam,
    Trait.BUCKET_POLICY: _bucket_policy,
    Trait.MISSING_IS_FORBIDDEN: _missing_is_forbidden,
    Trait.ROW_CONDITION: _row_condition,
    Trait.ROW_RACE: _row_race,
    Trait.ES256: _es256,
}
