"""Makes MiniStack answer as S3 does where it does not of itself.

Wraps functions of one of its modules and so is bound to one version of it. What each wrapper adds is said with it,
and nothing else changes.
"""

from __future__ import annotations

import importlib.metadata
from datetime import datetime
from typing import TYPE_CHECKING, Any

from infra.local.emulator.lifecycle import find_expiration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

VERSION = "1.5.33"


class WrongVersionError(Exception):
    pass


def install(s3: ModuleType) -> None:
    """Wrap `ministack.services.s3`.

    Raises:
        WrongVersionError: the layer was not written for the MiniStack that is installed.
    """
    found = importlib.metadata.version("ministack")
    if found != VERSION:
        raise WrongVersionError(f"The layer over MiniStack is for version {VERSION}, and {found} is installed.")
    module: Any = s3
    module._head_object = _with_expiration(module, module._head_object)  # noqa: SLF001 - it offers no other way in
    module._get_object = _with_expiration(module, module._get_object)  # noqa: SLF001


def _with_expiration(s3: Any, answer: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `x-amz-expiration` where a lifecycle rule will delete the object (AWS: HeadObject, GetObject)."""

    def answer_with_expiration(bucket: str, key: str, *rest: Any, **named: Any) -> Any:
        answered = answer(bucket, key, *rest, **named)
        if answered[0] in {200, 206} and (expiration := _expiration(s3, bucket, key)):
            answered[1]["x-amz-expiration"] = expiration
        return answered

    return answer_with_expiration


def _expiration(s3: Any, bucket: str, key: str) -> str | None:
    stored: Mapping[str, Any] = s3._ensure_bucket(bucket)["objects"][key]  # noqa: SLF001
    tags = s3._object_tags.get((bucket, key, stored.get("version_id")), {})  # noqa: SLF001
    modified = datetime.fromisoformat(stored["last_modified"])
    found = find_expiration(s3._bucket_lifecycle.get(bucket) or [], key, tags, modified)  # noqa: SLF001
    return found.header if found else None
