"""The AWS targets that the tests run on, and where each of them differs from AWS.

With `AWS_ENDPOINT_URL` the tests run on that emulator. Without it they run on the embedded emulator, and tests marked
`every_aws` also run on LocalStack and MiniStack in containers. `--aws` overrides both. A test that `needs` a trait that
a target lacks (`GAPS`) is skipped there and runs on the embedded emulator.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class Target(Enum):
    """An AWS emulator. The value is the name of its fixture."""

    EMBEDDED = "embedded"
    LOCALSTACK = "localstack"
    MINISTACK = "ministack"
    GIVEN_LOCALSTACK = "given_localstack"
    GIVEN_MINISTACK = "given_ministack"


class Trait(Enum):
    """A behaviour of AWS that the system or its tests rely on."""

    FORM_FIELDS = (
        "a posted object has the content type and metadata of its form, and the response has the form's status code"
    )
    FORM_POLICY = (
        "a POST with another key, content type, size or metadata than its form, or with an expired form, is refused"
    )
    FORM_SIGNATURE = "a POST with a wrong signature, a rewritten policy or an unknown access key is refused"
    FORM_REQUIRED = "a POST without policy and signature is refused"
    FORM_UNLISTED = "a POST with a field that the policy does not name is refused"
    FORM_TAGGING = "a posted object has the tags of its form"
    FORM_DIGEST = "a POST of a file whose SHA-256 differs from its form is refused"
    FORM_AUTHORIZATION = "a POST with an `Authorization` header, as clients send to their own service, is refused"
    FORM_BODY = (
        "a POST whose body is incomplete, has not exactly one file, or has more than 20 KB before it, is refused"
    )
    FORM_SIGNER = "a form has only the permissions of its signer"
    PRESIGNED_GET = "a presigned GET that is forged or expired is refused"
    ANONYMOUS = "an anonymous caller can't read, list or write"
    CORS = "CORS allows a POST from the page's origin and from no other"
    COPY_IF_MATCH = "CopyObject checks `CopySourceIfMatch`"
    COPY_IF_NONE_MATCH = "CopyObject checks `IfNoneMatch`"
    COPY_DIGEST = "CopyObject computes, stores and returns the SHA-256 of the copied bytes"
    HEAD_DIGEST = "HeadObject and GetObject return the SHA-256 of an object, whether it was posted or put"
    COPY_WITHOUT_TAGS = "a copy of an object onto itself can remove its tags"
    PUT_WITHOUT_TAGS = "an object that replaces another does not keep its tags"
    PUT_IF_MATCH = "PutObject checks `IfMatch`"
    VERSION_TAG_COUNT = "GetObject returns the number of tags of an object in a bucket with versioning"
    EXPIRATION = "a response says when a lifecycle rule will delete the object"
    EXPIRATION_IN_TIME = "a response no longer says so once the rule's tag is removed"
    LIFECYCLE = "lifecycle rules delete expired objects"
    IAM = "IAM policies are enforced in S3, DynamoDB and KMS"
    BUCKET_POLICY = "bucket policies are enforced"
    MISSING_IS_FORBIDDEN = "a missing object is 403 for a caller without `ListBucket`"
    ROW_CONDITION = "UpdateItem checks its condition and returns the old attributes"
    ROW_RACE = "of concurrent conditional updates one succeeds"
    ES256 = "KMS signs for ES256 and returns the public key"


_NOT_ENFORCED = "LocalStack enforces permissions only in its paid edition"
_NOT_CHECKED = "LocalStack does not check it"
_NO_LAYER = "MiniStack lacks it; the embedded emulator's layer adds it"
_LOCALSTACK = {
    Trait.FORM_SIGNATURE: "LocalStack checks the policy of a form but not its signature",
    Trait.FORM_REQUIRED: _NOT_ENFORCED,
    Trait.FORM_UNLISTED: "LocalStack checks the policy's conditions but accepts fields that have none",
    Trait.FORM_AUTHORIZATION: _NOT_CHECKED,
    Trait.FORM_BODY: _NOT_CHECKED,
    Trait.FORM_SIGNER: _NOT_ENFORCED,
    Trait.ANONYMOUS: _NOT_ENFORCED,
    Trait.VERSION_TAG_COUNT: "LocalStack returns it without versioning only; the tests suspend it there",
    Trait.EXPIRATION_IN_TIME: "LocalStack computes the expiration once, when the object is created",
    Trait.LIFECYCLE: "LocalStack stores lifecycle rules but does not run them",
    Trait.IAM: _NOT_ENFORCED,
    Trait.BUCKET_POLICY: _NOT_ENFORCED,
    Trait.MISSING_IS_FORBIDDEN: _NOT_ENFORCED,
}
_MINISTACK = {
    Trait.FORM_TAGGING: _NO_LAYER,
    Trait.FORM_DIGEST: _NO_LAYER,
    Trait.FORM_AUTHORIZATION: _NO_LAYER,
    Trait.FORM_BODY: _NO_LAYER,
    Trait.COPY_IF_NONE_MATCH: _NO_LAYER,
    Trait.COPY_DIGEST: _NO_LAYER,
    Trait.HEAD_DIGEST: _NO_LAYER,
    Trait.PUT_WITHOUT_TAGS: _NO_LAYER,
    Trait.EXPIRATION: _NO_LAYER,
    Trait.EXPIRATION_IN_TIME: _NO_LAYER,
    Trait.LIFECYCLE: _NO_LAYER,
    Trait.MISSING_IS_FORBIDDEN: "MiniStack returns 404 to every caller",
}
GAPS: Mapping[Target, Mapping[Trait, str]] = {
    Target.EMBEDDED: {Trait.MISSING_IS_FORBIDDEN: _MINISTACK[Trait.MISSING_IS_FORBIDDEN]},
    Target.LOCALSTACK: _LOCALSTACK,
    Target.GIVEN_LOCALSTACK: _LOCALSTACK,
    Target.MINISTACK: _MINISTACK,
    Target.GIVEN_MINISTACK: _MINISTACK,
}
"""The traits that each target lacks, with the reason. `tests/emulator/test_traits.py` checks that each target lacks
exactly these."""

CHOICES: Mapping[str, tuple[Target, ...]] = {
    "embedded": (Target.EMBEDDED,),
    "localstack": (Target.LOCALSTACK,),
    "ministack": (Target.MINISTACK,),
    "both": (Target.EMBEDDED, Target.LOCALSTACK),
    "all": (Target.EMBEDDED, Target.LOCALSTACK, Target.MINISTACK),
}


def runs_on(target: Target, chosen: Collection[Target], needs: Collection[Trait]) -> bool:
    """Whether a test with these needs runs on the target. The embedded emulator replaces a chosen target with gaps."""
    if target in chosen:
        return GAPS[target].keys().isdisjoint(needs)
    return target is Target.EMBEDDED and any(not GAPS[other].keys().isdisjoint(needs) for other in chosen)
