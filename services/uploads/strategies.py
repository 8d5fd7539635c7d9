"""Two strategies for marking an object as pending, and for making it permanent.

A strategy returns data: the key that a form posts to and the fields that it pins, the copy that makes the object
permanent, the keys that are of no use afterwards. No other module asks which strategy is in use. Under both, the object
becomes permanent by one copy of the bytes that were verified.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Protocol

from services.store.keys import (
    DIGEST_FIELD,
    PENDING_TAG,
    PERMANENT_CACHE_CONTROL,
    REQUEST_FIELD,
    TOKEN_FIELD,
    USERNAME_FIELD,
    Upload,
    parse_key,
)
from services.store.kinds import KINDS
from services.uploads.objects import Copy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.store.kinds import Kind
    from services.uploads.objects import Stored


class Strategy(Protocol):
    with_token: bool
    """Whether a presign issues an upload token that the confirm must send."""

    def posted_prefix(self, kind: Kind) -> str:
        """Prefix of the keys that forms of this kind post to."""
        ...

    def posted_key(self, upload: Upload) -> str:
        """The key that the form posts to."""
        ...

    def pins(self, token: str) -> Mapping[str, str]:
        """Form fields in addition to those that every form has."""
        ...

    def is_proved_by(self, stored: Stored, token: str | None) -> bool:
        """Whether this upload token permits confirming the object."""
        ...

    def promotion(self, upload: Upload, stored: Stored) -> Copy:
        """The copy that makes a verified object permanent. It is safe to repeat and safe to stop after."""
        ...

    def needs_repair(self, stored: Stored) -> bool:
        """Whether the confirmed object was posted again: a lifecycle rule will delete it, or its bytes are others."""
        ...

    def leftovers(self, upload: Upload) -> tuple[str, ...]:
        """Keys to be deleted once the upload is confirmed."""
        ...


PERMANENT_FIELDS = (USERNAME_FIELD, REQUEST_FIELD, DIGEST_FIELD)
"""The metadata of a permanent object under `prefix`. Under `tag` it keeps all, with the upload token."""


class Prefix:
    """The form posts to the pending prefix, where a lifecycle rule deletes objects. Confirm copies them to the
    permanent prefix.
    """

    with_token = False

    def posted_prefix(self, kind: Kind) -> str:
        return kind.pending_prefix

    def posted_key(self, upload: Upload) -> str:
        return upload.pending_key

    def pins(self, token: str) -> Mapping[str, str]:  # noqa: ARG002 - knowing the key is the proof
        return {}

    def is_proved_by(self, stored: Stored, token: str | None) -> bool:  # noqa: ARG002
        return True

    def promotion(self, upload: Upload, stored: Stored) -> Copy:
        return Copy(
            upload.pending_key,
            upload.permanent_key,
            stored.etag,
            stored.metadata[DIGEST_FIELD],
            stored.content_type,
            {name: stored.metadata[name] for name in PERMANENT_FIELDS if name in stored.metadata},
            PERMANENT_CACHE_CONTROL,
            # A row may refer to an earlier copy, which no later one may overwrite.
            if_absent=True,
        )

    def needs_repair(self, stored: Stored) -> bool:  # noqa: ARG002 - forms never reach the permanent prefix
        return False

    def leftovers(self, upload: Upload) -> tuple[str, ...]:
        return (upload.pending_key,)


class Tag:
    """The form posts to the permanent key, with a tag by which a lifecycle rule deletes it. Confirm removes the tag.

    It copies the object onto itself without the tag. DeleteObjectTagging would be simpler but has no condition on the
    ETag: bytes posted between the check and that call would become permanent unverified.
    """

    with_token = True

    def posted_prefix(self, kind: Kind) -> str:
        return kind.permanent_prefix

    def posted_key(self, upload: Upload) -> str:
        return upload.permanent_key

    def pins(self, token: str) -> Mapping[str, str]:
        name, value = PENDING_TAG
        return {
            f"x-amz-meta-{TOKEN_FIELD}": hash_token(token),
            "tagging": f"<Tagging><TagSet><Tag><Key>{name}</Key><Value>{value}</Value></Tag></TagSet></Tagging>",
        }

    def is_proved_by(self, stored: Stored, token: str | None) -> bool:
        expected = stored.metadata.get(TOKEN_FIELD, "")
        # No token permits confirming an object without one.
        return bool(expected) and hmac.compare_digest(expected.encode(), hash_token(token or "").encode())

    def promotion(self, upload: Upload, stored: Stored) -> Copy:
        key = upload.permanent_key
        # The upload token stays, so that a repeat of the confirm can be verified. The object can be posted again while
        # the form is valid, so caches must revalidate.
        digest = stored.metadata[DIGEST_FIELD]
        return Copy(key, key, stored.etag, digest, stored.content_type, stored.metadata, "no-cache", if_absent=False)

    def needs_repair(self, stored: Stored) -> bool:
        # A picture of a former version has no digest in its metadata.
        return stored.tagged or stored.sha256 != stored.metadata.get(DIGEST_FIELD, stored.sha256)

    def leftovers(self, upload: Upload) -> tuple[str, ...]:  # noqa: ARG002 - the object stays where it is
        return ()


def hash_token(token: str) -> str:
    """The SHA-256 of an upload token, in hexadecimal. A token has 256 random bits, so this hash can't be reversed."""
    # "replace": JSON can contain lone surrogates, which UTF-8 can't.
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


STRATEGIES: Mapping[str, Strategy] = {"prefix": Prefix(), "tag": Tag()}


def parse_upload(key: str, strategy: Strategy) -> Upload | None:
    """The upload whose form posts to this key. The prefix of the key tells its kind."""
    for kind in KINDS.values():
        if upload_id := parse_key(key, strategy.posted_prefix(kind)):
            return Upload(kind, upload_id)
    return None


def is_of_some_strategy(key: str) -> bool:
    """Whether the key is one that some strategy's form posts to."""
    return any(parse_upload(key, strategy) for strategy in STRATEGIES.values())
