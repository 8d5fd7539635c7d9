"""The OpenAPI documents of the services, merged into one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.documents.routing import find_rule
from services.web.api_document import Document, list_operations

if TYPE_CHECKING:
    from collections.abc import Sequence

TITLE = "three-phase-upload"

DESCRIPTION = """Avatar uploads by a three-phase presigned POST. Presign returns a form, the client posts the file to
the bucket with that form, and confirm makes the object the user's avatar. The POST to the bucket is no operation here:
its URL and its fields are in the response to the presign.

API Gateway and the load balancer in front of the services have error responses of their own, with the statuses 413,
429, 502, 503 and 504. They have no problem details, no `X-Request-Id` and no `Retry-After`.
"""


def find_path(service: str) -> str:
    """The path of the service's own document."""
    return find_rule(service).pattern.removesuffix("*") + "schema"


def merge_documents(documents: Sequence[Document]) -> Document:
    """One document with the operations of all.

    Raises:
        ValueError: two documents have different things of one name, or two operations have one id.
    """
    first = documents[0]
    merged: Document = {
        "openapi": first["openapi"],
        "info": first["info"] | {"title": TITLE, "description": DESCRIPTION},
        "servers": first["servers"],
        "tags": [tag for document in documents for tag in document["tags"]],
        "paths": _unite(*(document["paths"] for document in documents)),
        "components": {
            kind: _unite(*(document["components"].get(kind, {}) for document in documents))
            for kind in ("schemas", "headers", "securitySchemes")
        },
    }
    ids = [operation["operationId"] for operation in list_operations(merged)]
    if duplicates := sorted({name for name in ids if ids.count(name) > 1}):
        raise ValueError(f"Two operations have the id {', '.join(duplicates)}.")
    return merged


def _unite(*parts: Document) -> Document:
    united: Document = {}
    for part in parts:
        if different := [name for name, value in part.items() if united.setdefault(name, value) != value]:
            raise ValueError(f"Two services describe {', '.join(different)} differently.")
    return united
