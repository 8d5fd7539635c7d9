"""Forms of `services.uploads.form` equal botocore's byte for byte, whatever the input."""

from __future__ import annotations

import base64
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import boto3
import pytest
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import NoCredentialsError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.store.clients import S3_CONFIG
from services.store.kinds import AVATAR
from services.uploads.bucket import Bucket
from services.uploads.form import Destination, Signer
from tests.unit.conftest import OWN_ENDPOINTS, find_credentials

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3 import S3Client

KEY = f"{AVATAR.pending_prefix}019b0000-0000-7000-8000-000000000002"
DESTINATION = Destination("pictures", "https://pictures.example/", "eu-west-1")
MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC).timestamp()

PLACES: dict[str, tuple[str, str, str | None]] = {
    "region": ("eu-west-1", "pictures", None),
    "another region": ("ap-southeast-2", "pictures", None),
    "first region": ("us-east-1", "pictures", None),
    "other partition": ("cn-north-1", "pictures", None),
    "dots": ("eu-central-1", "pictures.of.mine", None),
    "emulator": ("eu-west-1", "pictures", "http://127.0.0.1:4566"),
    "emulator by name": ("us-east-1", "pictures", "http://localhost:4566"),
    "container": ("eu-west-1", "pictures.of.mine", "http://localstack:4566"),
}


def make_client(region: str, endpoint: str | None, access_key: str, secret_key: str, token: str | None) -> S3Client:
    config = S3_CONFIG.merge(OWN_ENDPOINTS)
    return boto3.client(
        "s3",
        region,
        endpoint_url=endpoint,
        config=config,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=token,
    )


CLIENTS = {place: make_client(region, endpoint, "AKIA", "s", None) for place, (region, _, endpoint) in PLACES.items()}
DESTINATIONS = {place: Bucket(CLIENTS[place], bucket).find_destination() for place, (_, bucket, _) in PLACES.items()}

TEXT = st.text(min_size=1, max_size=40)
SECRETS = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=60)
NAMES = st.one_of(
    st.sampled_from(["Content-Type", "tagging", "x-amz-checksum-sha256"]), TEXT.map(lambda text: f"x-amz-meta-{text}")
)


def presign_with_botocore(
    place: str, credentials: Credentials, now: float, key: str, pinned: dict[str, str], size: int, seconds: int
) -> dict[str, Any]:
    """The form that is signed at that moment."""
    moment = datetime.fromtimestamp(now, UTC).replace(tzinfo=None)
    conditions: list[Any] = [*({name: value} for name, value in pinned.items()), ["content-length-range", size, size]]
    client: Any = CLIENTS[place]
    with (
        patch("botocore.auth.get_current_datetime", lambda: moment),
        patch("botocore.signers.get_current_datetime", lambda: moment),
        patch.object(client._request_signer, "_credentials", credentials),  # noqa: SLF001 - clients are slow to make
    ):
        return client.generate_presigned_post(
            PLACES[place][1], key, Fields=dict(pinned), Conditions=conditions, ExpiresIn=seconds
        )


@settings(max_examples=300)
@given(
    place=st.sampled_from(list(PLACES)),
    credentials=st.tuples(SECRETS, SECRETS, st.none() | SECRETS),
    now=st.floats(0, 4_000_000_000) | st.integers(-3, 3).map(lambda seconds: MIDNIGHT + seconds / 2),
    key=st.sampled_from([KEY, KEY.replace("pending", "avatars")]) | TEXT,
    pinned=st.dictionaries(NAMES, TEXT, max_size=6),
    size=st.integers(1, 5_000_000_000),
    seconds=st.integers(1, 3600),
)
@example("region", ("AKIA", "a/b+c=", "a/token+="), MIDNIGHT - 0.5, KEY, {"tagging": "é\u2028\U0001f600"}, 1, 1)
@example("dots", ("AKIA", "secret", ""), MIDNIGHT, KEY, {"Content-Type": 'a"b\\c\n'}, 1, 3600)
def test_a_form_equals_the_one_that_botocore_makes(
    place: str,
    credentials: tuple[str, str, str | None],
    now: float,
    key: str,
    pinned: dict[str, str],
    size: int,
    seconds: int,
) -> None:
    if key.endswith("${filename}"):
        return  # botocore replaces this placeholder; the product's keys end in an id
    found = Credentials(*credentials)
    form = Signer(DESTINATIONS[place], lambda: found).make_form(now, key, pinned, size, seconds)
    expected = presign_with_botocore(place, found, now, key, pinned, size, seconds)
    assert form.url == expected["url"]
    # The order is compared, too: botocore's policy is the same text, so the signature is the same.
    assert list(form.fields.items()) == list(expected["fields"].items())


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("region", "https://pictures.s3.eu-west-1.amazonaws.com/"),
        ("first region", "https://pictures.s3.us-east-1.amazonaws.com/"),
        # A certificate's wildcard matches one label, so botocore puts a bucket name with dots in the path.
        ("dots", "https://s3.eu-central-1.amazonaws.com/pictures.of.mine"),
        ("emulator", "http://127.0.0.1:4566/pictures"),
    ],
)
def test_a_destination_equals_botocore_s(place: str, url: str) -> None:
    region, bucket, _ = PLACES[place]
    assert DESTINATIONS[place] == Destination(bucket, url, region)


