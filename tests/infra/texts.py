"""Texts that were not what the program meant: outputs that were not awaited, and values that are missing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.infra.walk import parse_document, walk
from tests.infra.wire import UNKNOWN

if TYPE_CHECKING:
    from tests.infra.deployment import Deployment

_TRACES = {
    "Calling __str__": "holds an output that was formatted as a text",
    "<pulumi.": "holds the representation of an object of Pulumi's",
    " object at 0x": "holds the representation of an object",
    "<coroutine": "holds the representation of a coroutine",
    "{'": "holds the representation of a dict",
}
_MISSING = re.compile(r"(?<![\w ])(None|null|undefined)(?![\w ])")


def find_text_faults(deployment: Deployment) -> list[str]:
    """In the inputs and exports, and in the JSON within them."""
    roots = [(str(each), each.inputs) for each in deployment.registrations] + [("export", deployment.exports)]
    return [f"{path}: {fault}" for name, root in roots for path, value in walk(root, name) if (fault := _judge(value))]


def find_leaks(deployment: Deployment) -> list[str]:
    """Secrets in exports, be they marked or not, and in inputs and log lines that are not marked as secret."""
    shown = [(f"export.{name}", value) for name, value in deployment.exports.items()]
    shown += [(f"log of {line.urn or 'the program'}", line.message) for line in deployment.logs]
    shown += [
        (f"{each}.{name}", value)
        for each in deployment.registrations
        for name, value in each.inputs.items()
        if name not in each.secret_inputs
    ]
    leaks = [
        path
        for name, root in shown
        for path, value in walk(root, name)
        if isinstance(value, str) and any(secret in value for secret in deployment.secrets)
    ]
    marked = [f"export.{name}" for name in deployment.secret_exports]
    return [f"{path}: holds a secret" for path in sorted({*leaks, *marked})]


def _judge(value: object) -> str | None:
    if value is None:
        return "has no value"
    if not isinstance(value, str) or parse_document(value) is not None:
        return None
    if UNKNOWN in value and value != UNKNOWN:
        return "holds what was not known yet"
    if missing := _MISSING.search(value):
        return f"holds {missing[0]!r} where a value was meant"
    return next((meaning for trace, meaning in _TRACES.items() if trace in value), None)
