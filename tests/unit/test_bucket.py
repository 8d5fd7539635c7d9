"""The exact S3 requests of `Bucket`, and how it reads S3's responses and errors: hence botocore's Stubber, no fake."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, HTTPClientError
from botocore.response import StreamingBody
from urllib3 import HTTPResponse

from services.pictures.formats import identify, measure
from services.store.clients import is_transient
from services.store.kinds import AVATAR
from services.uploads.bucket import (
    BLANK,
    Bucket,
    ChangedError,
    MissingObjectError,
    NotDeletedError,
    OtherBytesError,
    compute_sha256,
)
from services.uploads.deadline import Deadline, DeadlineExceededError
from services.uploads.decision import Replace, Restore
from services.uploads.objects import Copy, Described, Listed, Stored
from services.uploads.refusals import NotAPictureError
from tests.pictures import make_picture, push_dimensions_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.awsrequest import AWSPreparedRequest
    from botocore.stub import Stubber
    from types_boto3_s3 import S3Client

KEY = f"{AVATAR.pending_prefix}019b0000-0000-7000-8000-000000000002"
TARGET = "avatars/019b0000-0000-7000-8000-000000000002"
LARGE = push_dimensions_back(make_picture("image/jpeg", size=(37, 21)), 500_000)
METADATA = {"username": "ada", "sha256": "verified="}
STEP = Copy(KEY, TARGET, '"checked"', "verified=", "image/png", METADATA, "no-cache", if_absent=False)
IF_ABSENT = replace(STEP, if_absent=True)
BLANK_SHA256 = compute_sha256(BLANK.read_bytes())
MAX_BYTES = len(LARGE)


@dataclass
class Watch:
    """A clock that a test sets."""

    now: float = 0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def deadline(watch: Watch) -> Deadline:
    return Deadline(60, watch)


@pytest.fixture
def bucket(s3_client: S3Client) -> Bucket:
    return Bucket(s3_client, "pictures")


class Body(io.BytesIO):
    """An object's bytes. `reads`: how often they were read."""

    reads = 0

    def read(self, amount: int | None = -1, /) -> bytes:
        self.reads += 1
        return super().read(amount)


def answer_with(stub: Stubber, picture: bytes, **more: Any) -> Body:
    """Expect one read of the whole object, and return the body of the response."""
    body = Body(picture)
    stub.add_response(
        "get_object",
        {
            "Body": StreamingBody(body, len(picture)),
            "ETag": '"e"',
            "ContentLength": len(picture),
            "ContentType": "image/png",
            "Metadata": {"username": "ada"},
            **more,
        },
        {"Bucket": "pictures", "Key": KEY},
    )
    return body


def refuse(stub: Stubber, method: str, code: str, status: int) -> None:
    stub.add_client_error(method, code, http_status_code=status)


def test_an_object_is_described_by_one_read(bucket: Bucket, s3_stub: Stubber, deadline: Deadline) -> None:
    body = answer_with(s3_stub, b"abc")
    assert bucket.inspect(KEY, MAX_BYTES, deadline) == Stored(
        etag='"e"',
        size=3,
        content_type="image/png",
        metadata={"username": "ada"},
        # FIPS 180-2, appendix B.1, in base64.
        sha256="ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
        format=None,
        dimensions=None,
    )
    assert body.closed


@pytest.mark.parametrize(("answer", "tagged"), [({}, False), ({"TagCount": 0}, False), ({"TagCount": 1}, True)])
def test_an_object_with_tags_is_described_as_tagged(
    bucket: Bucket,
    s3_stub: Stubber,
    deadline: Deadline,
    answer: dict[str, Any],
    tagged: bool,  # noqa: FBT001 - a table
) -> None:
    answer_with(s3_stub, make_picture("image/png"), **answer)
    stored = bucket.inspect(KEY, MAX_BYTES, deadline)
    assert stored
    assert stored.tagged is tagged


def test_an_object_of_the_maximum_size_is_read_whole(bucket: Bucket, s3_stub: Stubber, deadline: Deadline) -> None:
    body = answer_with(s3_stub, LARGE)
    stored = bucket.inspect(KEY, MAX_BYTES, deadline)
    assert stored
    assert (stored.size, stored.sha256) == (MAX_BYTES, compute_sha256(LARGE))
    assert (stored.format, stored.dimensions) == ("image/jpeg", (37, 21))
    assert body.closed


