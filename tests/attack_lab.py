"""The expected outcome of each attack in the page's lab, in any browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.uploads.objects import Declared
from tests.forms import presign_as

if TYPE_CHECKING:
    from infra.local.stack import Stack

POLICY = r"S3: 403 AccessDenied\. Invalid according to Policy: "
OUTCOMES = {
    "skip": ("harmless", r"S3 accepted the file, and your row is unchanged\."),
    "again": (
        "harmless",
        r"(A second object expires; the avatar is unchanged|The avatar had the pending tag again, and is restored)\.",
    ),
    "replay": ("harmless", r"The same response, and the same avatar: avatars/[0-9a-f-]{36}"),
    "older": ("refused", r"The uploads service: 409 superseded\. A later upload is the avatar already\."),
    "foreign": ("refused", r"The uploads service: 404 unknown-upload\. There is no upload of that key\."),
    "user": ("refused", POLICY + r"Policy Condition failed: .*x-amz-meta-username.*"),
    "key": ("refused", POLICY + r"Policy Condition failed: .*\$key.*"),
    "late": ("refused", POLICY + r"Policy expired.*"),
    "svg": ("refused", r"The uploads service: 415 type-not-allowed\. The avatar must be one of .*"),
    "disguise": ("refused", r"The uploads service: 422 not-a-picture\. The file's bytes are none of .*"),
    "empty": ("refused", r"The uploads service: 422 empty-file\. The file is empty\."),
    "large": ("refused", r"The uploads service: 413 too-large\. The file has 6,000,000,000 bytes; 5,000,000 are .*"),
    "larger": ("refused", r"S3: 400 EntityTooLarge\. .*"),
    "bomb": ("refused", r"The uploads service: 422 too-many-pixels\. The picture has 20000 x 20000 pixels; .*"),
}
"""By the attack's name in the page: the verdict, and a pattern of the text beside it."""

HOLD_PRESIGN = """
const send = window.fetch;
window.fetch = async (url, options) => {
    if (url !== "/uploads/presign") return send(url, options);
    window.fetch = send;
    const form = await (await send(url, options)).json();
    window.declared = JSON.parse(options.body);
    const changes = await new Promise((resolve) => { window.respond = resolve; });
    return Response.json({ ...form, ...changes });
};
"""
"""Hold the response to the next presign until a script calls `respond` with changes of it. `declared` is the request's
body then. A script does this in every browser; Playwright can't change a response in Firefox."""


def make_expired_form(stack: Stack, strategy: str, username: str, declared: dict[str, Any]) -> dict[str, Any]:
    """Changes of a presign's response that replace its form by one that has expired, so that a test does not wait."""
    file = Declared(declared["content_type"], declared["size"], declared["sha256"])
    return presign_as(stack, strategy, username, file, service="uploads", seconds=-1) | {"expires": 0}
