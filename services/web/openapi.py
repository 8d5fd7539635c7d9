"""Describes a service as an OpenAPI document with examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
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

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.web.callers.identity import Audience

PROBLEM = "application/problem+json"

CALLER: list[dict[str, list[str]]] = [{"bearer": []}, {"session": []}]
"""For a handler's `security`: the call takes a Bearer token or the session cookie."""


class WholeExample(Example):
    """An example that keeps its null members, which the framework would leave out."""

    def to_schema(self) -> dict[str, Any]:
        return super().to_schema() | {"value": self.value}


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
        # The framework's HTML pages run scripts of other hosts, on the origin of the session cookie.
        render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"])],
    )


def add_examples(
    answers: Mapping[str, Any] | None = None,
    *,
    bodies: Mapping[str, Any] | None = None,
    headers: Mapping[str, tuple[str, str]] | None = None,
) -> type[Operation]:
    """For a handler's `operation_class`.

    Args:
        answers: JSON examples of the successful response, by name.
        bodies: JSON examples of the request body, by name.
        headers: headers of the successful response, each with its meaning and an example.
    """

    @dataclass
    class WithExamples(Operation):
        def __post_init__(self) -> None:
            if isinstance(self.request_body, RequestBody):
                _add(self.request_body.content, bodies or {})
            # For parameters the framework adds a 400 of another form than our problems have.
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