def test_an_object_that_is_too_large_is_not_read(bucket: Bucket, s3_stub: Stubber, deadline: Deadline) -> None:
    body = answer_with(s3_stub, LARGE)
    stored = bucket.inspect(KEY, MAX_BYTES - 1, deadline)
    assert stored
    assert (stored.size, stored.sha256, stored.format, stored.dimensions) == (MAX_BYTES, None, None, None)
    assert body.reads == 0
    assert body.closed


@pytest.mark.usefixtures("s3_stub")  # which fails on every call
def test_no_read_begins_past_the_deadline(bucket: Bucket, deadline: Deadline, watch: Watch) -> None:
    watch.now = 61
    with pytest.raises(DeadlineExceededError):
        bucket.inspect(KEY, MAX_BYTES, deadline)


@pytest.mark.parametrize(
    ("code", "status"), [("AccessDenied", 403), ("NoSuchBucket", 404), ("SlowDown", 503), ("InternalError", 500)]
)
def test_any_other_error_of_get_object_surfaces(
    bucket: Bucket, s3_stub: Stubber, deadline: Deadline, code: str, status: int
) -> None:
    refuse(s3_stub, "get_object", code, status)
    with pytest.raises(ClientError, match=code):
        bucket.inspect(KEY, MAX_BYTES, deadline)


def answer_copy(stub: Stubber, sha256: str = "verified=", **expected: str) -> None:
    stub.add_response(
        "copy_object",
        {"CopyObjectResult": {"ETag": '"copy"', "ChecksumSHA256": sha256}},
        {
            "Bucket": "pictures",
            "Key": TARGET,
            "CopySource": {"Bucket": "pictures", "Key": KEY},
            "CopySourceIfMatch": '"checked"',
            "ChecksumAlgorithm": "SHA256",
            "MetadataDirective": "REPLACE",
            "ContentType": "image/png",
            "CacheControl": "no-cache",
            "Metadata": METADATA,
            "TaggingDirective": "REPLACE",
            **expected,
        },
    )


def expect_description(stub: Stubber, answer: dict[str, Any]) -> None:
    stub.add_response("head_object", answer, {"Bucket": "pictures", "Key": TARGET, "ChecksumMode": "ENABLED"})


def expect_blank(stub: Stubber) -> None:
    stub.add_response(
        "put_object",
        {},
        {
            "Bucket": "pictures",
            "Key": TARGET,
            "Body": BLANK.read_bytes(),
            "IfMatch": '"checked"',
            "ContentType": "image/png",
            "Metadata": {"username": "ada", "sha256": BLANK_SHA256},
            "ChecksumSHA256": BLANK_SHA256,
        },
    )


def test_a_copy_is_conditional_and_inherits_nothing_from_its_source(bucket: Bucket, s3_stub: Stubber) -> None:
    answer_copy(s3_stub)
    bucket.copy(STEP)


def test_a_copy_if_absent_does_not_overwrite(bucket: Bucket, s3_stub: Stubber) -> None:
    answer_copy(s3_stub, IfNoneMatch="*")
    bucket.copy(IF_ABSENT)


@pytest.mark.parametrize(
    ("code", "status"), [("PreconditionFailed", 412), ("NoSuchKey", 404), ("ConditionalRequestConflict", 409)]
)
def test_a_copy_whose_condition_fails_raises_changed(bucket: Bucket, s3_stub: Stubber, code: str, status: int) -> None:
    refuse(s3_stub, "copy_object", code, status)
    with pytest.raises(ChangedError, match=KEY):
        bucket.copy(STEP)


@pytest.mark.parametrize(("code", "status"), [("NoSuchKey", 404), ("ConditionalRequestConflict", 409)])
def test_a_copy_if_absent_of_a_missing_source_raises_changed(
    bucket: Bucket, s3_stub: Stubber, code: str, status: int
) -> None:
    refuse(s3_stub, "copy_object", code, status)
    with pytest.raises(ChangedError, match=KEY):
        bucket.copy(IF_ABSENT)


