"""The id that the page gives an upload, from its first call to the object that it leaves."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tests.browsing import PHOTOGRAPH

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.browsing import Site
    from tests.conftest import Bucket, User


def test_an_avatar_names_the_request_that_the_logs_tell_of(
    site: Site, user: User, bucket: Bucket, stack: Stack
) -> None:
    site.log_in(user.username)
    old = user.avatar
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    assert user.avatar
    assert user.avatar != old
    request_id: str = bucket.head(user.avatar)["Metadata"]["request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", request_id)
    lines = [json.loads(line) for line in (stack.processes.logs / "uploads.log").read_text().splitlines()]
    told = [line for line in lines if line.get("request_id") == request_id]
    assert [(line["path"], line["status"], line["username"]) for line in told] == [
        ("/uploads/presign", 200, user.username),
        ("/uploads/confirm", 200, user.username),
    ]
