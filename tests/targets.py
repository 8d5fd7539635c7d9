"""Which AWS the tests run on, by one rule, and what each of them does not do as AWS does.

The rule: where `AWS_ENDPOINT_URL` says; else on the embedded emulator, and those that are marked `every_aws` on
LocalStack and MiniStack in containers, too. `--aws` overrides it. A test that `needs` what a target does not do
(`GAPS`) is left out there and runs on the embedded emulator.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class Target(Enum):
    """The value is the fixture's name."""

    EMBEDDED = "embedded"
    LOCALSTACK = "localstack"
    MINISTACK = "ministack"
    GIVEN_LOCALSTACK = "given_localstack"
    GIVEN_MINISTACK = "given_ministack"


class Trait(Enum):
    """Something that AWS does and that the system or its tests rely on."""

    FORM_FIELDS = "a posted object has the type, the metadata and the answer's status that its form says"
    FORM_POLICY = "a POST with another key, type, size or metadata than its form says is refused, and one that is late"
    FORM_SIGNATURE = "a POST with a wrong signature, a rewritten policy or an unknown access key is refused"
    FORM_REQUIRED = "a POST without a form's policy and signature is refused"
    FORM_UNLISTED = "a POST with a field that its form's policy does not name is refused"
    FORM_TAGGING = "a posted object has the tags that its form says"
    FORM_DIGEST = "a POST of a file with another SHA-256 than its form says is refused"
    FORM_SIGNER = "a form is worth what its signer may do"
    PRESIGNED_GET = "a presigned GET that is forged or late is refused"
    ANONYMOUS = "who signs nothing can't read, list or write"
    CORS = "a browser may post from the page's origin and from no other"
    COPY_IF_MATCH = "a copy is made only of the very object whose ETag it names"
    COPY_WITHOUT_TAGS = "a copy of an object onto itself takes its tags away"
    PUT_WITHOUT_TAGS = "an object that replaces another one does not have its tags"
    PUT_IF_MATCH = "a PUT replaces only the very object whose ETag it names"
    EXPIRATION = "an answer says when a lifecycle rule will delete the object"
    EXPIRATION_IN_TIME = "and does so no more once the tag that the rule asks for is gone"
    LIFECYCLE = "what a lifecycle rule says is over is deleted"
    IAM = "a caller may do what its policy says and nothing else, in S3, DynamoDB and KMS"
    BUCKET_POLICY = "a bucket's policy is enforced"
    MISSING_IS_FORBIDDEN = "an object that is not there is a 403 for who may not list the bucket"
    ROW_CONDITION = "a row changes on condition only, and the answer has what it was before"
    ROW_RACE = "of many such changes at once one is made"
    ES256 = "a key signs for ES256 and shows its public half"


_NOT_ENFORCED = "LocalStack checks permissions in its paid edition alone"
_NO_LAYER = "of MiniStack itself; the embedded emulator's layer adds it"
_LOCALSTACK = {
    Trait.FORM_SIGNATURE: "LocalStack reads the policy of a form and not its signature",
    Trait.FORM_REQUIRED: _NOT_ENFORCED,
    Trait.FORM_UNLISTED: "LocalStack holds a form against its policy's conditions, and not the other way round",
    Trait.FORM_SIGNER: _NOT_ENFORCED,
    Trait.ANONYMOUS: _NOT_ENFORCED,
    Trait.EXPIRATION_IN_TIME: "LocalStack remembers what it found when the object was made",
    Trait.LIFECYCLE: "LocalStack keeps the rules and does not run them",
    Trait.IAM: _NOT_ENFORCED,
    Trait.BUCKET_POLICY: _NOT_ENFORCED,
    Trait.MISSING_IS_FORBIDDEN: _NOT_ENFORCED,
}
_MINISTACK = {
    Trait.FORM_TAGGING: _NO_LAYER,
    Trait.FORM_DIGEST: _NO_LAYER,
    Trait.PUT_WITHOUT_TAGS: _NO_LAYER,
    Trait.EXPIRATION: _NO_LAYER,
    Trait.EXPIRATION_IN_TIME: _NO_LAYER,
    Trait.LIFECYCLE: _NO_LAYER,
    Trait.MISSING_IS_FORBIDDEN: "MiniStack answers 404 whoever asks",
}
GAPS: Mapping[Target, Mapping[Trait, str]] = {
    Target.EMBEDDED: {Trait.MISSING_IS_FORBIDDEN: _MINISTACK[Trait.MISSING_IS_FORBIDDEN]},
    Target.LOCALSTACK: _LOCALSTACK,
    Target.GIVEN_LOCALSTACK: _LOCALSTACK,
    Target.MINISTACK: _MINISTACK,
    Target.GIVEN_MINISTACK: _MINISTACK,
}
"""By target, what it does not do and why. `tests/emulator/test_traits.py` finds out that this is so, and no more."""

CHOICES: Mapping[str, tuple[Target, ...]] = {
    "embedded": (Target.EMBEDDED,),
    "localstack": (Target.LOCALSTACK,),
    "ministack": (Target.MINISTACK,),
    "both": (Target.EMBEDDED, Target.LOCALSTACK),
    "all": (Target.EMBEDDED, Target.LOCALSTACK, Target.MINISTACK),
}


def runs_on(target: Target, chosen: Collection[Target], needs: Collection[Trait]) -> bool:
    """Whether a test that needs this much of AWS runs there. The embedded emulator stands in for a chosen one."""
    if target in chosen:
        return GAPS[target].keys().isdisjoint(needs)
    return target is Target.EMBEDDED and any(not GAPS[other].keys().isdisjoint(needs) for other in chosen)