def test_a_copy_that_an_earlier_try_made_is_accepted(bucket: Bucket, s3_stub: Stubber) -> None:
    refuse(s3_stub, "copy_object", "PreconditionFailed", 412)
    expect_description(s3_stub, {"Metadata": {}, "ChecksumSHA256": "verified="})
    bucket.copy(IF_ABSENT)


@pytest.mark.parametrize("checksum", [{"ChecksumSHA256": "other="}, {}])
def test_an_object_at_the_target_without_the_verified_bytes_is_not_accepted(
    bucket: Bucket, s3_stub: Stubber, checksum: dict[str, str]
) -> None:
    refuse(s3_stub, "copy_object", "PreconditionFailed", 412)
    # Its metadata may come from an earlier upload, so it proves nothing.
    expect_description(s3_stub, {"Metadata": METADATA, **checksum})
    with pytest.raises(OtherBytesError, match=TARGET):
        bucket.copy(IF_ABSENT)


def test_a_copy_if_absent_whose_source_changed_raises_changed(bucket: Bucket, s3_stub: Stubber) -> None:
    refuse(s3_stub, "copy_object", "PreconditionFailed", 412)
    refuse(s3_stub, "head_object", "404", 404)
    with pytest.raises(ChangedError, match=KEY):
        bucket.copy(IF_ABSENT)


@pytest.mark.parametrize("step", [STEP, IF_ABSENT])
def test_a_copy_of_other_bytes_with_the_same_etag_is_replaced_by_a_blank_picture(
    bucket: Bucket, s3_stub: Stubber, step: Copy
) -> None:
    answer_copy(s3_stub, "other=", **({"IfNoneMatch": "*"} if step.if_absent else {}))
    expect_blank(s3_stub)
    with pytest.raises(OtherBytesError, match=TARGET):
        bucket.copy(step)


def test_a_copy_of_other_bytes_that_was_replaced_since_raises_changed(bucket: Bucket, s3_stub: Stubber) -> None:
    answer_copy(s3_stub, "other=")
    refuse(s3_stub, "put_object", "PreconditionFailed", 412)
    with pytest.raises(ChangedError, match=TARGET):
        bucket.copy(STEP)


@pytest.mark.parametrize("answer", [{}, {"CopyObjectResult": {"ETag": '"copy"'}}])
def test_a_copy_response_without_a_checksum_is_transient(
    bucket: Bucket, s3_stub: Stubber, answer: dict[str, Any]
) -> None:
    s3_stub.add_response("copy_object", answer)
    with pytest.raises(HTTPClientError) as raised:
        bucket.copy(STEP)
    assert is_transient(raised.value)


@pytest.mark.parametrize(("code", "status"), [("AccessDenied", 403), ("NoSuchBucket", 404)])
@pytest.mark.parametrize("step", [STEP, IF_ABSENT])
def test_any_other_error_of_copy_object_surfaces(
    bucket: Bucket, s3_stub: Stubber, step: Copy, code: str, status: int
) -> None:
    refuse(s3_stub, "copy_object", code, status)
    with pytest.raises(ClientError, match=code):
        bucket.copy(step)


def test_a_blank_picture_replaces_exactly_the_object_that_was_read(bucket: Bucket, s3_stub: Stubber) -> None:
    expect_blank(s3_stub)
    bucket.blank(TARGET, '"checked"', METADATA)


