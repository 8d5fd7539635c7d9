"""The tables of docs/reference.md are those of the code."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import msgspec
import pytest
from litestar import Litestar

from services.auth import routes as auth
from services.auth.settings import Settings as AuthSettings
from services.frontend import routes as frontend
from services.frontend.settings import Settings as FrontendSettings
from services.settings.environment import METRICS_NAMESPACE
from services.uploads import routes as uploads
from services.uploads.problems import ERRORS
from services.uploads.settings import Settings as UploadsSettings
from services.uploads.sweep.report import MEANINGS, METRICS
from services.uploads.sweep.settings import Settings as SweepSettings
from services.web.bodies import MAX_BODY_BYTES
from services.web.logging import RequestLine
from services.web.problems import INTERNAL, UNAVAILABLE, URN

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference.md").read_text()
SETTINGS: dict[str, type[msgspec.Struct]] = {
    "auth": AuthSettings,
    "uploads": UploadsSettings,
    "frontend": FrontendSettings,
    "sweep": SweepSettings,
}


def describe_services() -> dict[str, Any]:
    """The paths of the three OpenAPI documents together."""
    paths: dict[str, Any] = {}
    for service in (auth, uploads, frontend):
        parameters = inspect.signature(service.make_routes).parameters
        handlers = service.make_routes(*(Mock() for _ in parameters))
        document = json.loads(json.dumps(Litestar(handlers).openapi_schema.to_schema()))
        paths |= {
            path: item | {"schemas": document["components"]["schemas"]} for path, item in document["paths"].items()
        }
    return paths


def list_operations() -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each call by name, with its operation and the schemas that the operation refers to."""
    return [
        (f"{method.upper()} {path}", operation, item["schemas"])
        for path, item in describe_services().items()
        for method, operation in item.items()
        if method != "schemas"
    ]


def list_members(content: dict[str, Any], schemas: dict[str, Any]) -> str:
    """The members of a JSON object; optional ones end with a question mark."""
    schema = content.get("application/json", {}).get("schema", {})
    found = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    required = found.get("required", [])
    names = [name if name in required else f"{name}?" for name in found.get("properties", {})]
    return f"`{', '.join(names)}`" if names else ""


def draw_calls() -> str:
    lines = ["| Call | Query | Request body | Status | Response body |", "|---|---|---|---|---|"]
    for name, operation, schemas in list_operations():
        query = ", ".join(p["name"] for p in operation.get("parameters", []) if p["in"] == "query")
        body = list_members(operation.get("requestBody", {}).get("content", {}), schemas)
        status, answer = next((s, a) for s, a in operation["responses"].items() if s < "400")
        members = list_members(answer.get("content", {}), schemas)
        lines.append(f"| `{name}` | {f'`{query}`' if query else ''} | {body} | {status} | {members} |")
    return "\n".join(lines)


def find_problems() -> dict[str, tuple[int, set[str]]]:
    """Status and calls of each problem in the OpenAPI documents."""
    found: dict[str, tuple[int, set[str]]] = {}
    for name, operation, _ in list_operations():
        for answer in operation["responses"].values():
            for example in answer.get("content", {}).get("application/problem+json", {}).get("examples", {}).values():
                slug = example["value"]["type"].removeprefix(URN)
                found.setdefault(slug, (example["value"]["status"], set()))[1].add(name)
    return found


def draw_default(value: Any) -> str:
    return "" if value is None else f"`{json.dumps(value).strip(chr(34))}`"


def draw_settings() -> str:
    """One line for each setting, with the programs that read it."""
    lines: dict[str, list[str]] = {}
    for program, kind in SETTINGS.items():
        described = msgspec.json.schema(kind)["$defs"]["Settings"]["properties"]
        for field in msgspec.structs.fields(kind):
            default = "required" if field.required else draw_default(field.default)
            schema = described[field.name]
            # In the schema of an optional setting, the description is that of one of its types.
            description = next(
                each["description"] for each in (schema, *schema.get("anyOf", ())) if "description" in each
            )
            line = f"| `{field.name.upper()}` | {default} | {description} |"
            lines.setdefault(line, []).append(program)
    rows = [f"{line} {'all' if len(users) == len(SETTINGS) else ', '.join(users)} |" for line, users in lines.items()]
    return "\n".join(["| Variable | Default | Meaning | Read by |", "|---|---|---|---|", *rows])


def draw_outcomes() -> str:
    rows = [
        f"| `{outcome}` | {f'`{METRICS[outcome]}`' if outcome in METRICS else ''} | {meaning} |"
        for outcome, meaning in MEANINGS.items()
    ]
    return "\n".join(["| Outcome | Metric | Meaning |", "|---|---|---|", *rows])


def read_first_column(heading: str) -> list[str]:
    """The names in the first column of this section's table."""
    section = re.split(r"^#+ ", PAGE.partition(f"\n## {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    cells = re.findall(r"^\| (`.*?) \|", section, flags=re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("draw", [draw_calls, draw_settings, draw_outcomes])
def test_a_generated_table_is_that_of_the_code(draw: Any) -> None:
    table = draw()
    assert f"\n{table}\n" in PAGE, f"The table should be:\n{table}"


def test_the_problems_are_those_of_the_openapi_documents() -> None:
    found = find_problems()
    every_call = {name for name, _, _ in list_operations()}
    assert sorted(read_first_column("Problems")) == sorted(found)
    for slug, (status, calls) in found.items():
        where = "every call" if calls == every_call else ", ".join(f"`{name}`" for name in sorted(calls))
        assert f"\n| `{slug}` | {status} | {where} | " in PAGE, f"| `{slug}` | {status} | {where} |"


def test_the_metrics_of_the_services_are_those_of_the_code() -> None:
    sources = [file.read_text() for file in (ROOT / "services").rglob("*.py")]
    counted = {name for source in sources for name in re.findall(r'\.(?:count|measure)\("(\w+)"', source)}
    counted |= {problem.metric for problem in (*ERRORS.values(), INTERNAL, UNAVAILABLE) if problem.metric}
    assert set(read_first_column("Metrics")) == counted
    assert f"`{METRICS_NAMESPACE}`" in PAGE


def test_the_fields_of_the_log_are_those_of_the_code() -> None:
    example = re.findall(r"^```json\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)[0]
    assert tuple(json.loads(example)) == RequestLine.__struct_fields__
    assert msgspec.json.decode(example, type=RequestLine).status == 409
    assert read_first_column("Logs") == list(RequestLine.__struct_fields__)


def test_the_build_arguments_are_those_of_the_dockerfile() -> None:
    arguments = set(re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE))
    assert set(read_first_column("Images")) == arguments


def test_the_size_of_a_body_is_that_of_the_code() -> None:
    assert f"more than {MAX_BODY_BYTES // 1024} KiB" in PAGE
