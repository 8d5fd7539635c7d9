"""The page's request id of an upload, in the logs and in the avatar's metadata."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tests.browsing import PHOTOGRAPH, same_in_firefox

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.browsing import Site
    from tests.conftest import Bucket, User

pytestmark = same_in_firefox


def test_an_avatars_metadata_has_the_request_id_of_its_log_lines(
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
    logged = [line for line in lines if line.get("request_id") == request_id]
    assert [(line["path"], line["status"], line["username"]) for line in logged] == [
        ("/uploads/presign", 200, user.username),
        ("/uploads/confirm", 200, user.username),
    ]
