"""How an object waits for its confirm, and what makes it permanent: two strategies of one kind.

A strategy answers in data: where a form posts to and what it pins, which copy promotes, which keys are left over.
Nothing else asks which one is on. Either way the promotion is one copy on condition of the ETag that was checked, so
that no other bytes than those can become permanent.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from services.keys import (
    AVATAR_CACHE_CONTROL,
    AVATAR_PREFIX,
    PENDING_PREFIX,
    PENDING_TAG,
    REQUEST_FIELD,
    TOKEN_FIELD,
    USERNAME_FIELD,
    UploadId,
    parse_key,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.uploads.upload import Stored


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy the object if its ETag is still this one: the bytes that were checked, or none. The copy has no tags."""

    source: str
    target: str
    etag: str
    content_type: str
    metadata: Mapping[str, str]
    cache_control: str


class Strategy(Protocol):
    prefix: str
    """Of the keys that forms post to, and that a confirm names."""
    with_token: bool
    """Whether a presign hands out an upload token, which the confirm must bring back."""

    def awaiting_key(self, upload_id: UploadId) -> str:
        """Where the form posts the object to, and where it waits."""
        ...

    def pins(self, token: str) -> Mapping[str, str]:
        """Form fields besides those that every form has."""
        ...

    def is_proved_by(self, stored: Stored, token: str | None) -> bool:
        """Whether who brings this token may confirm this object."""
        ...

    def promotion(self, upload_id: UploadId, stored: Stored) -> Copy:
        """What makes the object permanent: safe to repeat, and safe to stop after."""
        ...

    def is_marked(self, upload_id: UploadId, stored: Stored) -> bool:
        """Whether the object is at the avatar's key and a lifecycle rule would delete it there."""
        ...

    def leftovers(self, upload_id: UploadId) -> tuple[str, ...]:
        """Keys that are of no more use once the upload is confirmed."""
        ...


KEPT = (USERNAME_FIELD, REQUEST_FIELD)
"""Entries of the metadata that a picture keeps for good; under `tag`, with the token, all of them."""


class Prefix:
    """Under `pending/`; a lifecycle rule of that prefix deletes what stays there. Confirming copies it out."""

    prefix = PENDING_PREFIX
    with_token = False

    def awaiting_key(self, upload_id: UploadId) -> str:
        return upload_id.pending_key

    def pins(self, token: str) -> Mapping[str, str]:  # noqa: ARG002 - the key is proof enough
        return {}

    def is_proved_by(self, stored: Stored, token: str | None) -> bool:  # noqa: ARG002
        return True

    def promotion(self, upload_id: UploadId, stored: Stored) -> Copy:
        return Copy(
            upload_id.pending_key,
            upload_id.avatar_key,
            stored.etag,
            stored.content_type,
            {name: stored.metadata[name] for name in KEPT if name in stored.metadata},
            AVATAR_CACHE_CONTROL,
        )

    def is_marked(self, upload_id: UploadId, stored: Stored) -> bool:  # noqa: ARG002 - forms never reach avatars/
        return False

    def leftovers(self, upload_id: UploadId) -> tuple[str, ...]:
        return (upload_id.pending_key,)


class Tag:
    """At the avatar's own key, with the tag that a lifecycle rule looks for. Confirming takes the tag away.

    It does so by copying the object onto itself without it. DeleteObjectTagging would be the plainer call and can't be
    made to depend on the ETag: bytes posted between the check and that call would become permanent unchecked.
    """

    prefix = AVATAR_PREFIX
    with_token = True

    def awaiting_key(self, upload_id: UploadId) -> str:
        return upload_id.avatar_key

    def pins(self, token: str) -> Mapping[str, str]:
        name, value = PENDING_TAG
        return {
            f"x-amz-meta-{TOKEN_FIELD}": token,
            "tagging": f"<Tagging><TagSet><Tag><Key>{name}</Key><Value>{value}</Value></Tag></TagSet></Tagging>",
        }

    def is_proved_by(self, stored: Stored, token: str | None) -> bool:
        expected = stored.metadata.get(TOKEN_FIELD, "")
        # In bytes, since compare_digest takes no text but ASCII; an object without a token is proved by nothing.
        return bool(expected) and hmac.compare_digest(expected.encode(), (token or "").encode())

    def promotion(self, upload_id: UploadId, stored: Stored) -> Copy:
        key = upload_id.avatar_key
        # The token stays, so that a repeat of the confirm can be told from a guess. The bytes may be posted anew while
        # the form is valid, so that a cache has to ask.
        return Copy(key, key, stored.etag, stored.content_type, stored.metadata, "no-cache")

    def is_marked(self, upload_id: UploadId, stored: Stored) -> bool:  # noqa: ARG002 - it is at that key
        return stored.tagged

    def leftovers(self, upload_id: UploadId) -> tuple[str, ...]:  # noqa: ARG002 - the object stays where it is
        return ()


STRATEGIES: Mapping[str, Strategy] = {"prefix": Prefix(), "tag": Tag()}


def parse_upload(key: str, strategy: Strategy) -> UploadId | None:
    return parse_key(key, strategy.prefix)


def is_of_some_strategy(key: str) -> bool:
    """Whether the key is one that some strategy's form posts to."""
    return any(parse_key(key, strategy.prefix) for strategy in STRATEGIES.values())
