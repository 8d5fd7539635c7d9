"""Errors as RFC 9457 `application/problem+json`: the one place where they get a type and a status and are counted."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar.exceptions import HTTPException, ValidationException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from litestar.plugins.problem_details import ProblemDetailsConfig, ProblemDetailsException, ProblemDetailsPlugin

from services.store.clients import AWS_ERRORS, is_transient
from services.web.bodies import MalformedError
from services.web.rate_limits import TooManyRequestsError
from services.web.request_context import annotate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from services.web.metrics import Metrics

logger = logging.getLogger(__name__)

URN = "urn:problem:"

_BY_STATUS = {
    400: "invalid-request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    413: "body-too-large",
    415: "unsupported-media-type",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What a client sees of a kind of error: `urn:problem:<slug>`, a status, and a title for people."""

    slug: str
    status: int
    title: str
    headers: dict[str, str] = field(default_factory=dict[str, str])
    metric: str | None = None
    """What it is counted as, where it is not one of the reasons of `Refused`."""

    @property
    def urn(self) -> str:
        return URN + self.slug

    def about(self, error: Exception) -> ProblemDetailsException:
        wait = {"Retry-After": str(error.retry_after)} if isinstance(error, TooManyRequestsError) else {}
        return ProblemDetailsException(
            status_code=self.status,
            type_=self.urn,
            title=self.title,
            detail=str(error) or self.title,
            headers=self.headers | wait,
        )

    def count(self, metrics: Metrics) -> None:
        if self.metric:
            metrics.count(self.metric)
        else:
            metrics.count("Refused", Reason=self.slug)


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What a problem is answered with (RFC 9457), for those who read the services' descriptions."""

    type: Annotated[str, msgspec.Meta(pattern="^urn:problem:[a-z0-9-]+$", examples=["urn:problem:not-found"])]
    status: Annotated[int, msgspec.Meta(ge=400, le=599)]
    title: str
    detail: str


UNAVAILABLE = Problem("unavailable", 503, "Try again in a moment", {"Retry-After": "1"}, metric="Unavailable")
TOO_MANY_REQUESTS = Problem("too-many-requests", 429, "Too many requests")
INTERNAL = Problem("internal", 500, "Something went wrong on our side", metric="Internal")


NO_ANSWER = "The storage did not answer in time. Repeating the call is safe."


OF_A_BODY = (
    MalformedError(),
    ValidationException("Bad Request", extra=[{"message": "Object missing required field `size`"}]),
    RequestEntityTooLarge(),
)
"""Examples for `describe_problems`: what can be wrong with any body."""


def describe_problems(errors: Mapping[type[Exception], Problem], *examples: Exception) -> dict[int, ResponseSpec]:
    """For a handler's `responses`: these errors as they are answered, and those that any call may end in."""

    def translate(error: Exception) -> ProblemDetailsException:
        return _from_framework(error) if isinstance(error, HTTPException) else errors[type(error)].about(error)

    answers = [
        *map(translate, examples),
        translate(HTTPException("The body must be application/json.", status_code=415)),
        INTERNAL.about(RuntimeError(INTERNAL.title)),
        UNAVAILABLE.about(RuntimeError(NO_ANSWER)),
    ]
    described: dict[int, list[Example]] = {}
    for answer in answers:
        value = {
            "status": answer.status_code,
            "type": answer.type_,
            "title": answer.title,
            "detail": answer.detail,
        }
        described.setdefault(answer.status_code, []).append(Example(summary=answer.title, value=value))
    return {
        status: ResponseSpec(
            ProblemDetails,
            description=HTTPStatus(status).phrase,
            media_type="application/problem+json",
            generate_examples=False,
            examples=found,
        )
        for status, found in sorted(described.items())
    }


def problem_details(errors: Mapping[type[Exception], Problem], metrics: Metrics | None = None) -> ProblemDetailsPlugin:
    """Answer each of `errors` as its problem, the framework's own by status, and anything else as a plain 500, and let
    the log of requests know.

    With `metrics` each is counted, too, but the framework's own: what can't be read as one of our calls, or is none.
    """
    counted: dict[str | None, Problem] = {problem.urn: problem for problem in (*errors.values(), UNAVAILABLE, INTERNAL)}

    def note_and_count(translate: Callable[[Any], ProblemDetailsException]) -> Callable[[Any], ProblemDetailsException]:
        def translate_and_tell(error: Any) -> ProblemDetailsException:
            details = translate(error)
            annotate(problem=(details.type_ or "").removeprefix(URN))
            if metrics and (problem := counted.get(details.type_)):
                problem.count(metrics)
            return details

        return translate_and_tell

    translations: dict[type[Exception], Callable[[Any], ProblemDetailsException]] = {
        kind: problem.about for kind, problem in errors.items()
    }
    translations |= {
        HTTPException: _from_framework,
        **dict.fromkeys(AWS_ERRORS, _from_aws),
        Exception: _from_bug,
    }
    noted = {kind: note_and_count(translate) for kind, translate in translations.items()}
    return ProblemDetailsPlugin(ProblemDetailsConfig(exception_to_problem_detail_map=noted))


def _from_framework(error: HTTPException) -> ProblemDetailsException:
    if isinstance(error, ProblemDetailsException):
        return error
    if isinstance(error, MalformedError):
        return Problem("malformed-json", 400, "The body is not JSON").about(ValueError("The body is not valid JSON."))
    if error.status_code >= 500:  # noqa: PLR2004 - the server errors of RFC 9110, section 15.6
        return _from_bug(error)
    slug = _BY_STATUS.get(error.status_code, f"http-{error.status_code}")
    detail = _say_what_is_invalid(error) if isinstance(error, ValidationException) else error.detail
    return Problem(slug, error.status_code, error.detail, error.headers or {}).about(ValueError(detail))


def _say_what_is_invalid(error: ValidationException) -> str:
    entries = error.extra if isinstance(error.extra, list) else []
    said = [f"{entry['key']}: {entry['message']}" if "key" in entry else entry["message"] for entry in entries]
    return "; ".join(said) or error.detail


def _from_aws(error: Exception) -> ProblemDetailsException:
    if not is_transient(error):
        return _from_bug(error)
    logger.warning("AWS did not answer: %s", error)
    return UNAVAILABLE.about(RuntimeError(NO_ANSWER))


def _from_bug(error: Exception) -> ProblemDetailsException:
    logger.error("Unexpected error", exc_info=error)
    return INTERNAL.about(RuntimeError(INTERNAL.title))
