"""The responses to errors, by a small application with each service's table of errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from litestar import Litestar, get, post
from litestar.exceptions import HTTPException, NotAuthorizedException, PermissionDeniedException
from litestar.params import JSONBody  # noqa: TC002 - Litestar reads annotations when it starts
from litestar.testing import TestClient

from services.auth import app as auth
from services.frontend import app as frontend
from services.frontend.cursor import InvalidCursorError
from services.store.clients import error_code, is_transient
from services.store.table import UnknownUserError
from services.uploads import app as uploads
from services.uploads import refusals
from services.uploads.deadline import DeadlineExceededError
from services.web.bodies import StrictRequest
from services.web.callers.identity import (
    ForeignOriginError,
    KeysUnavailableError,
    NotLoggedInError,
    OtherUserError,
    TokenExpiredError,
)
from services.web.pictures import NoAvatarError, NoPictureError
from services.web.problems import problem_details
from services.web.rate_limits import TooManyRequestsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from services.web.problems import Problem

SECRET = "arn:aws:s3:::bucket"  # noqa: S105 - what must not be shown

CALLER: dict[type[Exception], tuple[str, int]] = {
    NotLoggedInError: ("not-logged-in", 401),
    TokenExpiredError: ("token-expired", 401),
    ForeignOriginError: ("foreign-origin", 403),
    OtherUserError: ("other-user", 409),
    KeysUnavailableError: ("unavailable", 503),
}
AUTH = CALLER | {
    UnknownUserError: ("unknown-user", 404),
    TooManyRequestsError: ("too-many-requests", 429),
}
FRONTEND = CALLER | {
    InvalidCursorError: ("invalid-cursor", 400),
    UnknownUserError: ("unknown-user", 404),
    NoAvatarError: ("no-avatar", 404),
    NoPictureError: ("no-picture", 404),
}
UPLOADS = CALLER | {
    refusals.TypeNotAllowedError: ("type-not-allowed", 415),
    refusals.EmptyFileError: ("empty-file", 422),
    refusals.TooLargeError: ("too-large", 413),
    refusals.UnknownUploadError: ("unknown-upload", 404),
    refusals.OtherStrategyError: ("other-strategy", 409),
    refusals.ExpiredError: ("expired", 410),
    refusals.SupersededError: ("superseded", 409),
    refusals.RemovedError: ("removed", 409),
    refusals.DigestMismatchError: ("digest-mismatch", 422),
    refusals.NotAPictureError: ("not-a-picture", 422),
    refusals.TypeMismatchError: ("type-mismatch", 422),
    refusals.UnreadablePictureError: ("unreadable-picture", 422),
    refusals.TooManyPixelsError: ("too-many-pixels", 422),
    refusals.KeepsChangingError: ("changed", 409),
    DeadlineExceededError: ("unavailable", 503),
    UnknownUserError: ("unknown-user", 404),
    NoAvatarError: ("no-avatar", 404),
    NoPictureError: ("no-picture", 404),
    TooManyRequestsError: ("too-many-requests", 429),
}
TABLES = [(auth.ERRORS, AUTH), (frontend.ERRORS, FRONTEND), (uploads.ERRORS, UPLOADS)]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    size: Annotated[int, msgspec.Meta(ge=1)]


@post("/body")
async def take_body(data: JSONBody[Body]) -> None:
    pass


def ask(
    error: Exception | None = None,
    errors: Mapping[type[Exception], Problem] = uploads.ERRORS,
    method: str = "GET",
    path: str = "/",
    content: bytes | None = None,
) -> httpx.Response:
    @get("/")
    async def fail() -> None:
        if error:
            raise error

    application = Litestar(
        [fail, take_body],
        request_class=StrictRequest,
        plugins=[problem_details(errors)],
        request_max_body_size=100,
        logging_config=None,  # pytest's stays
    )
    with TestClient(application, raise_server_exceptions=False) as client:
        return client.request(method, path, content=content, headers={"Content-Type": "application/json"})


def check_problem(answer: httpx.Response, slug: str, status: int) -> dict[str, Any]:
    """RFC 9457, with the status in the body, too, and texts for people."""
    body: dict[str, Any] = answer.json()
    assert answer.status_code == body["status"] == status
    assert answer.headers["Content-Type"].partition(";")[0] == "application/problem+json"
    assert body["type"] == f"urn:problem:{slug}"
    assert body["title"]
    assert body["detail"]
    return body


@pytest.mark.parametrize("size", ["10", "10.0", "1e1", "10.000", "1.5e1", "1e300"])
def test_a_number_without_a_fraction_is_an_integer(size: str) -> None:
    """JSON Schema, "Validation", section 6.1.1 (`type`): the OpenAPI documents say `integer`."""
    assert ask(method="POST", path="/body", content=b'{"size": %s}' % size.encode()).status_code == 201


@pytest.mark.parametrize(
    "size", ["10.5", "1e-1", "0.0", "-10.0", "1e400", '"10.0"', "[10.0]", "NaN", '10.0, "size": 10.0']
)
def test_another_number_is_no_integer(size: str) -> None:
    answer = ask(method="POST", path="/body", content=b'{"size": %s}' % size.encode())
    check_problem(answer, "malformed-json" if size == "NaN" else "invalid-request", 400)


def test_the_detail_names_the_wrong_member_beside_a_number_without_a_fraction() -> None:
    answer = ask(method="POST", path="/body", content=b'{"size": 10.0, "kind": "cover"}')
    assert "`kind`" in check_problem(answer, "invalid-request", 400)["detail"]


def fail_as_aws(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": SECRET}, "ResponseMetadata": {"HTTPStatusCode": status}},  # pyright: ignore[reportArgumentType] - the parts that count
        "GetObject",
    )


@pytest.mark.parametrize(("errors", "expected"), TABLES, ids=["auth", "frontend", "uploads"])
def test_each_error_of_a_service_has_its_type_and_status(
    errors: Mapping[type[Exception], Problem], expected: dict[type[Exception], tuple[str, int]]
) -> None:
    assert set(errors) == set(expected)
    for kind, (slug, status) in expected.items():
        error = TooManyRequestsError(7) if kind is TooManyRequestsError else kind("Said to the client.")
        body = check_problem(ask(error, errors), slug, status)
        assert body["detail"] == str(error)


@pytest.mark.parametrize(("errors", "_"), TABLES, ids=["auth", "frontend", "uploads"])
def test_different_errors_of_a_service_have_different_types(errors: Mapping[type[Exception], Problem], _: Any) -> None:
    different = {id(problem): problem.slug for problem in errors.values()}
    assert len(set(different.values())) == len(different)


def test_every_refusal_of_an_upload_has_a_problem_type() -> None:
    assert set(refusals.RefusedError.__subclasses__()) <= set(uploads.ERRORS)


def test_an_unauthenticated_response_has_a_challenge() -> None:
    assert ask(NotLoggedInError("x")).headers["WWW-Authenticate"] == "Bearer"
    assert ask(TokenExpiredError("x")).headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_a_transient_error_has_a_retry_after_header() -> None:
    assert ask(KeysUnavailableError("x")).headers["Retry-After"] == "1"


def test_a_rate_limited_response_has_a_retry_after_header() -> None:
    answer = ask(TooManyRequestsError(7))
    check_problem(answer, "too-many-requests", 429)
    assert answer.headers["Retry-After"] == "7"


def test_an_error_without_a_message_has_its_title_as_detail() -> None:
    body = check_problem(ask(refusals.ExpiredError()), "expired", 410)
    assert body["detail"] == body["title"]


@pytest.mark.parametrize(
    "error",
    [
        ValueError(SECRET),
        KeyError(SECRET),
        ParamValidationError(report=SECRET),
        fail_as_aws("AccessDenied", 403),
        fail_as_aws("NoSuchBucket", 404),
        HTTPException(status_code=500, detail=SECRET),
        HTTPException(status_code=503, detail=SECRET),
    ],
    ids=repr,
)
def test_a_bug_is_logged_and_the_response_reveals_nothing(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    answer = ask(error)
    body = check_problem(answer, "internal", 500)
    assert set(body) == {"type", "status", "title", "detail"}
    assert SECRET not in answer.text
    assert type(error).__name__ not in answer.text
    logged = [record for record in caplog.records if record.name == "services.web.problems"]
    assert [record.exc_info and record.exc_info[1] for record in logged] == [error]


@pytest.mark.parametrize(
    "error",
    [
        fail_as_aws("SlowDown", 503),
        fail_as_aws("InternalError", 500),
        fail_as_aws("ThrottlingException"),
        EndpointConnectionError(endpoint_url=f"https://{SECRET}"),
    ],
    ids=repr,
)
def test_a_transient_error_of_aws_is_status_503(error: Exception) -> None:
    answer = ask(error)
    check_problem(answer, "unavailable", 503)
    assert answer.headers["Retry-After"] == "1"
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "content", "slug", "status"),
    [
        ("GET", "/nowhere", None, "not-found", 404),
        ("DELETE", "/", None, "method-not-allowed", 405),
        ("POST", "/body", b"{", "malformed-json", 400),
        ("POST", "/body", b"\xff", "malformed-json", 400),
        ("POST", "/body", b"", "invalid-request", 400),
        ("POST", "/body", b"{}", "invalid-request", 400),
        ("POST", "/body", b"[]", "invalid-request", 400),
        ("POST", "/body", b'{"size": 0}', "invalid-request", 400),
        ("POST", "/body", b'{"size": 1, "more": 2}', "invalid-request", 400),
        ("POST", "/body", b'{"size": ' + b"1" * 100 + b"}", "body-too-large", 413),
    ],
)
def test_a_bad_request_is_a_client_error(method: str, path: str, content: bytes | None, slug: str, status: int) -> None:
    check_problem(ask(method=method, path=path, content=content), slug, status)


def test_the_problem_of_an_invalid_body_names_the_error() -> None:
    answer = ask(method="POST", path="/body", content=json.dumps({"size": 0}).encode())
    assert answer.json()["detail"] == "Expected `int` >= 1 - at `$.size`"


@pytest.mark.parametrize(
    ("error", "slug", "status"),
    [
        (NotAuthorizedException(), "unauthenticated", 401),
        (PermissionDeniedException(), "forbidden", 403),
        (HTTPException(status_code=418, detail="short and stout"), "http-418", 418),
    ],
)
def test_an_error_of_the_framework_has_a_type_by_its_status(error: Exception, slug: str, status: int) -> None:
    check_problem(ask(error), slug, status)


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (fail_as_aws("InternalError", 500), True),
        (fail_as_aws("SomethingNew", 503), True),
        (fail_as_aws("ProvisionedThroughputExceededException"), True),
        (fail_as_aws("ThrottlingException"), True),
        (fail_as_aws("RequestTimeout"), True),
        (fail_as_aws("OperationAborted", 409), True),
        (fail_as_aws("ExpiredToken"), True),
        (fail_as_aws("ExpiredTokenException"), True),
        (fail_as_aws("InvalidAccessKeyId", 403), False),
        (ConnectTimeoutError(endpoint_url="x"), True),
        (ReadTimeoutError(endpoint_url="x"), True),
        (EndpointConnectionError(endpoint_url="x"), True),
        (NoCredentialsError(), True),
        (fail_as_aws("AccessDenied", 403), False),
        (fail_as_aws("NoSuchKey", 404), False),
        (fail_as_aws("ValidationException"), False),
        (ParamValidationError(report="x"), False),
        (ValueError(), False),
    ],
    ids=repr,
)
def test_an_error_is_transient(error: Exception, passing: bool) -> None:  # noqa: FBT001 - a table
    assert is_transient(error) is passing


def test_an_error_of_aws_without_a_code_has_an_empty_code() -> None:
    assert error_code(fail_as_aws("NoSuchKey", 404)) == "NoSuchKey"
    assert not error_code(ClientError({}, "HeadObject"))
