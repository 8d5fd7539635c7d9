"""What clients ask for and how they read timestamps."""

from __future__ import annotations

import io
from datetime import UTC
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.loaders import JSONFileLoader, Loader
from botocore.utils import parse_timestamp
from urllib3 import HTTPResponse

from services.store.clients import S3_CONFIG, ModelReader, create_session, read_timestamp
from tests.unit.conftest import CREDENTIALS, OWN_ENDPOINTS, REGION

LISTED = "2026-11-22T10:20:30.000Z"
BODY = f"""<ListBucketResult><IsTruncated>false</IsTruncated>
<Contents><Key>a</Key><LastModified>{LISTED}</LastModified></Contents></ListBucketResult>"""


@pytest.mark.parametrize(
    "value",
    [
        LISTED,
        "2026-11-22T10:20:30Z",
        "Sun, 22 Nov 2026 10:20:30 GMT",
        "2026-11-22T10:20:30+01:00",
        1795342830,
        1.5,
        "1",
    ],
)
def test_a_timestamp_is_the_one_that_botocore_reads(value: Any) -> None:
    assert read_timestamp(value) == parse_timestamp(value)


@pytest.mark.parametrize("value", ["", "Z", "2026-13-01T00:00:00Z", "yesterday", "Sun, 31 Feb 2026 10:20:30 GMT"])
def test_an_invalid_timestamp_is_an_error_of_the_same_kind(value: str) -> None:
    for read in (read_timestamp, parse_timestamp):
        with pytest.raises(ValueError):  # noqa: PT011 - the texts differ
            read(value)


def test_a_client_of_the_session_reads_timestamps_without_botocore() -> None:
    class Raw:
        def stream(self) -> list[bytes]:
            return [BODY.encode()]

    def respond(**_: Any) -> AWSResponse:
        return AWSResponse("https://pictures.s3.amazonaws.com", 200, HTTPHeaders(), Raw())

    client = create_session().client("s3", REGION, config=S3_CONFIG.merge(OWN_ENDPOINTS), **CREDENTIALS)
    client.meta.events.register("before-send", respond)  # pyright: ignore[reportArgumentType] - the stubs allow no response
    (entry,) = client.list_objects_v2(Bucket="pictures").get("Contents", [])
    modified = entry.get("LastModified")
    assert modified is not None
    assert modified == parse_timestamp(LISTED)
    assert modified.tzinfo is UTC  # botocore's own parser would return another class


@pytest.mark.parametrize(
    "name",
    ["endpoints", "partitions", "s3/2006-03-01/service-2", "s3/2006-03-01/endpoint-rule-set-1", "s3/none/service-2"],
)
def test_a_model_is_the_one_that_botocore_reads(name: str) -> None:
    path = f"{Loader.BUILTIN_DATA_PATH}/{name}"
    assert ModelReader().load_file(path) == JSONFileLoader().load_file(path)


def test_a_session_reads_models_without_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(JSONFileLoader, "load_file")
    session = create_session()
    assert session.client("s3", REGION, **CREDENTIALS).meta.service_model.operation_names


@pytest.mark.parametrize(("asked", "mode"), [({}, None), ({"ChecksumMode": "ENABLED"}, "ENABLED")])
def test_a_client_asks_s3_for_a_checksum_only_where_the_code_does(asked: Any, mode: str | None) -> None:
    sent: list[str | bytes | None] = []

    def respond(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        sent.append(request.headers.get("x-amz-checksum-mode"))
        return AWSResponse(str(request.url), 200, HTTPHeaders(), HTTPResponse(io.BytesIO(), preload_content=False))

    client = create_session().client("s3", REGION, config=S3_CONFIG.merge(OWN_ENDPOINTS), **CREDENTIALS)
    client.meta.events.register("before-send", respond)  # pyright: ignore[reportArgumentType] - the stubs allow no response
    client.get_object(Bucket="pictures", Key="avatars/1", **asked)
    assert sent == [mode.encode() if mode else None]
