"""What a service says of itself: an OpenAPI document with examples, for programs and, as a page, for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from litestar import Response
from litestar.enums import OpenAPIMediaType as DocumentType
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import (
    Components,
    Example,
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    RequestBody,
    Schema,
    SecurityScheme,
    Server,
)
from litestar.openapi.spec.enums import OpenAPIType

from services.web.reference import render_reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litestar import Request

    from services.web.callers.identity import Audience

JSON = "application/json"
HTML = "text/html"
PROBLEM = "application/problem+json"

CALLER: list[dict[str, list[str]]] = [{"bearer": []}, {"session": []}]
"""For a handler's `security`: one of the two says who calls."""

PAGE_HEADERS = {
    # The page's pictures and styles are the frontend's, which is on the same origin; it has no script.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class WholeExample(Example):
    """With its members that are null, which the framework leaves out."""

    def to_schema(self) -> dict[str, Any]:
        return super().to_schema() | {"value": self.value}


class DescriptionPlugin(OpenAPIRenderPlugin):
    """The document for programs, and a page for who prefers HTML, as browsers do. The framework's own pages run scripts
    of other hosts, and that on the origin of the session.
    """

    def __init__(self) -> None:
        super().__init__(path="/", media_type=DocumentType.OPENAPI_JSON)

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> Any:
        """The answer and not its bytes alone, as from any handler: which of the two it is depends on the request."""
        if request.accept.best_match([DocumentType.OPENAPI_JSON, JSON, HTML]) == HTML:
            page = render_reference(openapi_schema)
            return Response(page, media_type=HTML, headers=PAGE_HEADERS | {"Vary": "Accept"})
        document = self.render_json(request, openapi_schema)
        return Response(document, media_type=DocumentType.OPENAPI_JSON, headers={"Vary": "Accept"})


def describe_api(title: str, path: str, description: str, audience: Audience) -> OpenAPIConfig:
    schemes: dict[str, Any] = {
        "bearer": SecurityScheme(
            type="http",
            scheme="bearer",
            bearer_format="JWT",
            description="The access token that `POST /auth/login` answers with; for programs.",
        ),
        "session": SecurityScheme(
            type="apiKey",
            name=audience.cookie,
            security_scheme_in="cookie",
            description="Set by `POST /auth/login`; for pages of this origin.",
        ),
    }
    return OpenAPIConfig(
        title=title,
        version="1",
        description=description,
        path=path,
        servers=[Server(url=audience.origin)],
        components=Components(security_schemes=schemes),
        render_plugins=[DescriptionPlugin()],
    )


def add_examples(
    answers: Mapping[str, Any] | None = None,
    *,
    bodies: Mapping[str, Any] | None = None,
    headers: Mapping[str, tuple[str, str]] | None = None,
) -> type[Operation]:
    """For a handler's `operation_class`: examples in JSON by what each is an example of. `headers`: of the answer, what
    each is, and an example of it.
    """

    @dataclass
    class WithExamples(Operation):
        def __post_init__(self) -> None:
            if isinstance(self.request_body, RequestBody):
                _add(self.request_body.content, bodies or {})
            # The framework names a 400 of its own where there are parameters, and none of ours looks like that.
            self.responses = {
                status: answer
                for status, answer in (self.responses or {}).items()
                if status < "400" or PROBLEM in (getattr(answer, "content", None) or {})
            }
            for status, answer in self.responses.items():
                if isinstance(answer, OpenAPIResponse) and status < "400":
                    _add(answer.content or {}, answers or {})
                    answer.headers = {
                        name: OpenAPIHeader(
                            schema=Schema(type=OpenAPIType.STRING), description=meaning, required=True, example=example
                        )
                        for name, (meaning, example) in (headers or {}).items()
                    }

    return WithExamples


def _add(content: Mapping[str, OpenAPIMediaType], examples: Mapping[str, Any]) -> None:
    for described in content.values():
        described.examples = {name: WholeExample(value=value) for name, value in examples.items()}
