"""The services' OpenAPI documents: each operation has what generated clients need, and examples that are valid."""

from __future__ import annotations

import copy
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, cast

import jsonschema_rs
import msgspec
import pytest
from litestar import Litestar, post
from litestar.params import JSONBody  # noqa: TC002 - Litestar reads the annotations of handlers when it starts

from infra.documents.openapi import merge_documents
from infra.local.stack import Options
from infra.openapi import describe_services
from infra.seed.people import invent_people
from services.auth import app as auth
from services.auth import routes as auth_routes
from services.frontend import app as frontend
from services.frontend import routes as frontend_routes
from services.store.keys import USERNAME_FIELD
from services.store.table import USERNAME
from services.uploads import app as uploads
from services.uploads import routes as uploads_routes
from services.web import problems
from services.web.api_document import HEADERS_BY_STATUS, list_operations
from services.web.callers.identity import PROBLEMS, Audience
from services.web.gate import MAX_PATH_LENGTH
from services.web.openapi import CALLER, add_examples, describe_api
from services.web.problem_response import MEDIA_TYPE, URN
from services.web.problems import BODY_ERRORS, UNAVAILABLE, describe_problems
from services.web.rate_limits import TooManyRequestsError
from services.web.request_context import REQUEST_ID_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ORIGIN = "https://pictures.example"
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


@cache
def describe() -> dict[str, Any]:
    return json.loads(json.dumps(describe_services(ORIGIN)))


@pytest.fixture
def document(service: str) -> dict[str, Any]:
    return describe()[service]


def list_contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The bodies of the operation's request and responses, with their media types."""
    yield from operation.get("requestBody", {}).get("content", {}).items()
    for answer in operation["responses"].values():
        yield from answer.get("content", {}).items()


