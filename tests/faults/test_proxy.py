"""The proxy alone: it forwards calls unchanged, names them as AWS does, and applies faults."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectionClosedError

from bench.soak.proxy import Fault, Kind, Proxy, When, run_proxy
from services.store.kinds import AVATAR
from services.store.table import make_key
from tests import web
from tests.conftest import Bucket, only_prefix, post_form
from tests.faults.conftest import serve
from tests.pictures import make_picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.clients import Aws
    from infra.local.stack import Stack
    from tests.conftest import User

pytestmark = [only_prefix, pytest.mark.usefixtures("strategy")]

KEY = f"{AVATAR.pending_prefix}of-the-proxy"
PICTURE = make_picture()


@pytest.fixture
def own_proxy(stack: Stack) -> Iterator[Proxy]:
    """A proxy that only this test uses."""
    with run_proxy(stack.aws.endpoint) as running:
        yield running


@pytest.fixture
def proxied(stack: Stack, own_proxy: Proxy) -> Aws:
    return replace(stack.aws, endpoint=own_proxy.url)


def test_each_call_is_forwarded_and_named(stack: Stack, own_proxy: Proxy, proxied: Aws) -> None:
    made = Counter[str]()

    def record(model: Any, **_: Any) -> None:
        made[model.name] += 1

    clients: tuple[Any, ...] = (proxied.s3, proxied.dynamodb, proxied.kms)
    for client in clients:
        client.meta.events.register("before-call", record)
    s3, dynamodb, kms = clients
    place = {"Bucket": stack.resources.bucket, "Key": KEY}
    s3.put_object(**place, Body=PICTURE)
    # This body is announced by `Expect: 100-continue` and sent after the response to that.
    s3.put_object(**place, Body=io.BytesIO(PICTURE * 1000), Metadata={"a": "b"})
    assert s3.get_object(**place)["Body"].read() == PICTURE * 1000
    assert s3.head_object(**place)["ContentLength"] == len(PICTURE) * 1000
    s3.put_object_tagging(**place, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert s3.get_object_tagging(**place)["TagSet"] == [{"Key": "a", "Value": "b"}]
    s3.copy_object(**place, CopySource=place, MetadataDirective="REPLACE")
    assert s3.list_objects_v2(Bucket=place["Bucket"], Prefix=KEY)["KeyCount"] == 1
    s3.delete_object(**place)
    s3.delete_objects(Bucket=place["Bucket"], Delete={"Objects": [{"Key": KEY}]})
    name = make_key("nobody")
    assert "Item" not in dynamodb.get_item(TableName=stack.resources.table, Key=name)
    dynamodb.delete_item(TableName=stack.resources.table, Key=name)
    assert dynamodb.scan(TableName=stack.resources.table)["Items"]
    kms.get_public_key(KeyId=stack.resources.key_arn)

    assert own_proxy.calls == made


def test_a_posted_form_is_forwarded(own_proxy: Proxy, proxied: Aws, user: User, bucket: Bucket) -> None:
    form = user.presign("image/png", PICTURE).raise_for_status().json()
    form["url"] = form["url"].replace(user.stack.aws.endpoint, proxied.endpoint)
    assert post_form(form, PICTURE).status_code == 204
    assert bucket.read(form["key"]) == PICTURE
    assert own_proxy.calls == {"PostObject": 1}


def test_chunked_bodies_are_forwarded() -> None:
    async def echo(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
            await send({"type": "http.response.body", "body": message.get("body", b""), "more_body": more})

    with serve(echo) as url, run_proxy(url) as own_proxy:
        answer = web.put(f"{own_proxy.url}/bucket/key", content=iter([b"one ", b"two"]))
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.content == b"one two"


def test_a_connection_is_reused(own_proxy: Proxy) -> None:
    with web.Client(base_url=own_proxy.url) as client:
        streams = {client.get("/_ministack/health").extensions["network_stream"] for _ in range(3)}
    assert len(streams) == 1


def test_a_fault_affects_only_matching_calls_and_only_so_often(stack: Stack, own_proxy: Proxy, proxied: Aws) -> None:
    def get(name: str) -> None:
        proxied.dynamodb.get_item(TableName=stack.resources.table, Key=make_key(name))

    planned = own_proxy.plan(Fault("GetItem", When.BEFORE, Kind.KILL, about="somebody", times=2))
    get("else")
    assert planned.struck == 0
    with pytest.raises(ConnectionClosedError):
        get("somebody")
    assert planned.struck == 2
    get("somebody")
    assert own_proxy.struck == {"GetItem": 2}


def test_random_faults_affect_the_chosen_calls(stack: Stack, own_proxy: Proxy, proxied: Aws) -> None:
    chosen: Iterator[tuple[When, Kind] | None] = iter([None, (When.AFTER, Kind.ERROR_500), None])
    own_proxy.choose = lambda call: next(chosen) if call == "Scan" else None
    for _ in range(2):
        proxied.dynamodb.scan(TableName=stack.resources.table)
    assert own_proxy.calls == {"Scan": 3}
    assert own_proxy.struck == {"Scan": 1}
