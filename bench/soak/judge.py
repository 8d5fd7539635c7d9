"""Which answers the three calls may give. Decides from what was asked and under which circumstances; does nothing."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

BROKEN = 0
"""In place of a status: the connection broke, or nothing came in time."""

DONE = "200"
SUPERSEDED = "409 superseded"
CHANGED = "409 changed"
NOT_A_PICTURE = "422 not-a-picture"
UNKNOWN_UPLOAD = "404 unknown-upload"
OTHER_STRATEGY = "409 other-strategy"
UNAVAILABLE = "503 unavailable"
GATEWAY_TIMEOUT = "504 gateway-timeout"
CONNECTION_BROKEN = "connection broken"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any = None
    """What the JSON says; of a broken connection, in which way it broke."""
    media_type: str = "application/json"
    retry_after: str = ""

    @property
    def name(self) -> str:
        """The status and the type of the problem, such as `409 superseded`."""
        if self.status == BROKEN:
            return CONNECTION_BROKEN
        kind = self.body.get("type", "") if isinstance(self.body, dict) else ""  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        return f"{self.status} {str(kind).removeprefix('urn:problem:')}".strip()  # pyright: ignore[reportUnknownArgumentType]

    @property
    def leaves_open(self) -> bool:
        """Whether the call may have been carried out or not, and is to be repeated."""
        return self.status in {BROKEN, 503, 504}


class Case(enum.Enum):
    """What is asked to be confirmed."""

    GOOD = "a picture of one's own"
    RUBBISH = "an upload of one's own that is no picture"
    SPOILED = "an avatar that was posted again with what is no picture"
    CHANGING = "an upload that is posted with other pictures meanwhile"
    SPOILING = "an upload that is posted with pictures and other things meanwhile"
    UNKNOWN = "an upload that is somebody else's, or was never posted"
    NO_KEY = "what is no key of an upload"
    OTHERS_KEY = "a key of the other strategy"


_EXPECTED: Mapping[Case, frozenset[str]] = {
    Case.GOOD: frozenset({DONE}),
    Case.RUBBISH: frozenset({NOT_A_PICTURE}),
    Case.CHANGING: frozenset({DONE, CHANGED}),
    Case.SPOILING: frozenset({DONE, CHANGED, NOT_A_PICTURE}),
    Case.UNKNOWN: frozenset({UNKNOWN_UPLOAD}),
    Case.NO_KEY: frozenset({UNKNOWN_UPLOAD}),
    Case.OTHERS_KEY: frozenset({OTHER_STRATEGY}),
}

_JUDGED_BY_THE_KEY_ALONE = frozenset({Case.NO_KEY, Case.OTHERS_KEY})

CAN_BECOME_THE_AVATAR = frozenset({Case.GOOD, Case.SPOILED, Case.CHANGING, Case.SPOILING})
"""Of what is confirmed, that to which the row may then point."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    strategy: Literal["prefix", "tag"]
    may_be_superseded: bool = False
    """The confirm of a later upload of the caller's was sent before this answer came."""
    is_superseded: bool = False
    """The row was known to be beyond this upload before the call was sent."""
    was_left_open: bool = False
    """An earlier try of this confirm had no answer that says what became of it."""
    outage: bool = False
    """The service was down for some time between the call and the answer."""


def judge_confirm(
    case: Case, answer: Answer, circumstances: Circumstances, wanted: Mapping[str, str] | None = None
) -> str | None:
    """What is wrong with the answer, if anything. `wanted`: the body of a 200."""
    if answer.leaves_open:
        return judge_failure(answer, outage=circumstances.outage)
    expected = _expect(case, circumstances)
    if answer.name not in expected:
        return f"{answer.name} instead of {' or '.join(sorted(expected))} for {case.value}"
    if answer.name == DONE:
        return None if answer.body == wanted else f"200 with {answer.body} instead of {wanted}"
    return _judge_form_of_problem(answer)


def judge_presign(answer: Answer, prefix: str, *, outage: bool) -> str | None:
    if answer.leaves_open:
        return judge_failure(answer, outage=outage)
    if answer.name != DONE:
        return f"{answer.name} instead of {DONE} for a presign"
    return None if answer.body["key"].startswith(prefix) else f"a form for {answer.body['key']}"


def judge_failure(answer: Answer, *, outage: bool) -> str | None:
    """An answer that leaves open what was done."""
    if answer.name == UNAVAILABLE:
        if not answer.retry_after.isdecimal():
            return f"{UNAVAILABLE} with Retry-After {answer.retry_after!r}"
        return _judge_form_of_problem(answer)
    if answer.name in {CONNECTION_BROKEN, GATEWAY_TIMEOUT} and outage:
        return None
    detail = f" ({answer.body})" if answer.status == BROKEN else ""
    return f"{answer.name}{detail}, and the service was up"


def judge_post(answer: Answer, *, faults: bool) -> str | None:
    """Of the form, to S3 and not to us. `faults`: connections to it may break."""
    if answer.status == HTTPStatus.NO_CONTENT or (answer.status == BROKEN and faults):
        return None
    return f"{answer.name} for the post of a form: {str(answer.body)[:300]}"


def _expect(case: Case, circumstances: Circumstances) -> frozenset[str]:
    if case in _JUDGED_BY_THE_KEY_ALONE:
        return _EXPECTED[case]
    if circumstances.is_superseded:
        return frozenset({SUPERSEDED})
    expected = _expect_of_spoiled(circumstances) if case is Case.SPOILED else _EXPECTED[case]
    return expected | {SUPERSEDED} if circumstances.may_be_superseded else expected


def _expect_of_spoiled(circumstances: Circumstances) -> frozenset[str]:
    if circumstances.strategy == "prefix":
        # The post came to another key than the avatar's.
        return frozenset({DONE})
    # Once a blank picture has taken its place, the avatar is as good as any; that try may have been the one before.
    return frozenset({NOT_A_PICTURE, DONE} if circumstances.was_left_open else {NOT_A_PICTURE})


def _judge_form_of_problem(answer: Answer) -> str | None:
    wanted = "application/problem+json"
    return None if answer.media_type == wanted else f"{answer.name} as {answer.media_type} instead of {wanted}"
