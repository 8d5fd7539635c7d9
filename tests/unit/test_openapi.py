"""What the services say of themselves: every call has its examples, they are what the service takes and answers, and
the page shows all of it and nothing else.
"""

from __future__ import annotations

import json
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import jsonschema_rs
import msgspec
import pytest

from services.auth import app as auth
from services.auth import routes as auth_routes
from services.auth.settings import Settings as AuthSettings
from services.frontend import app as frontend
from services.frontend import routes as frontend_routes
from services.frontend.settings import Settings as FrontendSettings
from services.uploads import app as uploads
from services.uploads import routes as uploads_routes
from services.uploads.settings import Settings as UploadsSettings
from services.web import problems
from services.web.callers.identity import PROBLEMS
from services.web.reference import render_reference
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
    # Its calls ask nobody who they are; the page does, and has its own answer to that.
    "frontend": {problem.slug for kind, problem in frontend.ERRORS.items() if kind not in PROBLEMS},
}
OF_EVERY_CALL = {"unsupported-media-type", "internal", "unavailable"}

VOID = {"meta", "link", "br", "hr", "img", "input"}


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
        made = frontend.create_app(settings, s3=s3_client, dynamodb=dynamodb_client)
    return json.loads(json.dumps(made.openapi_schema.to_schema()))


def list_operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        yield from item.values()


def list_contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """All that is sent and answered in its bodies, each with its media type."""
    yield from operation.get("requestBody", {}).get("content", {}).items()
    for answer in operation["responses"].values():
        yield from answer.get("content", {}).items()


def list_described(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Each schema that has examples, with each of them."""
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


def test_every_example_is_one_of_the_very_structs_and_has_nothing_more(service: str, document: dict[str, Any]) -> None:
    for schema, value in list_described(document):
        if "$ref" not in schema:
            continue
        name = schema["$ref"].rpartition("/")[2]
        struct = getattr(problems if name == "ProblemDetails" else ROUTES[service], name)
        built = msgspec.to_builtins(msgspec.convert(value, struct))
        assert {key: built[key] for key in value} == value


def test_every_call_says_what_it_is_and_what_it_answers(document: dict[str, Any]) -> None:
    for operation in list_operations(document):
        assert operation["summary"]
        good = [status for status in operation["responses"] if status < "400"]
        assert len(good) == 1, operation["operationId"]
        answer = operation["responses"][good[0]]
        assert answer.get("content") or good[0] in {"204", "303"}
        assert good[0] != "303" or answer["headers"]["Location"]["example"]


def test_every_problem_is_answered_as_it_says(document: dict[str, Any]) -> None:
    for operation in list_operations(document):
        assert list_slugs(operation) >= OF_EVERY_CALL
        for status, answer in operation["responses"].items():
            if status >= "400":
                (content,) = answer["content"].values()
                assert {str(example["value"]["status"]) for example in content["examples"].values()} == {status}


def test_every_error_of_the_service_is_some_call_s_problem(service: str, document: dict[str, Any]) -> None:
    described = {slug for operation in list_operations(document) for slug in list_slugs(operation)}
    assert described >= ERRORS[service]


def test_who_must_be_logged_in_is_told_how(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert schemes["session"]["name"] == "__Host-session"
    for operation in list_operations(document):
        ways = [name for way in operation.get("security", []) for name in way]
        assert ways == (["bearer", "session"] if "not-logged-in" in list_slugs(operation) else [])
        assert set(ways) <= set(schemes)


class Page(HTMLParser):
    """What is in it, once every tag has been closed in its turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, attribute: str) -> list[str | None]:
        return [attributes[attribute] for _, attributes in self.tags if attribute in attributes]

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def read_page(document: dict[str, Any]) -> Page:
    return Page(render_reference(document).decode())


def test_the_page_shows_every_call_example_and_problem(document: dict[str, Any]) -> None:
    text = read_page(document).text
    for path, item in document["paths"].items():
        assert path in text
        for operation in item.values():
            assert operation["summary"] in text
            assert all(slug in text for slug in list_slugs(operation))
            for media_type, content in list_contents(operation):
                if media_type == "application/json":
                    for name, example in content["examples"].items():
                        assert name in text
                        assert json.dumps(example["value"], indent=2, ensure_ascii=False) in text
    for header in ("Location", "Set-Cookie"):
        assert (f"{header}: " in text) is (f'"{header}"' in json.dumps(document))


def test_the_page_runs_nothing_and_loads_nothing_from_elsewhere(document: dict[str, Any]) -> None:
    page = read_page(document)
    assert {"script", "style", "iframe", "form", "base"}.isdisjoint(tag for tag, _ in page.tags)
    names = {name for _, attributes in page.tags for name in attributes}
    assert not {name for name in names if name == "style" or name.startswith("on")}
    links = [link or "" for link in (*page.values("href"), *page.values("src"))]
    assert all(link.startswith(("/", "#")) and not link.startswith("//") for link in links)


def test_the_page_is_for_everybody(document: dict[str, Any]) -> None:
    page = read_page(document)
    levels = [int(tag[1]) for tag, _ in page.tags if tag in {"h1", "h2", "h3", "h4"}]
    assert levels[0] == 1
    assert levels.count(1) == page.count("main") == page.count("header") == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    ids = page.values("id")
    assert len(set(ids)) == len(ids)
    assert set(page.values("aria-labelledby")) <= set(ids)
    assert {(link or "").removeprefix("#") for link in page.values("href") if link and link[0] == "#"} <= set(ids)
    scrolled = [attributes for tag, attributes in page.tags if tag == "pre" or attributes.get("class") == "wide"]
    assert all(attributes["tabindex"] == "0" and attributes["role"] == "region" for attributes in scrolled)
    labels = [attributes["aria-label"] for attributes in scrolled]
    assert len(set(labels)) == len(labels)
    assert page.tags[0] == ("html", {"lang": "en"})


HOSTILE = """<script>alert(1)</script><!--"'&amp;</code>"""


def taint(node: Any, key: str = "") -> Any:
    """The document with something hostile in each text and in each name that is not OpenAPI's own."""
    if isinstance(node, dict):
        own = key in {"examples", "properties", "headers", "paths"}
        return {
            (name + HOSTILE if own else name): taint(value, name)
            for name, value in cast("dict[str, Any]", node).items()
        }
    if isinstance(node, list):
        return [taint(one, key) for one in cast("list[Any]", node)]
    if isinstance(node, str) and key not in {"$ref", "in"}:
        return node + HOSTILE
    return node


def test_whatever_a_text_is_it_stays_text(document: dict[str, Any]) -> None:
    page = read_page(taint(document))
    assert {"script", "style"}.isdisjoint(tag for tag, _ in page.tags)
    for path in document["paths"]:
        assert path + HOSTILE in page.text
    assert document["info"]["title"] + HOSTILE in page.text