def test_a_client_with_path_style_addresses_has_the_bucket_in_the_path() -> None:
    config = S3_CONFIG.merge(OWN_ENDPOINTS).merge(type(S3_CONFIG)(s3={"addressing_style": "path"}))
    client = boto3.client("s3", "eu-west-1", config=config, aws_access_key_id="a", aws_secret_access_key="s")
    assert Bucket(client, "pictures").find_destination().url == "https://s3.eu-west-1.amazonaws.com/pictures"


@pytest.mark.parametrize("region", ["eu-west-1", "eu-central-1", "us-east-1"])
def test_a_form_is_posted_to_the_bucket_s_own_region_with_signature_version_4(
    make_s3_client: Callable[[str], S3Client], region: str
) -> None:
    # The global endpoint redirects to the bucket's region, which breaks CORS in the browser.
    destination = Bucket(make_s3_client(region), "pictures").find_destination()
    form = Signer(destination, find_credentials).make_form(MIDNIGHT, KEY, {}, 500, 300)
    assert form.url == f"https://pictures.s3.{region}.amazonaws.com/"
    assert form.fields["x-amz-algorithm"] == "AWS4-HMAC-SHA256"


def test_a_form_allows_the_named_fields_and_size_and_nothing_else() -> None:
    pinned = {"Content-Type": "image/png", "x-amz-meta-username": "ada"}
    form = Signer(DESTINATION, find_credentials).make_form(MIDNIGHT, KEY, pinned, 500, 300)
    policy = json.loads(base64.b64decode(form.fields["policy"]))
    signing = {"x-amz-algorithm", "x-amz-credential", "x-amz-date"}
    assert set(form.fields) == {"key", "policy", "x-amz-signature", *pinned, *signing}
    assert policy == {
        "expiration": "2026-11-22T00:05:00Z",
        "conditions": [
            {"Content-Type": "image/png"},
            {"x-amz-meta-username": "ada"},
            ["content-length-range", 500, 500],
            {"bucket": "pictures"},
            {"key": KEY},
            {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
            {"x-amz-credential": "AKIAEXAMPLE/20261122/eu-west-1/s3/aws4_request"},
            {"x-amz-date": "20261122T000000Z"},
        ],
    }


def test_the_next_form_is_signed_with_refreshed_credentials() -> None:
    """Credentials like those of an ECS task: botocore refreshes them before they expire."""
    names = itertools.count()
    now = datetime(2026, 11, 22, tzinfo=UTC)

    def fetch() -> dict[str, str]:
        name = str(next(names))
        expiry = (now + timedelta(hours=1)).isoformat()
        return {"access_key": name, "secret_key": name, "token": f"token-{name}", "expiry_time": expiry}

    found = RefreshableCredentials("", "", "", now, fetch, "test", time_fetcher=lambda: now)
    signer = Signer(DESTINATION, lambda: found)
    first = signer.make_form(MIDNIGHT, KEY, {}, 1, 300).fields
    now = datetime(2026, 11, 22, 0, 59, tzinfo=UTC)
    second = signer.make_form(MIDNIGHT, KEY, {}, 1, 300).fields
    assert [fields["x-amz-security-token"] for fields in (first, second)] == ["token-0", "token-1"]
    assert first["x-amz-signature"] != second["x-amz-signature"]


def test_without_credentials_no_form_can_be_signed() -> None:
    with pytest.raises(NoCredentialsError):
        Signer(DESTINATION, lambda: None).make_form(MIDNIGHT, KEY, {}, 1, 300)
