"""The exact S3 requests of `Bucket`, and how it reads S3's responses and errors: hence botocore's Stubber, no fake."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError
from botocore.response import StreamingBody

from services.pictures.formats import HEAD_BYTES, identify, measure
from services.store.clients import is_transient
from services.store.keys import PENDING_PREFIX
from services.uploads.bucket import BLANK, Bucket, ChangedError, MissingObjectError, NotDeletedError
from services.uploads.deadline import Deadline, DeadlineExceededError
from services.uploads.decision import Replace, Restore
from services.uploads.objects import Copy, Listed, Stored
from services.uploads.refusals import NotAPictureError
from tests.pictures import cut_off, make_picture, push_dimensions_back

if TYPE_CHECKING:
    from botocore.stub import Stubber
    from types_boto3_s3 import S3Client

KEY = f"{PENDING_PREFIX}019b0000-0000-7000-8000-000000000002"
TARGET = "avatars/019b0000-0000-7000-8000-000000000002"
LONG_HEADED = push_dimensions_back(make_picture("image/jpeg", size=(37, 21)), HEAD_BYTES)
STEP = Copy(KEY, TARGET, '"checked"', "image/png", {"username": "ada"}, "no-cache")


@pytest.fixture
def bucket(s3_client: S3Client) -> Bucket:
    return Bucket(s3_client, "pictures")


def answer_with(
    stub: Stubber,
    picture: bytes,
    *,
    last: int = HEAD_BYTES - 1,
    etag: str = '"e"',
    content_type: str = "image/png",
    **more: Any,
) -> None:
    """Expect a read of the first bytes and respond as S3 does: 206 with the bytes that exist."""
    part = picture[: last + 1]
    stub.add_response(
        "get_object",
        {
            "Body": StreamingBody(io.BytesIO(part), len(part)),
            "ETag": etag,
            "ContentLength": len(part),
            "ContentRange": f"bytes 0-{len(part) - 1}/{len(picture)}",
            "ContentType": content_type,
            "Metadata": {"username": "ada"},
            **more,
        },
        {"Bucket": "pictures", "Key": KEY, "Range": f"bytes=0-{last}"},
    )


def refuse(stub: Stubber, method: str, code: str, status: int) -> None:
    stub.add_client_error(method, code, http_status_code=status)


def test_an_object_is_described_by_one_read(bucket: Bucket, s3_stub: Stubber) -> None:
    picture = make_picture("image/png", size=(37, 21))
    answer_with(s3_stub, picture)
    assert bucket.inspect(KEY) == Stored('"e"', len(picture), "image/png", {"username": "ada"}, "image/png", (37, 21))


@pytest.mark.parametrize(("answer", "tagged"), [({}, False), ({"TagCount": 0}, False), ({"TagCount": 1}, True)])
def test_an_object_with_tags_is_described_as_tagged(
    bucket: Bucket,
    s3_stub: Stubber,
    answer: dict[str, Any],
    tagged: bool,  # noqa: FBT001 - a table
) -> None:
    answer_with(s3_stub, make_picture("image/png"), **answer)
    stored = bucket.inspect(KEY)
    assert stored
    assert stored.tagged is tagged


def test_the_size_is_that_of_the_whole_object(bucket: Bucket, s3_stub: Stubber) -> None:
    answer_with(s3_stub, make_picture("image/png", size=(37, 21)) + bytes(100_000))
    stored = bucket.inspect(KEY)
    assert stored
    assert stored.size > 100_000
    assert stored.dimensions == (37, 21)


def test_a_response_without_a_range_holds_the_whole_object(bucket: Bucket, s3_stub: Stubber) -> None:
    picture = make_picture("image/png")
    whole: dict[str, Any] = {
        "Body": StreamingBody(io.BytesIO(picture), len(picture)),
        "ETag": '"e"',
        "ContentType": "image/png",
        "Metadata": {},
    }
    s3_stub.add_response("get_object", whole)
    stored = bucket.inspect(KEY)
    assert stored
    assert stored.size == len(picture)


def test_the_second_read_of_a_long_header_is_not_made_past_the_deadline(bucket: Bucket, s3_stub: Stubber) -> None:
    answer_with(s3_stub, LONG_HEADED)
    with pytest.raises(DeadlineExceededError):
        bucket.inspect(KEY, Deadline(60, lambda: 61))


def test_a_long_header_takes_a_second_read(bucket: Bucket, s3_stub: Stubber) -> None:
    answer_with(s3_stub, LONG_HEADED)
    answer_with(s3_stub, LONG_HEADED, last=len(LONG_HEADED) - 1)
    stored = bucket.inspect(KEY)
    assert stored
    assert (stored.format, stored.dimensions) == ("image/jpeg", (37, 21))
    assert stored.size == len(LONG_HEADED)


def test_a_description_is_of_one_version_of_the_object(bucket: Bucket, s3_stub: Stubber) -> None:
    # The object was replaced between the two reads. The ETag that will be copied belongs to the second version.
    answer_with(s3_stub, LONG_HEADED, etag='"one"')
    other = make_picture("image/gif", size=(5, 4))
    answer_with(s3_stub, other, last=len(LONG_HEADED) - 1, etag='"two"', content_type="image/gif")
    assert bucket.inspect(KEY) == Stored('"two"', len(other), "image/gif", {"username": "ada"}, "image/gif", (5, 4))


def test_an_object_that_is_deleted_between_two_reads_is_missing(bucket: Bucket, s3_stub: Stubber) -> None:
    answer_with(s3_stub, LONG_HEADED)
    refuse(s3_stub, "get_object", "NoSuchKey", 404)
    assert bucket.inspect(KEY) is None


@pytest.mark.parametrize(
    ("file", "content_type"),
    [
        pytest.param(b"a text" * 20_000, None, id="long file that is no picture"),
        pytest.param(cut_off(make_picture("image/jpeg")), "image/jpeg", id="picture cut off in its header"),
    ],
)
def test_there_is_no_second_read_if_it_could_find_no_dimensions(
    bucket: Bucket, s3_stub: Stubber, file: bytes, content_type: str | None
) -> None:
    answer_with(s3_stub, file)
    stored = bucket.inspect(KEY)
    assert stored
    assert (stored.format, stored.dimensions) == (content_type, None)


@pytest.mark.parametrize(("code", "status"), [("NoSuchKey", 404), ("InvalidRange", 416)])
def test_a_missing_object_is_none(bucket: Bucket, s3_stub: Stubber, code: str, status: int) -> None:
    refuse(s3_stub, "get_object", code, status)
    assert bucket.inspect(KEY) is None


@pytest.mark.parametrize(
    ("code", "status"), [("AccessDenied", 403), ("NoSuchBucket", 404), ("SlowDown", 503), ("InternalError", 500)]
)
def test_any_other_error_of_get_object_surfaces(bucket: Bucket, s3_stub: Stubber, code: str, status: int) -> None:
    refuse(s3_stub, "get_object", code, status)
    with pytest.raises(ClientError, match=code):
        bucket.inspect(KEY)


def test_a_copy_is_conditional_and_inherits_nothing_from_its_source(bucket: Bucket, s3_stub: Stubber) -> None:
    s3_stub.add_response(
        "copy_object",
        {"CopyObjectResult": {"ETag": '"copy"'}},
        {
            "Bucket": "pictures",
            "Key": TARGET,
            "CopySource": {"Bucket": "pictures", "Key": KEY},
            "CopySourceIfMatch": '"checked"',
            "MetadataDirective": "REPLACE",
            "ContentType": "image/png",
            "CacheControl": "no-cache",
            "Metadata": {"username": "ada"},
            "TaggingDirective": "REPLACE",
        },
    )
    bucket.copy(STEP)


@pytest.mark.parametrize(("code", "status"), [("PreconditionFailed", 412), ("NoSuchKey", 404)])
def test_a_copy_whose_condition_fails_raises_changed(bucket: Bucket, s3_stub: Stubber, code: str, status: int) -> None:
    refuse(s3_stub, "copy_object", code, status)
    with pytest.raises(ChangedError):
        bucket.copy(STEP)


def test_a_copy_response_without_a_result_is_transient(bucket: Bucket, s3_stub: Stubber) -> None:
    s3_stub.add_response("copy_object", {})
    with pytest.raises(HTTPClientError) as raised:
        bucket.copy(STEP)
    assert is_transient(raised.value)


@pytest.mark.parametrize(("code", "status"), [("AccessDenied", 403), ("NoSuchBucket", 404)])
def test_any_other_error_of_copy_object_surfaces(bucket: Bucket, s3_stub: Stubber, code: str, status: int) -> None:
    refuse(s3_stub, "copy_object", code, status)
    with pytest.raises(ClientError, match=code):
        bucket.copy(STEP)


STORED = Stored('"checked"', 500, "image/png", {"username": "ada"}, None, None, tagged=True)


def test_a_blank_picture_replaces_exactly_the_object_that_was_read(bucket: Bucket, s3_stub: Stubber) -> None:
    s3_stub.add_response(
        "put_object",
        {},
        {
            "Bucket": "pictures",
            "Key": TARGET,
            "Body": BLANK.read_bytes(),
            "IfMatch": '"checked"',
            "ContentType": "image/png",
            "Metadata": {"username": "ada"},
        },
    )
    bucket.blank(TARGET, STORED)


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
        bucket.blank(TARGET, STORED)


def test_any_other_error_of_put_object_surfaces(bucket: Bucket, s3_stub: Stubber) -> None:
    refuse(s3_stub, "put_object", "AccessDenied", 403)
    with pytest.raises(ClientError, match="AccessDenied"):
        bucket.blank(TARGET, STORED)


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


def test_a_repair_is_the_copy_or_the_blank_picture(bucket: Bucket, s3_stub: Stubber) -> None:
    s3_stub.add_response("copy_object", {"CopyObjectResult": {"ETag": '"copy"'}})
    bucket.repair(Restore(STEP))
    s3_stub.add_response("put_object", {})
    bucket.repair(Replace(TARGET, STORED, NotAPictureError()))


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


@pytest.mark.parametrize(("metadata", "owner"), [({"username": "ada", "upload-token": "x"}, "ada"), ({}, None)])
def test_the_owner_is_the_username_in_the_metadata(
    bucket: Bucket, s3_stub: Stubber, metadata: dict[str, str], owner: str | None
) -> None:
    s3_stub.add_response("head_object", {"Metadata": metadata}, {"Bucket": "pictures", "Key": TARGET})
    assert bucket.find_owner(TARGET) == owner


@pytest.mark.parametrize("code", ["404", "NoSuchKey"])
def test_a_missing_object_has_no_owner(bucket: Bucket, s3_stub: Stubber, code: str) -> None:
    refuse(s3_stub, "head_object", code, 404)
    with pytest.raises(MissingObjectError, match=TARGET):
        bucket.find_owner(TARGET)


@pytest.mark.parametrize(
    ("code", "status"), [("403", 403), ("400", 400), ("503", 503), ("AccessDenied", 403), ("NoSuchBucket", 404)]
)
def test_any_other_error_of_head_object_surfaces(bucket: Bucket, s3_stub: Stubber, code: str, status: int) -> None:
    refuse(s3_stub, "head_object", code, status)
    with pytest.raises(ClientError, match=code):
        bucket.find_owner(TARGET)


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
