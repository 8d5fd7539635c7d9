"""Makes MiniStack behave as S3 where it does not.

It wraps functions of MiniStack's S3 module, and so works with one version only. Each wrapper documents what it adds.
"""

from __future__ import annotations

import importlib.metadata
from datetime import datetime
from typing import TYPE_CHECKING, Any

from infra.local.emulator import copies, forms, writes
from infra.local.emulator.lifecycle import Expiration, find_expiration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType

    from infra.local.emulator.clock import Clock

VERSION = "1.5.33"
ACCOUNT = "000000000000"


class WrongVersionError(Exception):
    """The installed version of MiniStack is not the one that the layer was written for."""


def install(s3: ModuleType, clock: Clock) -> None:
    """Wrap `ministack.services.s3`.

    Raises:
        WrongVersionError: another version of MiniStack is installed.
    """
    found = importlib.metadata.version("ministack")
    if found != VERSION:
        raise WrongVersionError(f"The layer over MiniStack is for version {VERSION}, and {found} is installed.")
    module: Any = s3
    forms.wrap(module)
    writes.wrap(module)
    copies.wrap(module)
    module._head_object = _with_expiration(module, module._head_object)
    module._get_object = _with_expiration(module, module._get_object)
    # MiniStack uses this for the last modification of an object. Its own function ignores the clock.
    module.now_iso = lambda: clock.now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def expire_objects(s3: ModuleType, region: str, now: datetime) -> Iterator[tuple[str, str, Expiration]]:
    """Delete the objects in all buckets that have expired by `now`. Yields bucket, key and expiration of each."""
    module: Any = s3
    with module.request_scope(ACCOUNT, region):
        for bucket in list(module._bucket_lifecycle):
            for key in list(module._ensure_bucket(bucket)["objects"]):
                expiration = _find_expiration(module, bucket, key)
                if expiration and expiration.when <= now:
                    module._delete_object(bucket, key)
                    yield bucket, key, expiration


def list_rules(s3: ModuleType, region: str) -> list[dict[str, Any]]:
    """The lifecycle rules of all buckets, as S3 has them."""
    module: Any = s3
    with module.request_scope(ACCOUNT, region):
        return [rule for bucket in list(module._bucket_lifecycle) for rule in module._bucket_lifecycle[bucket]]


def _with_expiration(s3: Any, handle: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the header `x-amz-expiration` if a lifecycle rule will delete the object (AWS: HeadObject, GetObject)."""

    def handle_with_expiration(bucket: str, key: str, *rest: Any, **named: Any) -> Any:
        response = handle(bucket, key, *rest, **named)
        if response[0] in {200, 206} and (expiration := _find_expiration(s3, bucket, key)):
            response[1]["x-amz-expiration"] = expiration.header
        return response

    return handle_with_expiration


def _find_expiration(s3: Any, bucket: str, key: str) -> Expiration | None:
    stored: Mapping[str, Any] = s3._ensure_bucket(bucket)["objects"][key]
    tags = s3._object_tags.get((bucket, key, stored.get("version_id")), {})
    modified = datetime.fromisoformat(stored["last_modified"])
    return find_expiration(s3._bucket_lifecycle.get(bucket) or [], key, tags, modified)
