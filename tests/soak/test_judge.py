from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.soak.judge import BROKEN, Answer, Case, Circumstances, judge_confirm, judge_post, judge_presign

PREFIX, TAG = Circumstances("prefix"), Circumstances("tag")
WANTED = {"username": "Cooper12", "avatar": "avatars/1"}
DONE = Answer(200, WANTED)


def problem(status: int, slug: str, **more: Any) -> Answer:
    return Answer(status, {"type": f"urn:problem:{slug}", "status": status}, "application/problem+json", **more)


SUPERSEDED = problem(409, "superseded")
CHANGED = problem(409, "changed")
NOT_A_PICTURE = problem(422, "not-a-picture")
UNKNOWN_UPLOAD = problem(404, "unknown-upload")
OTHER_STRATEGY = problem(409, "other-strategy")
INTERNAL = problem(500, "internal")
EXPIRED = problem(410, "expired")
UNAVAILABLE = problem(503, "unavailable", retry_after="1")
GATEWAY_TIMEOUT = problem(504, "gateway-timeout", retry_after="1")
BROKEN_CONNECTION = Answer(BROKEN, "ReadError()")

ANSWERS = {
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
    (Case.RUBBISH, PREFIX, {"not-a-picture"}),
    (Case.RUBBISH, replace(PREFIX, may_be_superseded=True), {"not-a-picture", "superseded"}),
    (Case.SPOILED, PREFIX, {"done"}),
    (Case.SPOILED, TAG, {"not-a-picture"}),
    (Case.SPOILED, replace(TAG, was_left_open=True), {"not-a-picture", "done"}),
    (Case.SPOILED, replace(TAG, may_be_superseded=True, is_superseded=True), {"superseded"}),
    (Case.CHANGING, PREFIX, {"done", "changed"}),
    (Case.SPOILING, TAG, {"done", "changed", "not-a-picture"}),
    (Case.UNKNOWN, PREFIX, {"unknown-upload"}),
    (Case.UNKNOWN, replace(PREFIX, may_be_superseded=True), {"unknown-upload", "superseded"}),
    (Case.NO_KEY, replace(PREFIX, may_be_superseded=True, is_superseded=True), {"unknown-upload"}),
    (Case.OTHERS_KEY, replace(TAG, may_be_superseded=True, is_superseded=True), {"other-strategy"}),
]


@pytest.mark.parametrize(("case", "circumstances", "allowed"), ALLOWED)
def test_a_confirm_may_be_answered_in_these_ways_and_no_other(
    case: Case, circumstances: Circumstances, allowed: set[str]
) -> None:
    let_pass = {name for name, answer in ANSWERS.items() if not judge_confirm(case, answer, circumstances, WANTED)}
    assert let_pass == allowed


@pytest.mark.parametrize("case", Case)
def test_whatever_is_confirmed_may_have_to_be_repeated(case: Case) -> None:
    assert judge_confirm(case, UNAVAILABLE, PREFIX) is None
    for answer in (GATEWAY_TIMEOUT, BROKEN_CONNECTION):
        assert judge_confirm(case, answer, replace(PREFIX, outage=True)) is None
        assert judge_confirm(case, answer, PREFIX) == f"{answer.name}{_detail(answer)}, and the service was up"


def _detail(answer: Answer) -> str:
    return " (ReadError())" if answer.status == BROKEN else ""


def test_a_200_says_whose_and_which_avatar() -> None:
    for body in ({**WANTED, "avatar": "avatars/2"}, {**WANTED, "username": "Smith34"}, None):
        assert judge_confirm(Case.GOOD, Answer(200, body), PREFIX, WANTED) == f"200 with {body} instead of {WANTED}"


def test_a_503_says_when_to_come_again() -> None:
    assert judge_confirm(Case.GOOD, problem(503, "unavailable"), PREFIX) == "503 unavailable with Retry-After ''"
    assert judge_confirm(Case.GOOD, problem(503, "other", retry_after="1"), PREFIX)


def test_a_problem_is_one_by_its_media_type() -> None:
    for answer in (SUPERSEDED, UNAVAILABLE):
        plain = replace(answer, media_type="application/json")
        assert judge_confirm(Case.GOOD, plain, replace(PREFIX, may_be_superseded=True)) == (
            f"{answer.name} as application/json instead of application/problem+json"
        )


def test_what_is_no_answer_of_ours_is_wrong() -> None:
    assert judge_confirm(Case.GOOD, Answer(502, "<html>", "text/html"), replace(PREFIX, outage=True), WANTED)


def test_a_presign_is_answered_by_a_form_for_the_right_place() -> None:
    form = Answer(200, {"key": "pending/1"})
    assert judge_presign(form, "pending/", outage=False) is None
    assert judge_presign(form, "avatars/", outage=False) == "a form for pending/1"
    assert judge_presign(INTERNAL, "pending/", outage=True) == "500 internal instead of 200 for a presign"
    assert judge_presign(UNAVAILABLE, "pending/", outage=False) is None
    assert judge_presign(BROKEN_CONNECTION, "pending/", outage=True) is None
    assert judge_presign(BROKEN_CONNECTION, "pending/", outage=False)


def test_a_post_succeeds_unless_its_connection_is_broken_on_purpose() -> None:
    assert judge_post(Answer(204), faults=False) is None
    assert judge_post(BROKEN_CONNECTION, faults=True) is None
    assert judge_post(BROKEN_CONNECTION, faults=False)
    assert judge_post(Answer(403, "<Error>", "application/xml"), faults=True) == "403 for the post of a form: <Error>"
