"""The embedded emulator refuses the POST requests that S3 refuses.

AWS: "POST Object", "Creating a POST policy", "Error responses". Where AWS documents no code, or another one than S3
sends, it is the code of a recorded response.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from tests import web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx2

    from tests.emulator.conftest import S3

KEY = "avatars/a"
FILE = b"\x89PNG some bytes"
CHANGED = {"key": "b", "Content-Type": "text/html", "x-amz-meta-username": "bob"}
MULTIPART = "multipart/form-data; boundary=limit"


@dataclass(frozen=True)
class Post:
    """A POST request to the bucket, with the fields before the file."""

    url: str
    fields: tuple[tuple[str, str], ...]
    files: tuple[bytes, ...] = (FILE,)
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": MULTIPART})
    body: bytes | None = None
    """The body, if it is not the form."""

    def send(self, *, chunked: bool = False) -> httpx2.Response:
        body = self.encode() if self.body is None else self.body
        return web.post(self.url, content=iter([body]) if chunked else body, headers=self.headers)

    def encode(self) -> bytes:
        parts = [part(name, value.encode()) for name, value in self.fields]
        return b"".join([*parts, *(part("file", file, "a.png") for file in self.files), b"--limit--\r\n"])

    def set(self, **changed: str | None) -> Post:
        """The request with other values of fields, without those that are None."""
        fields = dict(self.fields) | {name.replace("_", "-"): value for name, value in changed.items()}
        return replace(self, fields=tuple((name, value) for name, value in fields.items() if value is not None))

    def with_headers(self, **headers: str) -> Post:
        return replace(self, headers=self.headers | {name.replace("_", "-"): value for name, value in headers.items()})

    def with_body(self, change: Callable[[bytes], bytes]) -> Post:
        return replace(self, body=change(self.encode()))


def part(name: str, content: bytes, filename: str = "") -> bytes:
    suffix = f'; filename="{filename}"' if filename else ""
    header = f'--limit\r\nContent-Disposition: form-data; name="{name}"{suffix}\r\n\r\n'
    return header.encode() + content + b"\r\n"


def sign(s3: S3, key: str = KEY, seconds: int = 300, **more: str) -> Post:
    pinned = {"Content-Type": "image/png", "x-amz-meta-username": "ada"} | more
    conditions: list[Any] = [*({name: value} for name, value in pinned.items()), ["content-length-range", 1, 100]]
    form = s3.signer.s3.generate_presigned_post(s3.bucket, key, dict(pinned), conditions, seconds)
    return Post(form["url"], tuple(form["fields"].items()))


@pytest.fixture
def post(s3: S3) -> Iterator[Post]:
    """A request that would succeed. After the test the bucket is still empty."""
    yield sign(s3)
    assert s3.keys() == []


def error_code(answer: httpx2.Response) -> str | None:
    return ET.fromstring(answer.text).findtext("Code")  # noqa: S314 - the emulator's own response


def scope(post: Post, position: int, value: str) -> Post:
    """The request with another part of its credential scope: access key, date, region, service or terminator."""
    parts = dict(post.fields)["x-amz-credential"].split("/")
    parts[position] = value
    return post.set(x_amz_credential="/".join(parts))


def encode_policy(policy: object) -> str:
    return base64.b64encode(json.dumps(policy).encode()).decode()


REFUSED: dict[str, tuple[Callable[[Post], Post], int, str]] = {
    # The authorization. Recorded: "Unsupported Authorization Type", "Only one auth mechanism allowed".
    "a bearer token": (lambda post: post.with_headers(Authorization="Bearer x"), 400, "InvalidArgument"),
    "basic authentication": (lambda post: post.with_headers(Authorization="Basic YTpi"), 400, "InvalidArgument"),
    "an empty authorization": (lambda post: post.with_headers(Authorization=""), 400, "InvalidArgument"),
    "fields of signature version 2": (
        lambda post: post.set(AWSAccessKeyId="x", signature="x"),
        400,
        "InvalidRequest",
    ),
    # The body. AWS: "Error responses".
    "no content type": (lambda post: post.with_headers(Content_Type=""), 412, "PreconditionFailed"),
    "a urlencoded form": (
        lambda post: post.with_headers(Content_Type="application/x-www-form-urlencoded"),
        412,
        "PreconditionFailed",
    ),
    "no boundary": (
        lambda post: post.with_headers(Content_Type="multipart/form-data"),
        400,
        "MalformedPOSTRequest",
    ),
    "another boundary": (
        lambda post: post.with_headers(Content_Type="multipart/form-data; boundary=other"),
        400,
        "MalformedPOSTRequest",
    ),
    "an empty body": (lambda post: replace(post, body=b""), 400, "MalformedPOSTRequest"),
    "a body without the last boundary": (
        lambda post: post.with_body(lambda body: body.removesuffix(b"--limit--\r\n")),
        400,
        "MalformedPOSTRequest",
    ),
    "a body that ends in the file": (lambda post: post.with_body(lambda body: body[:-20]), 400, "MalformedPOSTRequest"),
    "a part without a header": (
        lambda post: post.with_body(lambda body: b"--limit\r\n\r\nx\r\n" + body),
        400,
        "MalformedPOSTRequest",
    ),
    "no file": (lambda post: replace(post, files=()), 400, "InvalidArgument"),
    "two files": (lambda post: replace(post, files=(FILE, FILE)), 400, "InvalidArgument"),
    "the file before the fields": (
        lambda post: post.with_body(lambda body: part("file", FILE) + body.replace(part("file", FILE, "a.png"), b"")),
        403,
        "AccessDenied",
    ),
    # The fields. AWS: "POST Object" (20 KB before the file), "Error responses".
    "too many fields": (lambda post: post.set(x_ignore_a="x" * 20_480), 400, "MaxPostPreDataLengthExceeded"),
    "no key": (lambda post: post.set(key=None), 400, "InvalidArgument"),
    "an empty key": (lambda post: post.set(key=""), 400, "InvalidArgument"),
    "a key that is too long": (lambda post: post.set(key="k" * 1025), 400, "KeyTooLongError"),
    "too much metadata": (lambda post: post.set(x_amz_meta_more="x" * 2048), 400, "MetadataTooLarge"),
    "another bucket": (lambda post: post.set(bucket="other"), 403, "AccessDenied"),
    # The signature. AWS: "Authenticating requests in browser-based uploads using POST".
    "a scope of another date": (lambda post: scope(post, 1, "20200101"), 400, "InvalidArgument"),
    "a scope of another region": (lambda post: scope(post, 2, "us-east-1"), 400, "InvalidArgument"),
    "a scope of another service": (lambda post: scope(post, 3, "dynamodb"), 400, "InvalidArgument"),
    "a scope with another end": (lambda post: scope(post, 4, "aws5_request"), 400, "InvalidArgument"),
    "a date in another format": (lambda post: post.set(x_amz_date="2026-01-01"), 400, "InvalidArgument"),
    "another algorithm": (lambda post: post.set(x_amz_algorithm="AWS4-HMAC-SHA1"), 400, "InvalidArgument"),
    "another policy": (
        lambda post: post.set(policy=encode_policy({"expiration": "2999-01-01T00:00:00Z", "conditions": []})),
        403,
        "SignatureDoesNotMatch",
    ),
    "an unsigned form": (
        lambda post: post.set(
            **{name: None for name, _ in post.fields if name.startswith("x-amz-") and "meta" not in name}
        ),
        403,
        "AccessDenied",
    ),
    # The policy. AWS: "Creating a POST policy".
    **{
        f"another {name}": ((lambda post, name=name: post.set(**{name: CHANGED[name]})), 403, "AccessDenied")
        for name in CHANGED
    },
    "an unlisted field": (lambda post: post.set(x_amz_meta_more="x"), 403, "AccessDenied"),
    "a repeated key": (
        lambda post: replace(post, fields=(*post.fields, ("key", "b"))),
        403,
        "AccessDenied",
    ),
    "an empty file": (lambda post: replace(post, files=(b"",)), 400, "EntityTooSmall"),
    "a large file": (lambda post: replace(post, files=(b"x" * 101,)), 400, "EntityTooLarge"),
    # The address.
    "a key in the path": (lambda post: replace(post, url=f"{post.url}/{KEY}"), 405, "MethodNotAllowed"),
    "a bucket that does not exist": (lambda post: replace(post, url=f"{post.url}-none"), 404, "NoSuchBucket"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_post_is_refused(post: Post, case: str) -> None:
    change, status, code = REFUSED[case]
    answer = change(post).send()
    assert (answer.status_code, error_code(answer)) == (status, code), answer.text


def test_a_post_with_a_signature_in_the_query_string_is_refused(s3: S3, post: Post) -> None:
    url = s3.root.s3.generate_presigned_url("head_bucket", {"Bucket": s3.bucket}, HttpMethod="POST")
    answer = replace(post, url=url).send()
    assert (answer.status_code, error_code(answer)) == (400, "InvalidArgument")


def test_a_post_without_content_length_is_refused(post: Post) -> None:
    answer = post.send(chunked=True)
    assert (answer.status_code, error_code(answer)) == (411, "MissingContentLength")


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ("x", "InvalidPolicyDocument"),
        (encode_policy([]), "InvalidPolicyDocument"),
        (encode_policy({"conditions": []}), "InvalidPolicyDocument"),
        (encode_policy({"expiration": "soon", "conditions": []}), "InvalidPolicyDocument"),
        (encode_policy({"expiration": "2999-01-01T00:00:00Z"}), "InvalidPolicyDocument"),
        (
            encode_policy({"expiration": "2999-01-01T00:00:00Z", "conditions": [["ends-with", "$key", "a"]]}),
            "InvalidPolicyDocument",
        ),
    ],
)
def test_an_invalid_policy_with_a_right_signature_is_refused(s3: S3, post: Post, policy: str, code: str) -> None:
    answer = post.set(policy=policy, x_amz_signature=s3.sign(policy, dict(post.fields)["x-amz-credential"])).send()
    assert (answer.status_code, error_code(answer)) == (400, code)


def test_an_expired_form_is_refused(s3: S3) -> None:
    answer = sign(s3, seconds=-1).send()
    assert (answer.status_code, error_code(answer)) == (403, "AccessDenied")
    assert "Policy expired" in answer.text


@pytest.mark.parametrize(("status", "expected"), [("200", 200), ("201", 201), ("204", 204), ("404", 204), ("x", 204)])
def test_the_form_sets_the_status_to_one_of_three(s3: S3, status: str, expected: int) -> None:
    """AWS: "POST Object" (`success_action_status`)."""
    assert sign(s3, success_action_status=status).send().status_code == expected


def test_the_boundary_inside_a_line_of_the_file_is_content(s3: S3) -> None:
    """RFC 2046, section 5.1.1: a boundary begins a line."""
    file = b"x--limit--\r\nx--limit\r\n\r\n-limit"
    assert replace(sign(s3), files=(file,)).send().status_code == 204
    assert s3.root.s3.get_object(Bucket=s3.bucket, Key=KEY)["Body"].read() == file


def test_a_form_as_large_as_allowed_is_accepted(s3: S3) -> None:
    metadata: Any = {"x-amz-meta-more": "x" * (2048 - len("moreusernameada"))}
    post = sign(s3, "k" * 1024, **metadata)
    left = 20_480 - sum(len(name) + len(value) for name, value in post.fields) - len("x-ignore-a")
    assert post.set(x_ignore_a="x" * left).send().status_code == 204
    assert post.set(x_ignore_a="x" * (left + 1)).send().status_code == 400


@pytest.mark.parametrize("authorization", ["Bearer x", "Basic YTpi"])
def test_a_get_with_another_authorization_is_refused(s3: S3, authorization: str) -> None:
    s3.put(KEY)
    url = s3.root.s3.generate_presigned_url("get_object", {"Bucket": s3.bucket, "Key": KEY})
    assert web.get(url).status_code == 200
    for address in (url, url.partition("?")[0]):
        answer = web.get(address, headers={"Authorization": authorization})
        assert (answer.status_code, error_code(answer)) == (400, "InvalidArgument")
