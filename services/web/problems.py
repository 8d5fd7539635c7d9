"""Translates exceptions to problem details (RFC 9457, `application/problem+json`), and logs and counts them."""

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
from services.web.problem_response import MEDIA_TYPE, URN
from services.web.rate_limits import TooManyRequestsError
from services.web.request_context import annotate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from services.web.metrics import Metrics

logger = logging.getLogger(__name__)

_HTTP_PROBLEMS = {
    400: ("invalid-request", "The request is not valid."),
    401: ("unauthenticated", "The request needs a login."),
    403: ("forbidden", "The request is not allowed."),
    404: ("not-found", "There is nothing at this path."),
    405: ("method-not-allowed", "This path does not accept this method."),
    413: ("body-too-large", "The body is too large."),
    415: ("unsupported-media-type", "The body must be application/json."),
}
"""The slug and the detail for Litestar's exceptions, whose own texts may contain URLs and file names."""


@dataclass(frozen=True, slots=True)
class Problem:
    """The problem type of an exception: `urn:problem:<slug>`, a status code, and a title for people."""

    slug: str
    status: int
    title: str
    headers: dict[str, str] = field(default_factory=dict[str, str])
    metric: str | None = None
    """The metric that counts it. By default that is `Refused`, with the slug as the dimension `Reason`."""

    @property
    def urn(self) -> str:
        return URN + self.slug

    def describe(self, error: Exception) -> ProblemDetailsException:
        retry_after = {"Retry-After": str(error.retry_after)} if isinstance(error, TooManyRequestsError) else {}
        return ProblemDetailsException(
            status_code=self.status,
            type_=self.urn,
            title=self.title,
            # A lone surrogate, which JSON in a token can contain, can't be encoded.
            detail=(str(error) or self.title).encode(errors="replace").decode(),
            headers=self.headers | retry_after,
        )

    def count(self, metrics: Metrics) -> None:
        if self.metric:
            metrics.count(self.metric)
        else:
            metrics.count("Refused", Reason=self.slug)


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an error response (RFC 9457), for the OpenAPI documents."""

    type: Annotated[str, msgspec.Meta(pattern="^urn:problem:[a-z0-9-]+$", examples=["urn:problem:not-found"])]
    status: Annotated[int, msgspec.Meta(ge=400, le=599)]
    title: str
    detail: str


UNAVAILABLE = Problem("unavailable", 503, "Try again in a moment", {"Retry-After": "1"}, metric="Unavailable")
UNKNOWN_USER = Problem("unknown-user", 404, "There is no such user")
TOO_MANY_REQUESTS = Problem("too-many-requests", 429, "Too many requests")
MALFORMED_JSON = Problem("malformed-json", 400, "The body is not JSON")
INTERNAL = Problem("internal", 500, "Internal server error", metric="Internal")

TRY_AGAIN = "AWS did not respond in time. It is safe to repeat the request."

BODY_ERRORS = (
    MalformedError(),
    ValidationException("Bad Request", extra=[{"message": "Object missing required field `size`"}]),
    RequestEntityTooLarge(),
)
"""Examples for `describe_problems`: the errors of a route that reads a body."""


def describe_problems(errors: Mapping[type[Exception], Problem], *examples: Exception) -> dict[int, ResponseSpec]:
    """Make the value of a route handler's `responses`: the examples, and the errors that every route can return."""

    def translate(error: Exception) -> ProblemDetailsException:
        if isinstance(error, HTTPException):
            return _translate_http_exception(error)
        return errors[type(error)].describe(error)

    responses = [
        *map(translate, examples),
        translate(HTTPException("The body must be application/json.", status_code=415)),
        INTERNAL.describe(RuntimeError(INTERNAL.title)),
        UNAVAILABLE.describe(RuntimeError(TRY_AGAIN)),
    ]
    described: dict[int, list[Example]] = {}
    for response in responses:
        value = {
            "status": response.status_code,
            "type": response.type_,
            "title": response.title,
            "detail": response.detail,
        }
        described.setdefault(response.status_code, []).append(Example(summary=response.title, value=value))
    return {
        status: ResponseSpec(
            ProblemDetails,
            description=HTTPStatus(status).phrase,
            media_type=MEDIA_TYPE,
            generate_examples=False,
            examples=found,
        )
        for status, found in sorted(described.items())
    }


def problem_details(errors: Mapping[type[Exception], Problem], metrics: Metrics | None = None) -> ProblemDetailsPlugin:
    """Translate each of `errors` to its problem, Litestar's exceptions by their status code, errors of AWS to 503 or
    500, and any other exception to 500. The request's line in the log names the problem.

    With `metrics` every problem is counted, except those of Litestar's exceptions: unknown routes and invalid requests.
    """
    counted: dict[str | None, Problem] = {problem.urn: problem for problem in (*errors.values(), UNAVAILABLE, INTERNAL)}

    def record(translate: Callable[[Any], ProblemDetailsException]) -> Callable[[Any], ProblemDetailsException]:
        def translate_and_record(error: Any) -> ProblemDetailsException:
            details = translate(error)
            annotate(problem=(details.type_ or "").removeprefix(URN))
            if metrics and (problem := counted.get(details.type_)):
                problem.count(metrics)
            return details

        return translate_and_record

    translations: dict[type[Exception], Callable[[Any], ProblemDetailsException]] = {
        kind: problem.describe for kind, problem in errors.items()
    }
    translations |= {
        HTTPException: _translate_http_exception,
        **dict.fromkeys(AWS_ERRORS, _translate_aws_error),
        Exception: _translate_bug,
    }
    recorded = {kind: record(translate) for kind, translate in translations.items()}
    return ProblemDetailsPlugin(ProblemDetailsConfig(exception_to_problem_detail_map=recorded))


def _translate_http_exception(error: HTTPException) -> ProblemDetailsException:
    if isinstance(error, ProblemDetailsException):
        return error
    if isinstance(error, MalformedError):
        return MALFORMED_JSON.describe(ValueError("The body is not valid JSON."))
    if error.status_code >= 500:  # noqa: PLR2004 - the server errors of RFC 9110, section 15.6
        return _translate_bug(error)
    title = HTTPStatus(error.status_code).phrase
    slug, detail = _HTTP_PROBLEMS.get(error.status_code, (f"http-{error.status_code}", title))
    if isinstance(error, ValidationException):
        detail = _describe_validation(error) or detail
    return Problem(slug, error.status_code, title, error.headers or {}).describe(ValueError(detail))


def _describe_validation(error: ValidationException) -> str:
    entries = error.extra if isinstance(error.extra, list) else []
    messages = [f"{entry['key']}: {entry['message']}" if "key" in entry else entry["message"] for entry in entries]
    return "; ".join(messages)


def _translate_aws_error(error: Exception) -> ProblemDetailsException:
    if not is_transient(error):
        return _translate_bug(error)
    logger.warning("AWS did not respond: %s", error)
    return UNAVAILABLE.describe(RuntimeError(TRY_AGAIN))


def _translate_bug(error: Exception) -> ProblemDetailsException:
    logger.error("Unexpected error", exc_info=error)
    return INTERNAL.describe(RuntimeError(INTERNAL.title))