def resolve(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """The part itself, or the one that it refers to."""
    found: Any = document
    for name in part["$ref"].removeprefix("#/").split("/") if "$ref" in part else ():
        found = found[name]
    return found if "$ref" in part else part


def list_described(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Each schema with each of its examples."""
    for operation in list_operations(document):
        described = [*operation.get("parameters", []), *(content for _, content in list_contents(operation))]
        headers = [
            resolve(document, header)
            for answer in operation["responses"].values()
            for header in answer.get("headers", {}).values()
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
        if media_type == MEDIA_TYPE
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
        struct = problems.ProblemDetails if name.endswith("Problem") else getattr(ROUTES[service], name)
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
        ways = [name for way in operation["security"] for name in way]
        assert ways == (["bearer", "session"] if "not-logged-in" in list_slugs(operation) else [])
        assert set(ways) <= set(schemes)


# What generated clients need

OPERATION_ID = re.compile(r"[a-z]+([A-Z][a-z]+)*")
MAX_ID_LENGTH = 24


def find_defects(document: dict[str, Any], operation: dict[str, Any]) -> list[str]:
    """What the operation lacks."""
    name = operation["operationId"]
    missing = [f"{member} is missing" for member in ("summary", "description", "tags") if not operation.get(member)]
    is_short = OPERATION_ID.fullmatch(name) and len(name) <= MAX_ID_LENGTH
    return [
        *missing,
        *([] if is_short else ["the id is long or not in camel case"]),
        *find_security_defects(document, operation),
        *find_header_defects(operation),
        *find_schema_defects(document, operation),
        *find_problem_defects(document, operation),
    ]


def find_security_defects(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[str]:
    if "security" not in operation:
        yield "security is missing"
    elif (
        not {name for way in operation["security"] for name in way} <= document["components"]["securitySchemes"].keys()
    ):
        yield "the security has another scheme"


def find_header_defects(operation: dict[str, Any]) -> Iterator[str]:
    for status, answer in operation["responses"].items():
        wanted = {REQUEST_ID_HEADER, *HEADERS_BY_STATUS.get(int(status), ())}
        yield from (f"{status} has no {header}" for header in sorted(wanted - answer["headers"].keys()))


def find_schema_defects(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[str]:
    sent = [*operation.get("parameters", ()), *operation.get("requestBody", {}).get("content", {}).values()]
    received = [content for _, content in list_contents(operation)]
    for schema in list_schemas(document, sent + received):
        if "properties" in schema and schema.get("additionalProperties") is not False:
            yield "an object has additional properties"
    for schema in list_schemas(document, sent):
        if schema.get("type") == "string" and not schema.keys() & {"enum", "const", "maxLength"}:
            yield "a text of the request has no limit"
        if schema.get("type") == "integer" and not schema.keys() >= {"minimum", "maximum"}:
            yield "a number of the request has no limits"


def find_problem_defects(document: dict[str, Any], operation: dict[str, Any]) -> list[str]:
    shown, listed = list_slugs(operation), set[str]()
    for status, answer in operation["responses"].items():
        if status >= "400":
            types = resolve(document, answer["content"][MEDIA_TYPE]["schema"])["properties"]["type"]
            listed |= {each.removeprefix(URN) for each in types.get("enum", ())}
    return [f"{slug} is in the examples or in the enum only" for slug in sorted(shown ^ listed)]


def list_schemas(document: dict[str, Any], parts: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The schemas of these parts, with those of their members, alternatives and items."""
    coming = [part["schema"] for part in parts]
    while coming:
        schema = resolve(document, coming.pop())
        yield schema
        others = (schema.get("items"), schema.get("additionalProperties"))
        coming += [*schema.get("properties", {}).values(), *schema.get("oneOf", ()), *filter(None, others)]


def test_every_operation_has_what_generated_clients_need(document: dict[str, Any]) -> None:
    defects = {operation["operationId"]: find_defects(document, operation) for operation in list_operations(document)}
    assert {name: found for name, found in defects.items() if found} == {}


def test_the_gate_accepts_the_longest_path_that_the_document_allows(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            parameters = [each for each in operation.get("parameters", ()) if each["in"] == "path"]
            longest = {each["name"]: "x" * each["schema"]["maxLength"] for each in parameters}
            assert len(path.format_map(longest)) <= MAX_PATH_LENGTH


def edit(path: str, value: Any = None) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """Make a function that sets a member of the operation, or of the document if the path starts with `/`, or removes
    it.
    """

    def change(document: dict[str, Any], operation: dict[str, Any]) -> None:
        *parents, name = path.strip("/").split("/")
        part: Any = document if path.startswith("/") else operation
        for parent in parents:
            part = part[int(parent) if parent.isdecimal() and parent not in part else parent]
        if value is None:
            del part[name]
        else:
            part[name] = value

    return change


PRESIGN = "/components/schemas/PresignRequest"


@pytest.mark.parametrize(
    ("change", "defect"),
    [
        (edit("operationId", "UploadsPresignPresign"), "the id is long or not in camel case"),
        (edit("operationId", "presignOneUploadOfAPicture"), "the id is long or not in camel case"),
        (edit("summary"), "summary is missing"),
        (edit("description"), "description is missing"),
        (edit("tags"), "tags is missing"),
        (edit("security"), "security is missing"),
        (edit("security", [{"basic": []}]), "the security has another scheme"),
        (edit("responses/200/headers/X-Request-Id"), "200 has no X-Request-Id"),
        (edit("responses/409/headers/X-Request-Id"), "409 has no X-Request-Id"),
        (edit("responses/429/headers/Retry-After"), "429 has no Retry-After"),
        (edit("responses/503/headers/Retry-After"), "503 has no Retry-After"),
        (edit("responses/401/headers/WWW-Authenticate"), "401 has no WWW-Authenticate"),
        (edit("parameters/0/schema/maxLength"), "a text of the request has no limit"),
        (edit(f"{PRESIGN}/properties/size/maximum"), "a number of the request has no limits"),
        (edit(f"{PRESIGN}/properties/sha256/maxLength"), "a text of the request has no limit"),
        (edit(f"{PRESIGN}/additionalProperties"), "an object has additional properties"),
        (edit("/components/schemas/PresignResponse/additionalProperties"), "an object has additional properties"),
        (edit("/components/schemas/PresignProblem/additionalProperties"), "an object has additional properties"),
        (
            edit("/components/schemas/PresignProblem/properties/type", {"type": "string"}),
            "too-large is in the examples or in the enum only",
        ),
    ],
)
@pytest.mark.parametrize("service", ["uploads"], indirect=True)
def test_an_operation_that_lacks_something_is_refused(
    document: dict[str, Any], change: Callable[[dict[str, Any], dict[str, Any]], None], defect: str
) -> None:
    changed = copy.deepcopy(document)
    operation = changed["paths"]["/uploads/presign"]["post"]
    change(changed, operation)
    assert defect in find_defects(changed, operation)


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(max_length=8)] | None = None


@pytest.mark.parametrize("has_session", [True, False])
def test_a_new_route_is_described_completely_by_its_handler(has_session: bool) -> None:  # noqa: FBT001 - a parameter set
    @post(
        "/new",
        summary="New",
        description="A new route.",
        operation_class=add_examples({"one": {"name": "one"}}, bodies={"one": {"name": "one"}}),
        responses=describe_problems(
            {TooManyRequestsError: problems.TOO_MANY_REQUESTS}, *BODY_ERRORS, TooManyRequestsError(1)
        ),
        security=CALLER,
    )
    async def make_new(data: JSONBody[Wanted]) -> Wanted:
        return data

    config = describe_api("new", "/schema", "A service.", Audience(ORIGIN), has_session=has_session)
    document = json.loads(json.dumps(Litestar([make_new], openapi_config=config).openapi_schema.to_schema()))
    [operation] = list_operations(document)
    assert operation["operationId"] == "makeNew"
    assert operation["security"] == (CALLER if has_session else CALLER[:1])
    assert find_defects(document, operation) == []
    limited = document["components"]["schemas"]["Wanted"]["properties"]["name"]
    assert limited == {"oneOf": [{"type": "string", "maxLength": 8}, {"type": "null"}]}


def test_each_problem_has_the_documented_headers(service: str) -> None:
    errors = {"auth": auth.ERRORS, "uploads": uploads.ERRORS, "frontend": frontend.ERRORS}[service]
    for kind, problem in {**errors, Exception: UNAVAILABLE}.items():
        sent = problem.describe(TooManyRequestsError(1) if kind is TooManyRequestsError else Exception())
        assert set(sent.headers or ()) == set(HEADERS_BY_STATUS.get(problem.status, ())), problem.slug


@pytest.mark.parametrize("service", ["uploads"], indirect=True)
def test_documents_that_contradict_each_other_are_not_merged(document: dict[str, Any]) -> None:
    assert merge_documents([document])["paths"] == document["paths"]
    other = copy.deepcopy(document)
    other["paths"] = {"/other": other["paths"]["/uploads/presign"]}
    with pytest.raises(ValueError, match=r"Two operations have the id presign\."):
        merge_documents([document, other])
    edit(f"{PRESIGN}/properties/size/maximum", 7)(other, {})
    with pytest.raises(ValueError, match=r"Two services describe PresignRequest differently\."):
        merge_documents([document, other])
