"""Two uploads services in one demo, one for each pending strategy: the path chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.local.command_endpoint import SWEEP_PATH
from infra.local.gateway import STRATEGIES_PATH
from services.uploads.bucket import compute_sha256
from services.uploads.sweep.report import Outcome
from tests import web
from tests.conftest import POSTED_PREFIXES, only_prefix, post_form
from tests.pictures import make_picture

if TYPE_CHECKING:
    import httpx2

    from infra.local.stack import Stack
    from tests.conftest import Bucket, User

PICTURE = make_picture()
OTHERS = {"prefix": "tag", "tag": "prefix"}


def presign(user: User, strategy: str) -> dict[str, Any]:
    declared = {"content_type": "image/png", "size": len(PICTURE), "sha256": compute_sha256(PICTURE)}
    path = f"{STRATEGIES_PATH}/{strategy}/uploads/presign"
    return user.http.post(path, json=declared).raise_for_status().json()


def confirm(user: User, strategy: str, form: dict[str, Any]) -> httpx2.Response:
    body = {name: form[name] for name in ("key", "upload_token") if name in form}
    return user.http.post(f"{STRATEGIES_PATH}/{strategy}/uploads/confirm", json=body)


def test_the_path_chooses_the_strategy_and_one_sweep_serves_both(
    stack: Stack, user: User, bucket: Bucket, strategy: str
) -> None:
    forms = {name: presign(user, name) for name in ("prefix", "tag")}
    for name, form in forms.items():
        assert form["key"].startswith(POSTED_PREFIXES[name])
        assert ("upload_token" in form) == (name == "tag")
        post_form(form, PICTURE).raise_for_status()
    pending = web.get(f"{stack.origin}/inspector/objects", params={"state": "pending", "limit": 100}).json()["objects"]
    assert {form["key"] for form in forms.values()} <= {entry["key"] for entry in pending}

    # Without the prefix in the path it is the demo's own strategy.
    other = OTHERS[strategy]
    refused = user.confirm(forms[other])
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:problem:other-strategy")
    assert user.confirm(forms[strategy]).status_code == 200

    tagged = presign(user, "tag")
    post_form(tagged, PICTURE).raise_for_status()
    assert confirm(user, "tag", tagged).status_code == 200
    assert user.avatar == tagged["key"]
    post_form(tagged, PICTURE).raise_for_status()
    report = web.post(stack.origin + SWEEP_PATH, json={}).raise_for_status().json()
    [restored] = [entry for entry in report["outcomes"] if entry["outcome"] == Outcome.RESTORED]
    assert restored["names"] == [tagged["key"]]
    assert bucket.aws.s3.get_object_tagging(Bucket=bucket.name, Key=tagged["key"])["TagSet"] == []


@only_prefix
@pytest.mark.parametrize("path", ["/_strategies/tag/auth/me", "/_strategies/other/uploads/presign", "/_strategies/tag"])
def test_only_paths_of_the_uploads_service_have_a_strategy(stack: Stack, path: str) -> None:
    assert web.get(stack.origin + path).status_code == 404
