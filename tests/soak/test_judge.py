from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.soak.judge import (
    BROKEN,
    Case,
    Circumstances,
    Response,
    judge_confirm,
    judge_other_post,
    judge_post,
    judge_presign,
)
from services.store.kinds import AVATAR

PREFIX, TAG = Circumstances("prefix"), Circumstances("tag")
WANTED = {"username": "Cooper12", "kind": "avatar", "key": "avatars/1", "avatar": "avatars/1"}
DONE = Response(200, WANTED)


def problem(status: int, slug: str, **more: Any) -> Response:
    return Response(status, {"type": f"urn:problem:{slug}", "status": status}, "application/problem+json", **more)


SUPERSEDED = problem(409, "superseded")
CHANGED = problem(409, "changed")
NOT_A_PICTURE = problem(422, "not-a-picture")
UNKNOWN_UPLOAD = problem(404, "unknown-upload")
OTHER_STRATEGY = problem(409, "other-strategy")
INTERNAL = problem(500, "internal")
EXPIRED = problem(410, "expired")
UNAVAILABLE = problem(503, "unavailable", retry_after="1")
GATEWAY_TIMEOUT = problem(504, "gateway-timeout", retry_after="1")
BROKEN_CONNECTION = Response(BROKEN, "ReadError()")

RESPONSES = {
    "done": DONE,
    "superseded": SUPERSEDED,
    "changed": CHANGED,
    "not-a-picture": NOT_A_PICTURE,
    "unknown-upload": UNKNOWN_UPLOAD,
    "other-strategy": OTHER_STRATEGY,
    "internal": INTERNAL,
    "expired": EXPIRED,
}

ALLOWED: list[tuple[Case, Circumstances, set[str]]] = [
    (Case.GOOD, PREFIX, {"done"}),
    (Case.GOOD, TAG, {"done"}),
    (Case.GOOD, replace(TAG, may_be_superseded=True), {"done", "superseded"}),
    (Case.GOOD, replace(TAG, may_be_superseded=True, is_superseded=True), {"superseded"}),
    (Case.INVALID, PREFIX, {"not-a-picture"}),
    (Case.INVALID, replace(PREFIX, may_be_superseded=True), {"not-a-picture", "superseded"}),
    (Case.CHANGING, PREFIX, {"done", "changed"}),
    (Case.UNKNOWN, PREFIX, {"unknown-upload"}),
    (Case.UNKNOWN, replace(PREFIX, may_be_superseded=True), {"unknown-upload", "superseded"}),
    (Case.NO_KEY, replace(PREFIX, may_be_superseded=True, is_superseded=True), {"unknown-upload"}),
    (Case.OTHER_STRATEGYS_KEY, replace(TAG, may_be_superseded=True, is_superseded=True), {"other-strategy"}),
]


@pytest.mark.parametrize(("case", "circumstances", "allowed"), ALLOWED)
def test_only_the_allowed_responses_to_a_confirm_pass(
    case: Case, circumstances: Circumstances, allowed: set[str]
) -> None:
    passed = {name for name, response in RESPONSES.items() if not judge_confirm(case, response, circumstances, WANTED)}
    assert passed == allowed


@pytest.mark.parametrize("case", Case)
def test_an_ambiguous_response_is_allowed_in_each_case(case: Case) -> None:
    assert judge_confirm(case, UNAVAILABLE, PREFIX) is None
    for response in (GATEWAY_TIMEOUT, BROKEN_CONNECTION):
        assert judge_confirm(case, response, replace(PREFIX, outage=True)) is None
        assert judge_confirm(case, response, PREFIX) == f"{response.name}{_detail(response)} while the service was up"


def _detail(response: Response) -> str:
    return " (ReadError())" if response.status == BROKEN else ""


def test_a_200_names_the_user_and_the_avatar() -> None:
    for body in ({**WANTED, "avatar": "avatars/2"}, {**WANTED, "username": "Smith34"}, None):
        assert judge_confirm(Case.GOOD, Response(200, body), PREFIX, WANTED) == f"200 with {body} instead of {WANTED}"


def test_a_503_has_retry_after() -> None:
    assert judge_confirm(Case.GOOD, problem(503, "unavailable"), PREFIX) == "503 unavailable with Retry-After ''"
    assert judge_confirm(Case.GOOD, problem(503, "other", retry_after="1"), PREFIX)


def test_a_problem_has_its_media_type() -> None:
    for response in (SUPERSEDED, UNAVAILABLE):
        plain = replace(response, media_type="application/json")
        assert judge_confirm(Case.GOOD, plain, replace(PREFIX, may_be_superseded=True)) == (
            f"{response.name} as application/json instead of application/problem+json"
        )


def test_a_502_is_a_violation() -> None:
    assert judge_confirm(Case.GOOD, Response(502, "<html>", "text/html"), replace(PREFIX, outage=True), WANTED)


def test_a_presign_returns_a_form_for_the_pending_prefix() -> None:
    form = Response(200, {"key": f"{AVATAR.pending_prefix}1"})
    assert judge_presign(form, AVATAR.pending_prefix, outage=False) is None
    assert judge_presign(form, "avatars/", outage=False) == "a form for pending/1"
    assert judge_presign(INTERNAL, AVATAR.pending_prefix, outage=True) == "500 internal instead of 200 for a presign"
    assert judge_presign(UNAVAILABLE, AVATAR.pending_prefix, outage=False) is None
    assert judge_presign(BROKEN_CONNECTION, AVATAR.pending_prefix, outage=True) is None
    assert judge_presign(BROKEN_CONNECTION, AVATAR.pending_prefix, outage=False)


def test_a_post_succeeds_unless_the_proxy_breaks_its_connection() -> None:
    assert judge_post(Response(204), faults=False) is None
    assert judge_post(BROKEN_CONNECTION, faults=True) is None
    assert judge_post(BROKEN_CONNECTION, faults=False)
    assert judge_post(Response(403, "<Error>", "application/xml"), faults=True) == "403 for the POST of a form: <Error>"


def test_a_post_of_another_file_is_refused() -> None:
    assert judge_other_post(Response(400, "<Error>", "application/xml"), faults=False) is None
    assert judge_other_post(BROKEN_CONNECTION, faults=True) is None
    assert judge_other_post(BROKEN_CONNECTION, faults=False)
    assert judge_other_post(Response(204), faults=True) == "204 for the POST of another file"
