"""An OpenAPI document as a page for people: HTML without script, and nothing in it comes from another host."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, tostring

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Json = Mapping[str, Any]
    """An object of the document."""

SERVICES = {"auth": "/auth/schema", "uploads": "/uploads/schema", "frontend": "/schema"}
"""Where each describes itself, on the one origin."""

STYLES = ("/static/page.css", "/static/schema.css")

METHODS = ("get", "put", "post", "delete", "patch")
PROBLEM = "application/problem+json"


def render_reference(document: Json) -> bytes:
    page = _Reference(document).make_page()
    return b"<!doctype html>\n" + tostring(page, encoding="unicode", method="html").encode()


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    path: str
    operation: Json

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def anchor(self) -> str:
        return self.operation["operationId"]

    @property
    def parameters(self) -> list[Json]:
        return self.operation.get("parameters", [])

    @property
    def body(self) -> Json | None:
        return self.operation.get("requestBody", {}).get("content", {}).get("application/json")

    @property
    def answers(self) -> Iterator[tuple[str, Json]]:
        """Those that are no problems."""
        return ((status, answer) for status, answer in self.operation["responses"].items() if status < "400")

    @property
    def problems(self) -> Iterator[Json]:
        for answer in self.operation["responses"].values():
            yield from _examples_of(answer.get("content", {}).get(PROBLEM, {})).values()

    @property
    def callers(self) -> str:
        if self.operation.get("security"):
            return "A logged-in user, by Bearer token or session cookie."
        return "Anybody."


@dataclass(frozen=True, slots=True)
class _Reference:
    document: Json

    def make_page(self) -> Element:
        title = self.document["info"]["title"]
        calls = list(self._list_calls())
        return _element(
            "html",
            _element(
                "head",
                _element("meta", charset="utf-8"),
                _element("meta", name="viewport", content="width=device-width, initial-scale=1"),
                _element("title", f"{title} · API"),
                _element("link", rel="icon", href="/static/icon.svg"),
                *(_element("link", rel="stylesheet", href=href) for href in STYLES),
            ),
            _element(
                "body",
                self._make_header(title, calls),
                _element("main", *(self._make_call(call) for call in calls), _explain_problems(calls)),
                class_="reference",
            ),
            lang="en",
        )

    def _list_calls(self) -> Iterator[_Call]:
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield _Call(method.upper(), path, item[method])

    def _make_header(self, title: str, calls: Iterable[_Call]) -> Element:
        services = [
            _element("a", name, href=path, **({"aria-current": "page"} if name == title else {}))
            for name, path in SERVICES.items()
        ]
        document = _element("a", "openapi.json", href=f"{SERVICES.get(title, '')}/openapi.json")
        return _element(
            "header",
            _element("nav", _element("a", "The page", href="/"), *services, class_="services", aria_label="Services"),
            _element("h1", f"The {title} service"),
            *_paragraphs(self.document["info"].get("description", "")),
            _element("p", "The same for programs, in OpenAPI: ", document),
            _element(
                "nav",
                _element(
                    "ul",
                    *(
                        _element(
                            "li",
                            _element("a", _method(call), _element("code", call.path), href=f"#{call.anchor}"),
                            " ",
                            _element("span", call.operation["summary"]),
                        )
                        for call in calls
                    ),
                ),
                class_="calls-there-are",
                aria_label="Calls",
            ),
        )

    def _make_call(self, call: _Call) -> Element:
        return _element(
            "section",
            _element("h2", _method(call), _element("code", call.path), id=call.anchor),
            _element("p", call.operation["summary"], class_="summary"),
            _element("div", *self._describe(call), class_="says"),
            _element("div", *self._exemplify(call), class_="examples"),
            class_="call",
            aria_labelledby=call.anchor,
        )

    def _describe(self, call: _Call) -> Iterator[Element]:
        yield from _paragraphs(call.operation.get("description", ""))
        yield _element("p", _element("b", "Who may call it: "), call.callers)
        if call.parameters:
            yield _element("h3", "Parameters")
            rows = [self._describe_parameter(parameter) for parameter in call.parameters]
            yield _table(f"Parameters of {call.name}", ("Name", "Type", "What it is"), rows)
        if call.body:
            yield _element("h3", "Body")
            yield self._describe_fields(f"Body of {call.name}", call.body["schema"])
        for status, answer in call.answers:
            yield _element("h3", f"Answer {status}")
            yield from _paragraphs(answer["description"])
            for content in answer.get("content", {}).values():
                if any(self._list_fields(content["schema"])):
                    yield self._describe_fields(f"Answer {status} of {call.name}", content["schema"])
            if headers := answer.get("headers"):
                rows = [
                    (_element("code", name), _prose(header.get("description", ""))) for name, header in headers.items()
                ]
                yield _table(f"Headers of answer {status} of {call.name}", ("Header", "What it is"), rows)
        yield _element("h3", "Problems")
        rows = [_describe_problem(problem) for problem in call.problems]
        yield _table(f"Problems of {call.name}", ("Status", "Type", "For example"), rows)

    def _exemplify(self, call: _Call) -> Iterator[Element]:
        yield _element("h3", "Example")
        yield _code(call, "curl", self._write_command(call))
        if call.body:
            for name, example in _examples_of(call.body).items():
                yield _code(call, f"Body, {name}", _write_json(example["value"]))
        for status, answer in call.answers:
            phrase = HTTPStatus(int(status)).phrase
            headers = [f"{name}: {header['example']}" for name, header in answer.get("headers", {}).items()]
            if headers:
                yield _code(call, f"Headers of {status} {phrase}", "\n".join(headers))
            for content in answer.get("content", {}).values():
                for name, example in _examples_of(content).items():
                    yield _code(call, f"{status} {phrase}, {name}", _write_json(example["value"]))

    def _write_command(self, call: _Call) -> str:
        path = call.path
        for parameter in call.parameters:
            path = path.replace(f"{{{parameter['name']}}}", quote(str(_first_example(parameter)), safe=""))
        url = self.document["servers"][0]["url"] + path
        words = [f"curl {shlex.quote(url)}"]
        if call.body:
            words += [f"--json {shlex.quote(json.dumps(_first_example(call.body)))}"]
        elif call.method != "GET":
            words += [f"--request {call.method}"]
        if call.operation.get("security"):
            words += ['--header "Authorization: Bearer $TOKEN"']
        if any(status >= "300" for status, _ in call.answers):
            words += ["--include"]
        return " \\\n  ".join(words)

    def _describe_parameter(self, parameter: Json) -> tuple[Element, Element, Element]:
        schema = parameter["schema"]
        example = f"For example `{_first_example(parameter)}`."
        notes = [f"In the {parameter['in']}.", parameter.get("description", ""), *_list_limits(schema), example]
        return (
            _name(parameter["name"], is_required=parameter["required"]),
            _element("span", self._name_type(schema)),
            _prose(" ".join(note for note in notes if note)),
        )

    def _describe_fields(self, label: str, schema: Json) -> Element:
        return _table(label, ("Name", "Type", "What it is"), list(self._list_fields(schema)))

    def _list_fields(self, schema: Json, within: str = "") -> Iterator[tuple[Element, Element, Element]]:
        """Those of objects within it, too, which are named by the way to them."""
        schema = self._resolve(schema)
        for name, member in schema.get("properties", {}).items():
            notes = [self._resolve(member).get("description", ""), *_list_limits(member)]
            yield (
                _name(within + name, is_required=name in schema.get("required", ())),
                _element("span", self._name_type(member)),
                _prose(" ".join(note for note in notes if note)),
            )
            yield from self._list_fields(member, f"{within}{name}.")
            if "items" in member:
                yield from self._list_fields(member["items"], f"{within}{name}[].")

    def _name_type(self, schema: Json) -> str:
        schema = self._resolve(schema)
        if "oneOf" in schema:
            return " or ".join(self._name_type(one) for one in schema["oneOf"])
        if "items" in schema:
            return f"array of {self._name_type(schema['items'])}"
        if "additionalProperties" in schema:
            return f"object of {self._name_type(schema['additionalProperties'])}"
        return f"{schema['type']}, {schema['format']}" if "format" in schema else schema.get("type", "anything")

    def _resolve(self, schema: Json) -> Json:
        if "$ref" not in schema:
            return schema
        return self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]


def _explain_problems(calls: Iterable[_Call]) -> Element:
    example = next(problem["value"] for call in calls for problem in call.problems)
    told = (
        "What goes wrong is answered as application/problem+json (RFC 9457). The type stays as it is; texts may change."
    )
    code = _element("pre", _element("code", _write_json(example)), tabindex="0", role="region", aria_label="A problem")
    return _element(
        "section",
        _element("h2", "Problems", id="problems"),
        _element("div", _element("p", told), class_="says"),
        _element("div", code, class_="examples"),
        class_="call",
        aria_labelledby="problems",
    )


def _describe_problem(problem: Json) -> tuple[Element, Element, Element]:
    value = problem["value"]
    return (
        _element("span", str(value["status"])),
        _element("code", value["type"].removeprefix("urn:problem:")),
        _prose(value["detail"]),
    )


def _list_limits(schema: Json) -> Iterator[str]:
    if "minimum" in schema:
        yield f"At least {schema['minimum']:g}."
    if "maximum" in schema:
        yield f"At most {schema['maximum']:g}."
    if "maxLength" in schema:
        yield f"At most {schema['maxLength']} characters."
    if "pattern" in schema:
        yield f"Of the form `{schema['pattern']}`."
    if "enum" in schema:
        yield f"One of {', '.join(f'`{value}`' for value in schema['enum'])}."
    if schema.get("default") is not None:
        yield f"`{schema['default']}` where it is left out."


def _examples_of(content: Json) -> Mapping[str, Json]:
    return content.get("examples", {})


def _first_example(described: Json) -> Any:
    """Of a parameter or a body."""
    return next((example["value"] for example in _examples_of(described).values()), None)


def _write_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _element(name: str, /, *children: Element | str, **attributes: str) -> Element:
    """Whatever text it is given is text, and is escaped when the page is written."""
    made = Element(name, {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()})
    for child in children:
        if isinstance(child, Element):
            made.append(child)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + child
        else:
            made.text = (made.text or "") + child
    return made


def _paragraphs(text: str) -> Iterator[Element]:
    return (_prose(part, "p") for part in text.split("\n\n") if part)


def _prose(text: str, name: str = "span") -> Element:
    """What stands between backquotes is code, as in CommonMark."""
    parts = text.split("`")
    return _element(name, *(_element("code", part) if number % 2 else part for number, part in enumerate(parts)))


def _method(call: _Call) -> Element:
    return _element("span", call.method, class_=f"method {call.method.lower()}")


def _name(name: str, *, is_required: bool) -> Element:
    optional = [] if is_required else [_element("small", "optional")]
    return _element("span", _element("code", name), *optional)


def _code(call: _Call, label: str, text: str) -> Element:
    code = _element("pre", _element("code", text), tabindex="0", role="region", aria_label=f"{call.name}: {label}")
    return _element("figure", _element("figcaption", label), code)


def _table(label: str, columns: Iterable[str], rows: Iterable[Iterable[Element]]) -> Element:
    """It scrolls by itself where it is too wide, by keyboard too."""
    head = _element("thead", _element("tr", *(_element("th", column, scope="col") for column in columns)))
    body = _element("tbody", *(_element("tr", *(_element("td", cell) for cell in row)) for row in rows))
    return _element("div", _element("table", head, body), class_="wide", tabindex="0", role="region", aria_label=label)