def test_a_blank_picture_is_sent_over_https_without_a_trailing_checksum(
    make_s3_client: Callable[[str], S3Client],
) -> None:
    # Emulators are reached over plain HTTP, over which botocore never appends a checksum to a body.
    sent: list[AWSPreparedRequest] = []

    def respond(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        sent.append(request)
        headers: Any = {"ETag": '"new"'}
        return AWSResponse(str(request.url), 200, headers, HTTPResponse(io.BytesIO(), preload_content=False))

    client = make_s3_client("eu-central-1")
    events: Any = client.meta.events
    events.register("before-send.s3.PutObject", respond)
    Bucket(client, "pictures").blank(TARGET, '"checked"', METADATA)
    [request] = sent
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert str(request.url).startswith("https://pictures.s3.eu-central-1.amazonaws.com/")
    assert {"content-encoding", "x-amz-trailer"}.isdisjoint(headers)
    assert headers["x-amz-checksum-sha256"] in {BLANK_SHA256, BLANK_SHA256.encode()}


def test_the_blank_picture_is_a_picture() -> None:
    blank = BLANK.read_bytes()
    assert identify(blank) == "image/png"
    assert measure(blank) == (256, 256)


@pytest.mark.parametrize(
    ("code", "status"), [("PreconditionFailed", 412), ("NoSuchKey", 404), ("ConditionalRequestConflict", 409)]
)
def test_a_replacement_whose_condition_fails_raises_changed(
    bucket: Bucket, s3_stub: Stubber, code: str, status: int
) -> None:
    refuse(s3_stub, "put_object", code, status)
    with pytest.raises(ChangedError):
        bucket.blank(TARGET, '"checked"', METADATA)


def test_any_other_error_of_put_object_surfaces(bucket: Bucket, s3_stub: Stubber) -> None:
    refuse(s3_stub, "put_object", "AccessDenied", 403)
    with pytest.raises(ClientError, match="AccessDenied"):
        bucket.blank(TARGET, '"checked"', METADATA)


def test_keys_are_deleted_in_one_call(bucket: Bucket, s3_stub: Stubber) -> None:
    expected = {"Bucket": "pictures", "Delete": {"Objects": [{"Key": KEY}, {"Key": TARGET}], "Quiet": True}}
    s3_stub.add_response("delete_objects", {}, expected)
    bucket.delete((KEY, TARGET))


def test_a_key_that_is_not_deleted_is_an_error(bucket: Bucket, s3_stub: Stubber) -> None:
    # The status of the response is 200 all the same.
    s3_stub.add_response("delete_objects", {"Errors": [{"Key": KEY, "Code": "AccessDenied"}]})
    with pytest.raises(NotDeletedError, match="AccessDenied") as raised:
        bucket.delete((KEY, TARGET))
    assert raised.value.keys == [KEY]


def test_an_error_of_delete_objects_surfaces(bucket: Bucket, s3_stub: Stubber) -> None:
    refuse(s3_stub, "delete_objects", "AccessDenied", 403)
    with pytest.raises(ClientError, match="AccessDenied"):
        bucket.delete((KEY,))


def test_a_failed_deletion_is_logged_and_left_to_the_sweep(
    bucket: Bucket, s3_stub: Stubber, caplog: pytest.LogCaptureFixture
) -> None:
    s3_stub.add_response("delete_objects", {"Errors": [{"Key": KEY, "Code": "InternalError"}]})
    bucket.discard((KEY,))
    refuse(s3_stub, "delete_objects", "AccessDenied", 403)
    bucket.discard((KEY,))
    for record in caplog.records:
        assert record.levelname == "WARNING"
        assert KEY in record.getMessage()
        assert record.exc_info
    assert len(caplog.records) == 2


@pytest.mark.usefixtures("s3_stub")  # which fails on every call
def test_without_leftovers_nothing_is_called(bucket: Bucket, caplog: pytest.LogCaptureFixture) -> None:
    bucket.discard(())
    assert not caplog.records


def test_a_repair_is_the_copy_or_the_blank_picture(bucket: Bucket, s3_stub: Stubber) -> None:
    answer_copy(s3_stub)
    bucket.repair(Restore(STEP))
    expect_blank(s3_stub)
    stored = Stored('"checked"', 500, "image/png", METADATA, None, None, None, tagged=True)
    bucket.repair(Replace(TARGET, stored, NotAPictureError()))


def expect_listing(stub: Stubber, answer: dict[str, Any], **more: str) -> None:
    stub.add_response("list_objects_v2", answer, {"Bucket": "pictures", "Prefix": "avatars/", **more})


def test_avatars_are_listed_page_by_page(bucket: Bucket, s3_stub: Stubber) -> None:
    moment = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
    first = {"Key": TARGET, "LastModified": moment}
    # S3 encodes keys, since XML can't represent all of them. boto3 decodes them.
    second = {"Key": "avatars/a%20b%2B%C3%A9", "LastModified": moment}
    expect_listing(
        s3_stub,
        {"Contents": [first], "IsTruncated": True, "NextContinuationToken": "next", "EncodingType": "url"},
    )
    expect_listing(s3_stub, {"IsTruncated": True, "NextContinuationToken": "last"}, ContinuationToken="next")
    expect_listing(
        s3_stub, {"Contents": [second], "IsTruncated": False, "EncodingType": "url"}, ContinuationToken="last"
    )
    assert list(bucket.list_objects("avatars/")) == [
        Listed(TARGET, moment.timestamp()),
        Listed("avatars/a b+\u00e9", moment.timestamp()),
    ]


def test_the_next_page_of_a_listing_is_requested_when_it_is_needed(bucket: Bucket, s3_stub: Stubber) -> None:
    entry = {"Key": TARGET, "LastModified": datetime(2026, 11, 22, tzinfo=UTC)}
    expect_listing(s3_stub, {"Contents": [entry], "IsTruncated": True, "NextContinuationToken": "next"})
    listed = bucket.list_objects("avatars/")
    assert next(listed).key == TARGET
    refuse(s3_stub, "list_objects_v2", "SlowDown", 503)
    with pytest.raises(ClientError, match="SlowDown"):
        next(listed)


def test_a_listing_without_objects_is_empty(bucket: Bucket, s3_stub: Stubber) -> None:
    expect_listing(s3_stub, {"IsTruncated": False, "KeyCount": 0})
    assert list(bucket.list_objects("avatars/")) == []


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucket"])
def test_an_error_of_list_objects_surfaces(bucket: Bucket, s3_stub: Stubber, code: str) -> None:
    refuse(s3_stub, "list_objects_v2", code, 403)
    with pytest.raises(ClientError, match=code):
        list(bucket.list_objects("avatars/"))


@pytest.mark.parametrize(("answer", "checksum"), [({"ChecksumSHA256": "stored="}, "stored="), ({}, None)])
def test_an_object_is_described_by_its_metadata_and_its_checksum(
    bucket: Bucket, s3_stub: Stubber, answer: dict[str, str], checksum: str | None
) -> None:
    expect_description(s3_stub, {"Metadata": METADATA, **answer})
    assert bucket.describe(TARGET) == Described(METADATA, checksum)


@pytest.mark.parametrize("code", ["404", "NoSuchKey"])
def test_a_missing_object_has_no_description(bucket: Bucket, s3_stub: Stubber, code: str) -> None:
    refuse(s3_stub, "head_object", code, 404)
    with pytest.raises(MissingObjectError, match=TARGET):
        bucket.describe(TARGET)


@pytest.mark.parametrize(
    ("code", "status"), [("403", 403), ("400", 400), ("503", 503), ("AccessDenied", 403), ("NoSuchBucket", 404)]
)
def test_any_other_error_of_head_object_surfaces(bucket: Bucket, s3_stub: Stubber, code: str, status: int) -> None:
    refuse(s3_stub, "head_object", code, status)
    with pytest.raises(ClientError, match=code):
        bucket.describe(TARGET)


@pytest.mark.parametrize("tags", [{}, {"Status": "Pending"}, {"Status": "Pending", "Other": ""}])
def test_tags_are_read_by_name(bucket: Bucket, s3_stub: Stubber, tags: dict[str, str]) -> None:
    tag_set = [{"Key": name, "Value": value} for name, value in tags.items()]
    s3_stub.add_response("get_object_tagging", {"TagSet": tag_set}, {"Bucket": "pictures", "Key": TARGET})
    assert bucket.read_tags(TARGET) == tags


def test_a_missing_object_has_no_tags(bucket: Bucket, s3_stub: Stubber) -> None:
    refuse(s3_stub, "get_object_tagging", "NoSuchKey", 404)
    with pytest.raises(MissingObjectError, match=TARGET):
        bucket.read_tags(TARGET)


@pytest.mark.parametrize(("code", "status"), [("AccessDenied", 403), ("NoSuchBucket", 404), ("SlowDown", 503)])
def test_any_other_error_of_get_object_tagging_surfaces(
    bucket: Bucket, s3_stub: Stubber, code: str, status: int
) -> None:
    refuse(s3_stub, "get_object_tagging", code, status)
    with pytest.raises(ClientError, match=code):
        bucket.read_tags(TARGET)
