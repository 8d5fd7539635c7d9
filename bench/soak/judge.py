"""Decides whether a response is allowed, given the request and the circumstances. Pure functions."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from services.web.problems import MEDIA_TYPE, URN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.settings.limits import PendingStrategy

BROKEN = 0
"""In place of a status code: the connection broke or timed out."""

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
class Response:
    status: int
    body: Any = None
    """The decoded JSON, or the error of a broken connection."""
    media_type: str = "application/json"
    retry_after: str = ""

    @property
    def name(self) -> str:
        """The status code and the problem type, such as `409 superseded`."""
        if self.status == BROKEN:
            return CONNECTION_BROKEN
        kind = self.body.get("type", "") if isinstance(self.body, dict) else ""  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        return f"{self.status} {str(kind).removeprefix(URN)}".strip()  # pyright: ignore[reportUnknownArgumentType]

    @property
    def is_ambiguous(self) -> bool:
        """Whether the outcome of the request is unknown, so that the client repeats it."""
        return self.status in {BROKEN, 503, 504}


class Case(enum.Enum):
    """The upload that a confirm names."""

    GOOD = "a picture of the caller"
    INVALID = "an upload of the caller that is not a picture"
    CHANGING = "an upload that is posted again during the confirm"
    UNKNOWN = "an upload of another user, or one that was never posted"
    NO_KEY = "a key that belongs to no upload"
    OTHER_STRATEGYS_KEY = "a key of the other strategy"


_EXPECTED: Mapping[Case, frozenset[str]] = {
    Case.GOOD: frozenset({DONE}),
    Case.INVALID: frozenset({NOT_A_PICTURE}),
    Case.CHANGING: frozenset({DONE, CHANGED}),
    Case.UNKNOWN: frozenset({UNKNOWN_UPLOAD}),
    Case.NO_KEY: frozenset({UNKNOWN_UPLOAD}),
    Case.OTHER_STRATEGYS_KEY: frozenset({OTHER_STRATEGY}),
}

_DECIDED_BY_THE_KEY = frozenset({Case.NO_KEY, Case.OTHER_STRATEGYS_KEY})

CAN_BECOME_THE_AVATAR = frozenset({Case.GOOD, Case.CHANGING})
"""The cases in which the row may refer to the upload afterwards."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    strategy: PendingStrategy
    may_be_superseded: bool = False
    """The caller sent the confirm of a later upload before this response came."""
    is_superseded: bool = False
    """The row was known to refer to a later upload before the request was sent."""
    outage: bool = False
    """The service was down at some time between the request and the response."""


def judge_confirm(
    case: Case, response: Response, circumstances: Circumstances, wanted: Mapping[str, str] | None = None
) -> str | None:
    """Return the violation, if any. `wanted`: members of the body of a 200."""
    if response.is_ambiguous:
        return judge_failure(response, outage=circumstances.outage)
    expected = _expect(case, circumstances)
    if response.name not in expected:
        return f"{response.name} instead of {' or '.join(sorted(expected))} for {case.value}"
    if response.name == DONE:
        # The body also has the URL of the picture, at the origin of the system.
        has_wanted = response.body is not None and {**response.body, **(wanted or {})} == response.body
        return None if has_wanted else f"200 with {response.body} instead of {wanted}"
    return _judge_media_type(response)


def judge_presign(response: Response, prefix: str, *, outage: bool) -> str | None:
    if response.is_ambiguous:
        return judge_failure(response, outage=outage)
    if response.name != DONE:
        return f"{response.name} instead of {DONE} for a presign"
    return None if response.body["key"].startswith(prefix) else f"a form for {response.body['key']}"


def judge_failure(response: Response, *, outage: bool) -> str | None:
    """Judge a response whose outcome is unknown."""
    if response.name == UNAVAILABLE:
        if not response.retry_after.isdecimal():
            return f"{UNAVAILABLE} with Retry-After {response.retry_after!r}"
        return _judge_media_type(response)
    if response.name in {CONNECTION_BROKEN, GATEWAY_TIMEOUT} and outage:
        return None
    detail = f" ({response.body})" if response.status == BROKEN else ""
    return f"{response.name}{detail} while the service was up"


def judge_post(response: Response, *, faults: bool) -> str | None:
    """Judge the response of S3 to a form. `faults`: the proxy breaks connections to S3."""
    if response.status == HTTPStatus.NO_CONTENT or (response.status == BROKEN and faults):
        return None
    return f"{response.name} for the POST of a form: {str(response.body)[:300]}"


def judge_other_post(response: Response, *, faults: bool) -> str | None:
    """Judge the response of S3 to a form with another file than the declared one."""
    if response.status == HTTPStatus.BAD_REQUEST or (response.status == BROKEN and faults):
        return None
    return f"{response.name} for the POST of another file"


def _expect(case: Case, circumstances: Circumstances) -> frozenset[str]:
    if case in _DECIDED_BY_THE_KEY:
        return _EXPECTED[case]
    if circumstances.is_superseded:
        return frozenset({SUPERSEDED})
    expected = _EXPECTED[case]
    return expected | {SUPERSEDED} if circumstances.may_be_superseded else expected


def _judge_media_type(response: Response) -> str | None:
    wanted = MEDIA_TYPE
    return None if response.media_type == wanted else f"{response.name} as {response.media_type} instead of {wanted}"
