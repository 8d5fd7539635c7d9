"""Completes an OpenAPI document for generated clients. Pure: Litestar describes the route handlers, and this module
adds what is true of every operation, so that no route has to say it.
"""

from __future__ import annotations

from http import HTTPMethod
from typing import TYPE_CHECKING, Any, cast

from services.web.problem_response import MEDIA_TYPE, URN
from services.web.request_context import REQUEST_ID_HEADER, REQUEST_ID_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterator

Document = dict[str, Any]
"""An OpenAPI document, or a part of one, as JSON."""

PROBLEM = "ProblemDetails"
"""The schema of every problem. Each operation gets one of its own in its place, which lists its problem types."""

HEADERS: dict[str, Document] = {
    REQUEST_ID_HEADER: {
        "description": "The id of the request in the logs: that of the request's own header if it is well-formed.",
        "required": True,
        "schema": {"type": "string", "pattern": f"^{REQUEST_ID_PATTERN}$"},
        "example": "6f1c2a7e-3b58-4d0a-9e4f-2d7c80b1a935",
    },
    "Retry-After": {
        "description": "Wait for this number of seconds, then repeat the request.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
        "example": 1,
    },
    "WWW-Authenticate": {
        "description": "The authentication scheme that the request needs (RFC 6750).",
        "required": True,
        "schema": {"type": "string"},
        "example": "Bearer",
    },
}
"""Headers of responses, which are the document's `components.headers`."""

HEADERS_BY_STATUS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
"""Headers that each problem with this status has. `X-Request-Id` is in every response."""

METHODS = {method.lower() for method in HTTPMethod}


def complete_document(document: Document, service: str) -> Document:
    """Add to each operation: the service as its tag, `security: []` if it needs no login, the headers of each response,
    and a schema of its problems, whose types are those of its examples. Objects other than maps get no additional
    properties.
    """
    components = document["components"]
    components["headers"] = HEADERS
    components["schemas"].pop(PROBLEM, None)
    for operation in list_operations(document):
        operation["tags"] = [service]
        # An alternative without a scheme in the document is left out, such as the session without the auth service.
        schemes = components["securitySchemes"]
        operation["security"] = [way for way in operation.get("security", ()) if way.keys() <= schemes.keys()]
        for parameter in operation.get("parameters", ()):
            # A parameter can be absent, and is never null.
            parameter["schema"] = _split_null(parameter["schema"])[0]
        for status, response in operation["responses"].items():
            names = (REQUEST_ID_HEADER, *HEADERS_BY_STATUS.get(int(status), ()))
            references = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
            response["headers"] = response.get("headers", {}) | references
        components["schemas"] |= _describe_problems(operation)
    for schema in _list_objects(document):
        schema["additionalProperties"] = False
        schema["properties"] = {name: _describe_member(member) for name, member in schema["properties"].items()}
    document["tags"] = [{"name": service, "description": document["info"]["description"]}]
    return document


def list_operations(document: Document) -> Iterator[Document]:
    for item in document["paths"].values():
        yield from (operation for method, operation in item.items() if method in METHODS)


def _describe_problems(operation: Document) -> dict[str, Document]:
    """The schema of the operation's problems, to which its responses refer from here on."""
    contents = [response.get("content", {}).get(MEDIA_TYPE) for response in operation["responses"].values()]
    problems = [content for content in contents if content]
    examples = [example["value"] for content in problems for example in content["examples"].values()]
    identifier = operation["operationId"]
    name = f"{identifier[0].upper()}{identifier[1:]}Problem"
    for content in problems:
        content["schema"] = {"$ref": f"#/components/schemas/{name}"}
    return {
        name: {
            "title": name,
            "type": "object",
            "properties": {
                "type": {
                    "type": "string",
                    "enum": sorted({example["type"] for example in examples}),
                    "description": f"The problem type: `{URN}` and a name.",
                },
                "status": {"type": "integer", "enum": sorted({example["status"] for example in examples})},
                "title": {"type": "string", "description": "The problem type, for people."},
                "detail": {"type": "string", "description": "This problem, for people."},
            },
            "required": ["detail", "status", "title", "type"],
        }
    }


def _describe_member(schema: Document) -> Document:
    """Move the limits of a member that can be null to its other type, since null is outside an `enum`.

    The default of an optional member is in its description only: openapi-typescript requires a member with a default.
    """
    schema.pop("default", None)
    limits, *null = _split_null(schema)
    if not null:
        return schema
    description = {"description": limits.pop("description")} if "description" in limits else {}
    return {"oneOf": [limits, *null], **description}


def _split_null(schema: Document) -> list[Document]:
    """The schema of the values that are not null, and that of null if the schema allows it."""
    null: Document = {"type": "null"}
    kinds = [kind for kind in schema.get("oneOf", ()) if kind != null]
    if null not in schema.get("oneOf", ()) or len(kinds) != 1:
        return [schema]
    return [kinds[0] | {name: value for name, value in schema.items() if name != "oneOf"}, null]


def _list_objects(part: object) -> Iterator[Document]:
    """The schemas of objects that list their members, at any depth, without the examples."""
    if isinstance(part, dict):
        schema = cast("Document", part)
        if schema.get("type") == "object" and "properties" in schema:
            yield schema
        for name, value in schema.items():
            if name not in {"example", "examples"}:
                yield from _list_objects(value)
    elif isinstance(part, list):
        for item in cast("list[object]", part):
            yield from _list_objects(item)
