"""The services' OpenAPI documents: every operation has examples that match its schemas."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import jsonschema_rs
import msgspec
import pytest

from infra.local.stack import Options
from infra.seed.people import invent_people
from services.auth import app as auth
from services.auth import routes as auth_routes
from services.auth.settings import Settings as AuthSettings
from services.frontend import app as frontend
from services.frontend import routes as frontend_routes
from services.frontend.settings import Settings as FrontendSettings
from services.store.keys import USERNAME_FIELD
from services.store.table import USERNAME
from services.uploads import app as uploads
from services.uploads import routes as uploads_routes
from services.uploads.settings import Settings as UploadsSettings
from services.web import problems
from services.web.callers.identity import PROBLEMS
from tests.unit.conftest import find_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kms import KMSClient
    from types_boto3_s3 import S3Client

ORIGIN = "https://pictures.example"
JWKS_URL = "http://auth/jwks"
SERVICES = ("auth", "uploads", "frontend")
ROUTES = {"auth": auth_routes, "uploads": uploads_routes, "frontend": frontend_routes}
ERRORS = {
    "auth": {problem.slug for problem in auth.ERRORS.values()},
    "uploads": {problem.slug for problem in uploads.ERRORS.values()},
    # Its operations need no login; the page has its own response to requests without one.
    "frontend": {problem.slug for kind, problem in frontend.ERRORS.items() if kind not in PROBLEMS},
}
OF_EVERY_CALL = {"unsupported-media-type", "internal", "unavailable"}


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def document(service: str, dynamodb_client: DynamoDBClient, s3_client: S3Client) -> dict[str, Any]:
    if service == "auth":
        settings = AuthSettings(origin=ORIGIN, table="users", signing_keys="one")
        made = auth.create_app(settings, dynamodb=dynamodb_client, kms=cast("KMSClient", None))
    elif service == "uploads":
        settings = UploadsSettings(origin=ORIGIN, table="users", bucket="pictures", jwks_url=JWKS_URL)
        made = uploads.create_app(settings, s3=s3_client, dynamodb=dynamodb_client, credentials=find_credentials)
    else:
        settings = FrontendSettings(origin=ORIGIN, table="users", bucket="pictures", jwks_url=JWKS_URL)
        made = frontend.create_app(settings, s3=s3_client, dynamodb=dynamodb_client, credentials=find_credentials)
    return json.loads(json.dumps(made.openapi_schema.to_schema()))


def list_operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        yield from item.values()


def list_contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The bodies of the operation's request and responses, with their media types."""
    yield from operation.get("requestBody", {}).get("content", {}).items()
    for answer in operation["responses"].values():
        yield from answer.get("content", {}).items()


def list_described(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Each schema with each of its examples."""
    for operation in list_operations(document):
        described = [*operation.get("parameters", []), *(content for _, content in list_contents(operation))]
        headers = [
            header for answer in operation["responses"].values() for header in answer.get("headers", {}).values()
        ]
        for entry in described:
            assert entry["examples"], f"{operation['operationId']} has something without an example"
            for example in entry["examples"].values():
                yield entry["schema"], example["value"]
        for header in headers:
            yield header["schema"], header["example"]


def find_members(value: Any, names: frozenset[str]) -> Iterator[Any]:
    """The values of all members with one of these names, at any depth."""
    if isinstance(value, dict):
        for name, member in cast("dict[str, Any]", value).items():
            if name in names:
                yield member
            yield from find_members(member, names)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from find_members(item, names)


def list_slugs(operation: dict[str, Any]) -> set[str]:
    return {
        example["value"]["type"].removeprefix("urn:problem:")
        for media_type, content in list_contents(operation)
        if media_type == "application/problem+json"
        for example in content["examples"].values()
    }


def test_every_example_is_valid(document: dict[str, Any]) -> None:
    for schema, value in list_described(document):
        whole = schema | {"components": document["components"]}
        jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(value)


def test_every_example_is_a_struct_without_unknown_fields(service: str, document: dict[str, Any]) -> None:
    for schema, value in list_described(document):
        if "$ref" not in schema:
            continue
        name = schema["$ref"].rpartition("/")[2]
        struct = getattr(problems if name == "ProblemDetails" else ROUTES[service], name)
        built = msgspec.json.decode(msgspec.json.encode(msgspec.convert(value, struct)))
        assert {key: built[key] for key in value} == value


def test_every_example_names_a_user_of_the_demo(document: dict[str, Any]) -> None:
    seeded = {person.username for person in invent_people(Options().users)}
    examples = [
        {parameter["name"]: example["value"]}
        for operation in list_operations(document)
        for parameter in operation.get("parameters", [])
        for example in parameter["examples"].values()
    ]
    examples += [value for _, value in list_described(document)]
    members = frozenset({"username", USERNAME, f"x-amz-meta-{USERNAME_FIELD}"})
    named = set(find_members(examples, members))
    assert named
    assert named <= seeded


def test_every_operation_has_a_summary_and_responses(document: dict[str, Any]) -> None:
    for operation in list_operations(document):
        assert operation["summary"]
        good = [status for status in operation["responses"] if status < "400"]
        assert len(good) == 1, operation["operationId"]
        answer = operation["responses"][good[0]]
        assert answer.get("content") or good[0] in {"204", "303"}
        assert good[0] != "303" or answer["headers"]["Location"]["example"]


def test_every_documented_problem_is_listed_under_its_status(document: dict[str, Any]) -> None:
    for operation in list_operations(document):
        assert list_slugs(operation) >= OF_EVERY_CALL
        for status, answer in operation["responses"].items():
            if status >= "400":
                (content,) = answer["content"].values()
                assert {str(example["value"]["status"]) for example in content["examples"].values()} == {status}


def test_every_error_of_a_service_is_documented_by_an_operation(service: str, document: dict[str, Any]) -> None:
    described = {slug for operation in list_operations(document) for slug in list_slugs(operation)}
    assert described >= ERRORS[service]


def test_every_operation_that_needs_a_login_documents_it(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert schemes["session"]["name"] == "__Host-session"
    for operation in list_operations(document):
        ways = [name for way in operation.get("security", []) for name in way]
        assert ways == (["bearer", "session"] if "not-logged-in" in list_slugs(operation) else [])
        assert set(ways) <= set(schemes)
