"""The OpenAPI documents of the services, with examples."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from litestar import Response, Router
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import (
    Components,
    Example,
    OpenAPI,
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Parameter,
    RequestBody,
    Schema,
    SecurityScheme,
    Server,
)
from litestar.openapi.spec.enums import OpenAPIType
from litestar.status_codes import HTTP_404_NOT_FOUND

from services.web.api_document import complete_document
from services.web.problem_response import MEDIA_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from litestar.handlers import HTTPRouteHandler

    from services.web.callers.identity import Audience

CALLER: list[dict[str, list[str]]] = [{"bearer": []}, {"session": []}]
"""A route handler's `security`: the request needs an access token, as a Bearer token or in the session cookie."""


class CompleteExample(Example):
    """An example that keeps members with the value null, which Litestar leaves out."""

    def to_schema(self) -> dict[str, Any]:
        return super().to_schema() | {"value": self.value}


class _CompleteDocument(OpenAPI):
    def to_schema(self) -> dict[str, Any]:
        return complete_document(super().to_schema(), self.info.title)


class _Config(OpenAPIConfig):
    def to_openapi_schema(self) -> OpenAPI:
        described = super().to_openapi_schema()
        return _CompleteDocument(**{field.name: getattr(described, field.name) for field in fields(described)})


def document_only(**keywords: Any) -> dict[str, Any]:
    """Make the value of `extra_json_schema` in `msgspec.Meta`: keywords of the schema, such as `enum`, that decoding
    does not check. A value outside them is refused later, with a problem type of its own.
    """
    return {"extra": keywords}


def _make_operation_id(handler: HTTPRouteHandler, *_: object) -> str:
    """The name of the route handler's function in camel case. Generated clients call their functions by it."""
    first, *rest = handler.handler_name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def describe_api(
    title: str, path: str, description: str, audience: Audience, *, has_session: bool = True
) -> OpenAPIConfig:
    """`has_session`: whether the service accepts the session cookie of the auth service."""
    schemes: dict[str, Any] = {
        "bearer": SecurityScheme(
            type="http",
            scheme="bearer",
            bearer_format="JWT",
            description="An access token. By default, `POST /auth/login` returns it.",
        ),
    }
    if has_session:
        schemes["session"] = SecurityScheme(
            type="apiKey",
            name=audience.cookie,
            security_scheme_in="cookie",
            description="The cookie that `POST /auth/login` sets, for pages of this origin.",
        )
    return _Config(
        title=title,
        version="1",
        description=description,
        openapi_router=Router(path, route_handlers=[], include_in_schema=False, after_request=_require_found),
        servers=[Server(url=audience.origin)],
        components=Components(security_schemes=schemes),
        operation_id_creator=_make_operation_id,
        # Litestar's HTML pages run scripts from other hosts, on the origin of the session cookie.
        render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"])],
    )


def _require_found(response: Response[Any]) -> Response[Any]:
    """
    Raises:
        NotFoundException: the response is Litestar's HTML page for an unknown path below the document's.
    """
    if response.status_code == HTTP_404_NOT_FOUND:
        raise NotFoundException
    return response


def add_examples(
    responses: Mapping[str, Any] | None = None,
    *,
    bodies: Mapping[str, Any] | None = None,
    headers: Mapping[str, tuple[str, str]] | None = None,
    parameters: Sequence[Parameter] = (),
) -> type[Operation]:
    """Make the value of a route handler's `operation_class`.

    Args:
        responses: JSON examples of the successful response, by name.
        bodies: JSON examples of the request body, by name.
        headers: headers of the successful response, each with a description and an example.
        parameters: parameters of the request that the route handler has no arguments for.
    """

    @dataclass
    class WithExamples(Operation):
        def __post_init__(self) -> None:
            self.parameters = [*(self.parameters or []), *parameters] or None
            if isinstance(self.request_body, RequestBody):
                _add(self.request_body.content, bodies or {})
            # For parameters Litestar adds a response 400 that is no problem details.
            self.responses = {
                status: response
                for status, response in (self.responses or {}).items()
                if status < "400" or MEDIA_TYPE in (getattr(response, "content", None) or {})
            }
            for status, response in self.responses.items():
                if isinstance(response, OpenAPIResponse) and status < "400":
                    _add(response.content or {}, responses or {})
                    response.headers = {
                        name: OpenAPIHeader(
                            schema=Schema(type=OpenAPIType.STRING), description=meaning, required=True, example=example
                        )
                        for name, (meaning, example) in (headers or {}).items()
                    }

    return WithExamples


def _add(content: Mapping[str, OpenAPIMediaType], examples: Mapping[str, Any]) -> None:
    for media_type in content.values():
        media_type.examples = {name: CompleteExample(value=value) for name, value in examples.items()}
