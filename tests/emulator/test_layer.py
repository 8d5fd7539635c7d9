"""The emulator's layer over MiniStack behaves as AWS documents. Comments and docstrings name the AWS page."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import ModuleType
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from botocore.exceptions import ClientError

from infra.documents.bucket import lifecycle_rules
from infra.local.emulator import layer
from infra.local.emulator.clock import Clock
from infra.local.emulator.lifecycle import LIFECYCLE_PATH
from infra.local.ports import pick_free_ports
from infra.local.processes import Processes
from infra.local.stack import make_root_clients, start_emulator
from services.frontend.inspector import read_expiry
from services.store.kinds import AVATAR
from tests import web

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import httpx2

    from tests.emulator.conftest import S3

PENDING_KEY = f"{AVATAR.pending_prefix}a"
PENDING = "<Tagging><TagSet><Tag><Key>Status</Key><Value>Pending</Value></Tag></TagSet></Tagging>"


def error_code(answer: httpx2.Response) -> str | None:
    return ET.fromstring(answer.text).findtext("Code")  # noqa: S314 - the emulator's own response


def digest(file: bytes) -> str:
    return base64.b64encode(hashlib.sha256(file).digest()).decode()


# The form field `file` is the last one. AWS: "POST Object".


def test_form_fields_after_the_file_are_ignored(s3: S3) -> None:
    form: dict[str, Any] = s3.signer.s3.generate_presigned_post(s3.bucket, "a")
    file, fields = ("file", ("x", b"x")), [(name, (None, value)) for name, value in form["fields"].items()]
    assert web.post(form["url"], files=[file, *fields]).is_client_error
    assert s3.keys() == []

    unlisted = ("x-amz-meta-more", (None, "more"))
    assert web.post(form["url"], files=[*fields, file, unlisted]).status_code == 204
    assert s3.head("a")["Metadata"] == {}


# The form field `tagging`. AWS: "POST Object".


def test_the_tagging_field_sets_tags(s3: S3) -> None:
    assert s3.post("a", b"x", {"tagging": PENDING}).status_code == 204
    assert s3.tags("a") == {"Status": "Pending"}
    assert s3.root.s3.get_object(Bucket=s3.bucket, Key="a").get("TagCount") == 1


def test_several_tags_with_escaped_characters_are_set(s3: S3) -> None:
    tags = "<Tag><Key>a &amp; b</Key><Value>1=2</Value></Tag><Tag><Key>plus+</Key><Value>ü /</Value></Tag>"
    assert s3.post("a", b"x", {"tagging": f"<Tagging><TagSet>{tags}</TagSet></Tagging>"}).status_code == 204
    assert s3.tags("a") == {"a & b": "1=2", "plus+": "ü /"}


def test_a_form_without_the_tagging_field_sets_no_tags(s3: S3) -> None:
    assert s3.post("a", b"x", {}).status_code == 204
    assert s3.tags("a") == {}


def test_a_new_object_does_not_keep_the_tags_of_the_replaced_one(s3: S3) -> None:
    """Tags belong to an object, and a POST or PUT makes a new one (AWS: "Categorizing your storage using tags")."""
    for again in (lambda: s3.post("a", b"y", {}), lambda: s3.put("a")):
        s3.post("a", b"x", {"tagging": PENDING})
        again()
        assert s3.tags("a") == {}


def test_a_refused_post_keeps_the_object_and_its_tags(s3: S3) -> None:
    s3.post("a", b"x", {"tagging": PENDING})
    s3.post("a", b"y", {}, **{"x-amz-storage-class": "NONSENSE"})
    s3.post("a", b"y", {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": digest(b"z")})
    assert s3.tags("a") == {"Status": "Pending"}


def test_the_policy_is_checked_against_the_tagging_field(s3: S3) -> None:
    other = PENDING.replace("Pending", "Live")
    answer = s3.post("a", b"x", {"tagging": PENDING}, tagging=other)
    assert (answer.status_code, error_code(answer)) == (403, "AccessDenied")
    assert s3.keys() == []


def test_a_tagging_field_that_the_policy_does_not_name_is_refused(s3: S3) -> None:
    answer = s3.post("a", b"x", {}, tagging=PENDING)
    assert (answer.status_code, error_code(answer)) == (403, "AccessDenied")
    assert s3.keys() == []


def test_tagging_that_is_not_xml_is_refused(s3: S3) -> None:
    answer = s3.post("a", b"x", {"tagging": "Status=Pending"})
    assert (answer.status_code, error_code(answer)) == (400, "MalformedXML")
    assert s3.keys() == []


def test_more_than_ten_tags_are_refused(s3: S3) -> None:
    """AWS: "Categorizing your storage using tags"."""
    tags = "".join(f"<Tag><Key>k{number}</Key><Value>v</Value></Tag>" for number in range(11))
    answer = s3.post("a", b"x", {"tagging": f"<Tagging><TagSet>{tags}</TagSet></Tagging>"})
    assert (answer.status_code, error_code(answer)) == (400, "BadRequest")
    assert s3.keys() == []


def test_a_form_with_tagging_needs_a_signer_with_permission_to_tag(s3: S3) -> None:
    """AWS: "Object tagging and access control policies"."""
    s3.allow("s3:PutObject")
    answer = s3.post("a", b"x", {"tagging": PENDING})
    assert (answer.status_code, error_code(answer)) == (403, "AccessDenied")
    assert s3.keys() == []
    assert s3.post("a", b"x", {}).status_code == 204


# The checksum. AWS: "Checking object integrity in Amazon S3".


def test_the_sha256_is_stored(s3: S3) -> None:
    file = b"some bytes"
    pinned = {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": digest(file)}
    assert s3.post("a", file, pinned).status_code == 204
    assert s3.head("a", ChecksumMode="ENABLED")["ChecksumSHA256"] == digest(file)


def test_a_file_with_another_sha256_is_refused(s3: S3) -> None:
    pinned = {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": digest(b"announced")}
    answer = s3.post("a", b"different", pinned)
    assert (answer.status_code, error_code(answer)) == (400, "BadDigest")
    assert s3.keys() == []


def test_an_object_without_a_checksum_does_not_get_that_of_another(s3: S3) -> None:
    file = b"some bytes"
    s3.post("a", file, {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": digest(file)})
    s3.post("b", file, {})
    s3.put("c")
    assert "ChecksumSHA256" not in s3.head("b", ChecksumMode="ENABLED")
    assert "ChecksumSHA256" not in s3.head("c", ChecksumMode="ENABLED")


# CopyObject. AWS: "CopyObject" (`x-amz-checksum-algorithm`, `If-Match`, `If-None-Match`).


def copy(s3: S3, source: str, target: str, **more: Any) -> Any:
    where: Any = {"Bucket": s3.bucket, "Key": source}
    return s3.root.s3.copy_object(Bucket=s3.bucket, Key=target, CopySource=where, **more)["CopyObjectResult"]


def copy_error(s3: S3, source: str, target: str, **more: Any) -> str:
    with pytest.raises(ClientError) as refused:
        copy(s3, source, target, **more)
    return refused.value.response.get("Error", {}).get("Code", "")


def checksums(found: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in found.items() if name.startswith("Checksum") and name != "ChecksumType"}


def test_a_copy_has_only_a_checksum_of_the_requested_algorithm(s3: S3) -> None:
    s3.put("a", ChecksumAlgorithm="CRC32")
    expected = {"ChecksumSHA256": digest(b"x")}
    assert checksums(copy(s3, "a", "b", ChecksumAlgorithm="SHA256")) == expected
    assert checksums(s3.head("b", ChecksumMode="ENABLED")) == expected
    assert "ChecksumSHA256" not in s3.head("a", ChecksumMode="ENABLED")


def test_a_copy_keeps_the_checksum_of_its_source(s3: S3) -> None:
    s3.put("a", ChecksumAlgorithm="SHA256")
    expected = {"ChecksumSHA256": digest(b"x")}
    assert checksums(copy(s3, "a", "b")) == expected
    assert checksums(s3.head("b", ChecksumMode="ENABLED")) == expected


def test_a_copy_onto_itself_can_compute_a_checksum(s3: S3) -> None:
    s3.post("a", b"x", {"x-amz-meta-username": "ada"})
    expected = {"ChecksumSHA256": digest(b"x")}
    assert checksums(copy(s3, "a", "a", ChecksumAlgorithm="SHA256", MetadataDirective="REPLACE")) == expected
    assert checksums(s3.head("a", ChecksumMode="ENABLED")) == expected


def test_a_copy_that_may_not_replace_an_object_changes_nothing(s3: S3) -> None:
    s3.post("a", b"new", {})
    s3.post("b", b"old", {"tagging": PENDING})
    before = s3.head("b")["ETag"]
    assert copy_error(s3, "a", "b", IfNoneMatch="*") == "PreconditionFailed"
    assert copy_error(s3, "a", "b", IfMatch=s3.head("a")["ETag"]) == "PreconditionFailed"
    assert (s3.head("b")["ETag"], s3.tags("b")) == (before, {"Status": "Pending"})
    copy(s3, "a", "b", IfMatch=before)
    assert s3.head("b")["ETag"] == s3.head("a")["ETag"]


# The header x-amz-expiration. AWS: "HeadObject", "GetObject"; and "Lifecycle configuration elements" on midnight.


def next_but_one_midnight(modified: datetime) -> datetime:
    day_after = modified + timedelta(days=2)
    return datetime(day_after.year, day_after.month, day_after.day, tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "tagging", "rule"),
    [(PENDING_KEY, "", "pending-prefix"), ("avatars/a", "Status=Pending", "pending-tag")],
)
def test_an_object_with_a_lifecycle_rule_has_its_expiration_header(s3: S3, key: str, tagging: str, rule: str) -> None:
    s3.put(key, Tagging=tagging)
    head = s3.head(key)
    assert read_expiry(head["Expiration"]) == next_but_one_midnight(head["LastModified"])
    assert f'rule-id="{rule}"' in head["Expiration"]
    assert s3.root.s3.get_object(Bucket=s3.bucket, Key=key).get("Expiration") == head["Expiration"]
    ranged = s3.root.s3.get_object(Bucket=s3.bucket, Key=key, Range="bytes=0-0")
    assert ranged.get("Expiration") == head["Expiration"]


@pytest.mark.parametrize(
    ("key", "tagging"), [("avatars/a", ""), ("avatars/a", "Status=Live"), (f"{AVATAR.pending_prefix[:-2]}/a", "")]
)
def test_an_object_without_a_lifecycle_rule_has_no_expiration_header(s3: S3, key: str, tagging: str) -> None:
    s3.put(key, Tagging=tagging)
    assert "Expiration" not in s3.head(key)


def test_a_copy_outside_the_pending_prefix_has_no_expiration_header(s3: S3) -> None:
    s3.put(PENDING_KEY)
    s3.root.s3.copy_object(Bucket=s3.bucket, Key="avatars/a", CopySource={"Bucket": s3.bucket, "Key": PENDING_KEY})
    assert "Expiration" not in s3.head("avatars/a")


def test_a_copy_onto_itself_without_tags_has_no_expiration_header(s3: S3) -> None:
    s3.put("avatars/a", Tagging="Status=Pending")
    etag = s3.head("avatars/a")["ETag"]
    s3.root.s3.copy_object(
        Bucket=s3.bucket,
        Key="avatars/a",
        CopySource={"Bucket": s3.bucket, "Key": "avatars/a"},
        CopySourceIfMatch=etag,
        MetadataDirective="REPLACE",
        TaggingDirective="REPLACE",
    )
    assert s3.tags("avatars/a") == {}
    assert "Expiration" not in s3.head("avatars/a")


def test_a_disabled_rule_deletes_nothing(s3: S3) -> None:
    s3.root.s3.put_bucket_lifecycle_configuration(
        Bucket=s3.bucket,
        LifecycleConfiguration={
            "Rules": [{"ID": "off", "Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]
        },
    )
    s3.put(PENDING_KEY)
    assert "Expiration" not in s3.head(PENDING_KEY)
    assert s3.move_clock(5)["deleted"] == []


# The execution of lifecycle rules. AWS: "Expiring objects".


def test_rules_delete_exactly_the_expired_objects(s3: S3) -> None:
    s3.put(PENDING_KEY)
    s3.put("avatars/waiting", Tagging="Status=Pending")
    s3.put("avatars/live")
    moved = s3.move_clock(3)
    assert sorted((entry["key"], entry["rule"]) for entry in moved["deleted"]) == [
        ("avatars/waiting", "pending-tag"),
        (PENDING_KEY, "pending-prefix"),
    ]
    assert s3.keys() == ["avatars/live"]


def test_an_object_expires_at_midnight(s3: S3) -> None:
    """With a rule of one day, an object that is uploaded at noon expires at the midnight after the next noon."""
    s3.put(PENDING_KEY)
    expires = read_expiry(s3.head(PENDING_KEY)["Expiration"])
    assert expires
    # Two days later it has always expired. One day later it has not, unless midnight passes during the test.
    for _ in range(2):
        moved = s3.move_clock(1)
        is_over = datetime.fromisoformat(moved["now"]) >= expires
        assert [entry["key"] for entry in moved["deleted"]] == ([PENDING_KEY] if is_over else [])
        if is_over:
            break
        assert read_expiry(s3.head(PENDING_KEY)["Expiration"]) == expires
    assert s3.keys() == []


def test_new_objects_have_the_time_of_the_moved_clock(s3: S3) -> None:
    ahead = s3.move_clock(2)
    s3.put(PENDING_KEY)
    head = s3.head(PENDING_KEY)
    assert head["LastModified"] > datetime.now(UTC) + timedelta(days=1)
    assert head["LastModified"] <= datetime.fromisoformat(ahead["now"]) + timedelta(minutes=5)
    assert read_expiry(head["Expiration"]) == next_but_one_midnight(head["LastModified"])


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "null",
        "[1]",
        "{}",
        '{"days": 1.5}',
        '{"days": true}',
        '{"days": 1, "hours": 1}',
        "\xff",
    ]
    + [f'{{"days": {days}}}' for days in ("0", "-1", "401", "3650", str(2**64), "9" * 50, "1e999", "NaN")],
)
def test_the_clock_refuses_an_invalid_number_of_days(s3: S3, body: str) -> None:
    before = s3.move_clock(1)["days_ahead"]
    headers = {"Content-Type": "application/json"}
    answer = web.post(s3.root.endpoint + LIFECYCLE_PATH, content=body.encode("latin-1"), headers=headers)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert s3.move_clock(1)["days_ahead"] == before + 1


def test_the_clock_is_not_moved_too_far_ahead(s3: S3) -> None:
    before = s3.move_clock(1)["days_ahead"]
    answer = web.post(s3.root.endpoint + LIFECYCLE_PATH, json={"days": 400})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:problem:too-far-ahead")
    assert s3.move_clock(1)["days_ahead"] == before + 1


def test_another_version_of_ministack_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer, "VERSION", "0.0.0")
    with pytest.raises(layer.WrongVersionError, match=r"for version 0\.0\.0"):
        layer.install(ModuleType("s3"), Clock())


def test_the_expiration_header_has_an_http_date(s3: S3) -> None:
    """RFC 9110, section 5.6.7."""
    s3.put(PENDING_KEY)
    date = s3.head(PENDING_KEY)["Expiration"].split('"')[1]
    assert parsedate_to_datetime(date).strftime("%a, %d %b %Y %H:%M:%S GMT") == date


def test_expired_objects_are_deleted_when_the_emulator_starts(tmp_path: Path) -> None:
    root = make_root_clients(pick_free_ports(1)[0])
    rules: Any = lifecycle_rules()
    processes = Processes(tmp_path)
    try:
        start_emulator(processes, root, tmp_path / "data")
        root.s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        root.s3.put_bucket_lifecycle_configuration(Bucket="kept", LifecycleConfiguration={"Rules": rules})
        for key in (f"{AVATAR.pending_prefix}over", f"{AVATAR.pending_prefix}new", "avatars/live"):
            root.s3.put_object(Bucket="kept", Key=key, Body=b"x")
        processes.stop()
        # One of the objects gets a date three days earlier.
        (file,) = (path for path in (tmp_path / "data" / "s3").rglob("*over*") if "last_modified" in path.read_text())
        kept = json.loads(file.read_text())
        before = datetime.fromisoformat(kept["last_modified"]) - timedelta(days=3)
        file.write_text(json.dumps(kept | {"last_modified": before.strftime("%Y-%m-%dT%H:%M:%S.000Z")}))
        start_emulator(processes, root, tmp_path / "data")
        listed = root.s3.list_objects_v2(Bucket="kept")["Contents"]  # pyright: ignore[reportTypedDictNotRequiredAccess] - the bucket is not empty
        assert [entry.get("Key") for entry in listed] == ["avatars/live", f"{AVATAR.pending_prefix}new"]
    finally:
        processes.stop()
