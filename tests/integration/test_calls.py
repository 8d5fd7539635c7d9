"""The AWS calls of a confirm: four in three round trips before the response, and one after it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from services.uploads.bucket import Bucket
from services.uploads.confirm import Confirmer
from services.uploads.decision import Limits
from services.uploads.picture import limit_kinds
from services.uploads.strategies import STRATEGIES
from services.uploads.users import Users
from tests.pictures import make_picture
from tests.targets import Trait

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.conftest import User


pytestmark = [pytest.mark.every_aws, pytest.mark.needs(Trait.COPY_DIGEST)]


def test_a_confirm_makes_four_calls_before_its_response_and_one_after_it(
    stack: Stack, user: User, strategy: str
) -> None:
    form = user.upload_unconfirmed("image/png", make_picture())
    aws = replace(stack.aws)  # with new clients, whose calls are recorded
    calls: list[str] = []

    def record(model: Any, **_: Any) -> None:
        calls.append(model.name)

    for client in (aws.s3, aws.dynamodb):
        client.meta.events.register("before-call", record)
    with ThreadPoolExecutor() as executor:
        uploads = Confirmer(
            Bucket(aws.s3, stack.resources.bucket),
            Users(aws.dynamodb, stack.resources.table),
            STRATEGIES[strategy],
            Limits(limit_kinds(5_000_000, 4200, 4200), 300, 3600),
            time.time,
            executor,
        )
        confirmed = uploads.confirm(user.username, form["key"], form.get("upload_token"))
        # The first two calls are made in parallel, in any order.
        assert sorted(calls[:2]) == ["GetItem", "GetObject"]
        assert calls[2:] == ["CopyObject", "UpdateItem"]
        uploads.bucket.discard(confirmed.leftovers)
        assert calls[4:] == ["DeleteObjects"]
    assert user.avatar == confirmed.upload.permanent_key
